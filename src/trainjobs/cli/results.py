"""What a finished run shows: a table of its figures, and where everything is."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from trainjobs.api.runs import Run
from trainjobs.cli.learning import print_evaluation
from trainjobs.core import outputs
from trainjobs.core.uris import file_path
from trainjobs.local.folder import RunFolder


def report_folder(run: Run, folder: RunFolder) -> Path | None:
    """Where the report's files lie on this machine."""
    stored = folder.path / "artifacts" / "report"
    here = folder.workspace(run.status.attempt, 0) / "output"
    for place in (stored, here):
        if (place / outputs.REPORT_HTML).exists() or (place / outputs.EVALUATION).exists():
            return place
    return None


def show_success(console: Console, run: Run, folder: RunFolder) -> None:
    """Print the figures of the final evaluation, and the paths of model and report."""
    place = report_folder(run, folder)
    if place is not None and (place / outputs.EVALUATION).exists():
        from trainjobs.ml.evaluation.results import read_result

        print_evaluation(console, read_result(place / outputs.EVALUATION))
        _say_training_cuts(console, place)
    if place is not None and (place / outputs.REPORT_HTML).exists():
        console.print(Text.assemble("Report  ", (shown(place / outputs.REPORT_HTML), "cyan")), soft_wrap=True)
    model = run.status.artifacts.model
    if model:
        path = file_path(model)
        where = shown(Path(path)) if path is not None else model
        console.print(Text.assemble("Model   ", (where, "cyan")), soft_wrap=True)
        console.print(Text(f"Try it  trainjobs score {shown(folder.path)} --text '…'"), soft_wrap=True)


def _say_training_cuts(console: Console, place: Path) -> None:
    from trainjobs.ml.evaluation.report.view import training_cuts
    from trainjobs.ml.evaluation.run_files import RunFiles

    if words := training_cuts(RunFiles.read(place)):
        console.print(Text(words, style="yellow"), soft_wrap=True)


def shown(path: Path) -> str:
    """`path` relative to where the user stands, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

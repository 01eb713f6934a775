"""What a trained run shows: a table of its figures, and where everything is."""

from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from trainjobs.api.runs import Run
from trainjobs.cli.console import program, shown, typed
from trainjobs.cli.learning import print_evaluation
from trainjobs.cli.stored import open_run, path_of
from trainjobs.core import outputs
from trainjobs.errors import InvalidData, TrainjobsError
from trainjobs.local.folder import REPORT, RunFolder
from trainjobs.local.paths import path_here
from trainjobs.ml.data.files import data_files
from trainjobs.ml.modeling.cards import CARD_FILE, RegressionCard


def report_folder(run: Run, folder: RunFolder) -> Path | None:
    """Where the report's files lie on this machine."""
    stored = path_of(run.status.artifacts.report) if run.status.artifacts.report else None
    here = folder.workspace(run.status.attempt, 0) / "output"
    for place in (stored, folder.path / REPORT, here):
        if place and ((place / outputs.REPORT_HTML).exists() or (place / outputs.EVALUATION).exists()):
            return place
    return None


def show_result(console: Console, run: Run, folder: RunFolder) -> None:
    """Print the figures of the final evaluation, where model and report are, and what to do with them."""
    place = report_folder(run, folder)
    if place is not None and (place / outputs.EVALUATION).exists():
        from trainjobs.ml.evaluation.results import read_result

        print_evaluation(console, read_result(place / outputs.EVALUATION))
        _say_training_cuts(console, place)
    if place is not None and (place / outputs.REPORT_HTML).exists():
        _say(console, "Report", shown(place / outputs.REPORT_HTML), style="cyan")
    elif run.status.artifacts.report:
        _say(console, "Report", f"{program()} pull {typed(folder.path)} --report")
    model = run.status.artifacts.model
    if model:
        here = path_of(model)
        _say(console, "Model", model if here is None else shown(here), style="cyan")
        if here is None:
            _say(console, "Take it", f"{program()} pull {typed(folder.path)} --model")
        command = to_try(run, folder)
        if command:
            _say(console, "Try it", command)


def to_try(run: Run, folder: RunFolder) -> str | None:
    """The command that tries a run's model, fit for what it was trained on; None where it scores nothing."""
    try:
        stored = open_run(str(folder.path))
        said = stored.store.store.at(stored.artifact(outputs.MODEL)).get(CARD_FILE)
        config = RegressionCard.from_json(said)
    except (TrainjobsError, ValueError):
        return None
    score = f"{program()} score {typed(folder.path)}"
    if config.parts == ["text"]:
        return f"{score} --text 'a text of yours'"
    rows = _rows_here(run)
    return f"{score} report.json" if rows is None else f"head -n 1 {typed(rows)} | {score} -"


def _rows_here(run: Run) -> Path | None:
    """A file of the run's own rows on this machine, those first that it was judged on."""
    data = run.spec.dataset
    for uri in (data.test, data.eval, data.train):
        path = path_here(uri, Path()) if uri else None
        if path is None:
            continue
        with suppress(InvalidData):
            files, _ = data_files(path)
            plain = [file for file in files if file.suffix == ".jsonl"]
            if plain:
                return plain[0]
    return None


def _say(console: Console, what: str, words: str, *, style: str = "") -> None:
    console.print(Text.assemble(f"{what:<8}", (words, style)), soft_wrap=True)


def _say_training_cuts(console: Console, place: Path) -> None:
    from trainjobs.ml.evaluation.report.notes import training_cuts
    from trainjobs.ml.evaluation.run_files import RunFiles

    if words := training_cuts(RunFiles.read(place)):
        console.print(Text(words, style="yellow"), soft_wrap=True)

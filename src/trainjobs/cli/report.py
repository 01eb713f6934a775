"""`trainjobs report`: render a run's report anew."""

from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.cli.learning import RunTarget, need
from trainjobs.core.outputs import REPORT_MARKDOWN

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def report(
    run: RunTarget,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="DIR", help="Where to write; default is the run's folder, if it is here."
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write report.html and report.md of a run anew, from its files alone, and print the page's path.

    \b
    trainjobs report runs/rewardmodelrun/review-ratings
    trainjobs report s3://models/runs/ml/RewardModelRun/ratings-1a2b3c4d --to /tmp/report
    """
    need("matplotlib")
    from trainjobs.cli.local_copies import at_hand
    from trainjobs.cli.stored import path_of
    from trainjobs.core.checkpoints.layout import split_place
    from trainjobs.ml.evaluation.report.render import write_report
    from trainjobs.ml.evaluation.run_files import find_files

    own = path_of(split_place(run)[0])
    page = write_report(find_files(at_hand(run, "report")), to or (Path("report") if own is None else own))
    if output is Output.JSON:
        print_json({"html": page, "markdown": page.with_name(REPORT_MARKDOWN)})
    else:
        typer.echo(page)

"""`trainjobs report`: render a run's report anew."""

from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.cli.learning import need
from trainjobs.core.outputs import REPORT_MARKDOWN

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run's folder: runs/<kind>/<name>.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to write; default is RUN_DIR itself.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write report.html and report.md of a run anew, from its files alone, and print the page's path.

    \b
    trainjobs report runs/rewardmodelrun/review-ratings
    trainjobs report runs/rewardmodelrun/review-ratings --to /tmp/report
    """
    need("matplotlib")
    from trainjobs.ml.evaluation.report.render import write_report
    from trainjobs.ml.evaluation.run_files import find_files

    page = write_report(find_files(run), to or run)
    if output is Output.JSON:
        print_json({"html": page, "markdown": page.with_name(REPORT_MARKDOWN)})
    else:
        typer.echo(page)

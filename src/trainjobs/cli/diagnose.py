"""`trainjobs diagnose`: what the curves and figures of a run mean."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.cli.learning import need, print_findings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run's folder: runs/<kind>/<name>.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what the curves and figures of a run mean, and what to do about it.

    \b
    trainjobs diagnose runs/rewardmodelrun/review-ratings
    trainjobs diagnose runs/rewardmodelrun/review-ratings --output json
    """
    need("scipy")
    from trainjobs.core.diagnosis import diagnose as apply_rules
    from trainjobs.ml.evaluation.facts import facts_of
    from trainjobs.ml.evaluation.run_files import RunFiles, find_files

    findings = apply_rules(facts_of(RunFiles.read(find_files(run))))
    if output is Output.JSON:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        print_findings(Console(), findings)

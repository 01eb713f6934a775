"""`trainjobs diagnose`: what the curves and figures of a run mean."""

from dataclasses import asdict

import typer
from rich.console import Console

from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.cli.learning import RunTarget, need, print_findings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def diagnose(
    run: RunTarget,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what the curves and figures of a run mean, and what to do about it.

    \b
    trainjobs diagnose runs/rewardmodelrun/review-ratings
    trainjobs diagnose runs/rewardmodelrun/review-ratings --output json
    """
    need("scipy")
    from trainjobs.cli.local_copies import at_hand
    from trainjobs.core.diagnosis import diagnose as apply_rules
    from trainjobs.ml.evaluation.facts import facts_of
    from trainjobs.ml.evaluation.run_files import RunFiles, find_files

    findings = apply_rules(facts_of(RunFiles.read(find_files(at_hand(run, "report")))))
    if output is Output.JSON:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        print_findings(Console(), findings)

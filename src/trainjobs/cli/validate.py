"""`trainjobs validate`: everything that is wrong with manifests, and with what they name on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.api.manifest import Fault
from trainjobs.api.objects import PassedOver
from trainjobs.api.runs import Run
from trainjobs.cli.console import Output, OutputOption, SetOption, error_line, note_line, print_json

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def validate(
    named: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR...", help="Manifests, or folders of them.")
    ],
    overrides: SetOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check manifests as an API server would, and what can be checked of their data and models.

    \b
    trainjobs validate rmrun.yaml
    trainjobs validate rmrun.yaml --set spec.training.epochs=2 --output json
    """
    from trainjobs.cli.inputs import input_faults, support_faults
    from trainjobs.cli.library import argument_faults
    from trainjobs.cli.manifests import checked
    from trainjobs.errors import InvalidRecipe
    from trainjobs.local.ordering import in_order

    faults: list[tuple[int, Fault]] = []
    runs: list[Run] = []
    right: list[tuple[str, str, str]] = []
    others: list[PassedOver] = []
    for file in checked(named, overrides or ()):
        wrong = [(10, fault) for fault in file.faults]
        for run in file.runs:
            # Of what cannot be trained at all, the rest is of no interest.
            wrong += list(support_faults(run, file.path)) or [
                *argument_faults(run, file.path),
                *input_faults(run, file.path),
            ]
            right.append((str(file.path), run.kind, run.metadata.name))
        runs += file.runs
        others += file.passed_over
        faults += wrong
    try:
        in_order(runs)
    except InvalidRecipe as error:
        faults.append((error.exit_code, Fault("these manifests", "", "", str(error))))
    if output is Output.JSON:
        print_json(
            {
                "valid": not faults,
                "runs": [{"file": file, "kind": kind, "name": name} for file, kind, name in right],
                "passedOver": [asdict(other) for other in others],
                "faults": [{**asdict(fault), "exitCode": code} for code, fault in faults],
            }
        )
    else:
        for other in others:
            note_line(f"note: {other}")
        for _, fault in faults:
            error_line(f"error: {fault}")
        if not faults:
            for source, kind, name in right:
                typer.echo(f"{source}: {kind} {name} is valid")
    if faults:
        # What is wrong with the manifest itself comes first, as it would in a run.
        raise typer.Exit(min(code for code, _ in faults))

"""`trainjobs plan`: what the operator would create, and what it would take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.console import SetOption, error_line, note_line, print_json, print_yaml
from trainjobs.errors import InvalidRecipe

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Form(StrEnum):
    """How objects are written."""

    YAML = "yaml"
    JSON = "json"


@app.command()
def plan(
    named: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR...", help="Manifests, or folders of them.")
    ],
    overrides: SetOption = None,
    attempt: Annotated[int, typer.Option(min=1, help="Which attempt of the run.")] = 1,
    settings: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="The chart's values, or the operator's settings; without, storage and image are assumed.",
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Of runs that name none; default is default.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate/--no-estimate", help="Say what the run will need, on standard error.")
    ] = True,
    output: Annotated[Form, typer.Option("--output", "-o", help="How to write the objects.")] = Form.YAML,
) -> None:
    """Show the Kubernetes objects that the operator would create, and an estimate of what the run needs.

    Where it would create none, as files beside the manifest mean nothing to a cluster, they are shown all the
    same, and the reason stands on standard error (exit code 10).

    \b
    trainjobs plan examples/reward-model/review-ratings.yaml
    trainjobs plan rmrun.yaml --set spec.topology.nodes=2 --output json
    trainjobs plan rmrun.yaml --settings values.yaml -n team-a
    """
    from trainjobs.cli.manifests import load
    from trainjobs.cli.planning import in_namespace, planned
    from trainjobs.cli.platform_settings import platform

    given = platform(settings)
    runs = [(in_namespace(run, namespace), file) for run, file in load(named, overrides or (), note_line)]
    found = [planned(run, file, given.for_namespace(run.metadata.namespace), attempt) for run, file in runs]
    if output is Form.JSON:
        print_json([one.as_json() for one in found])
    else:
        print_yaml([item for one in found for item in one.objects])
    if settings is None:
        typer.echo(
            "note: storage, image and addresses of the platform are assumed; give its own by --settings",
            err=True,
        )
    for one in found:
        for line in one.estimate_lines() if estimate else ():
            typer.echo(f"{one.name}: {line}", err=True)
        for refusal in one.refusals:
            error_line(f"error: {one.file}: a cluster would refuse it: {refusal}")
    if any(one.refusals for one in found):
        raise typer.Exit(InvalidRecipe.exit_code)

"""`trainjobs pull`: a run's model, report or checkpoint, taken home."""

from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.checkpoints import DirectionOption, MetricOption, Target
from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.errors import UsageError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def pull(
    target: Target,
    model: Annotated[bool, typer.Option("--model", help="The model.")] = False,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="The adapter by itself, if one was trained.")
    ] = False,
    report: Annotated[bool, typer.Option("--report", help="The report and all that it is made of.")] = False,
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="The latest checkpoint.")] = False,
    step: Annotated[int | None, typer.Option(min=0, help="The checkpoint of this step.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The best checkpoint.")] = False,
    to: Annotated[
        Path | None, typer.Option(help="Folder to write; default is the name of what is pulled.")
    ] = None,
    metric: MetricOption = None,
    direction: DirectionOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Fetch what a run left: what the URI names, or else its model; every file is verified.

    A pull that was cut off goes on where it was.

    \b
    trainjobs pull s3://models/runs/ml/SFTRun/chat-1a2b3c4d --to ./chat
    trainjobs pull runs/rewardmodelrun/review-ratings --report
    """
    from trainjobs.cli.checkpoint_table import size_text
    from trainjobs.cli.pulling import choose, fetch
    from trainjobs.cli.stored import best_by, open_run
    from trainjobs.core.checkpoints.layout import parse_artifact_folder

    artifacts = [
        name for name, wanted in (("model", model), ("adapter", adapter), ("report", report)) if wanted
    ]
    if len(artifacts) + sum((step is not None, best, checkpoint and step is None and not best)) > 1:
        raise UsageError(
            "--model, --adapter, --report, --checkpoint, --step and --best exclude each other; give one"
        )
    run = open_run(target)
    if artifacts:
        folder = run.artifact(artifacts[0])
    elif checkpoint or best or step is not None:
        by = best_by(run, metric, direction) if best else None
        folder = choose(run, step=step, best_by=by)
    else:
        folder = run.named()
    artifact = parse_artifact_folder(folder)
    where = to or Path(folder.rpartition("/")[2] if artifact is None else artifact.name)
    manifest = fetch(run.store.store.at(folder), where)
    if output is Output.JSON:
        print_json(
            {
                "folder": str(where),
                "source": f"{run.store.store.uri}/{folder}",
                "step": manifest.step,
                "attempt": manifest.attempt,
                "files": len(manifest.files),
                "bytes": manifest.size,
            }
        )
    else:
        typer.echo(f"{where}: {len(manifest.files)} files, {size_text(manifest.size)}, verified")

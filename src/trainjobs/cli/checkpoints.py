"""`trainjobs checkpoints`: what of a run is in storage, taken home, proved, tidied up."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.api.checkpoints import KeepBest
from trainjobs.cli.console import Output, OutputOption, error_line, print_json
from trainjobs.errors import StorageUnavailable, UsageError

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

Target = Annotated[
    str,
    typer.Argument(
        metavar="URI|RUN_DIR", help="s3://… or file:///… of a run's folder, or the folder itself."
    ),
]
MetricOption = Annotated[
    str | None, typer.Option(help="Choose the best by this metric; default is the run's own.")
]


class Better(StrEnum):
    """Which end of a metric is good."""

    LOWER = "Lower"
    HIGHER = "Higher"


DirectionOption = Annotated[
    Better | None, typer.Option(help="Whether lower or higher is better; default is the run's own.")
]


@app.callback()
def checkpoints() -> None:
    """List, pull, verify and prune checkpoints in storage.

    Keys for s3:// come from the environment, a profile or a workload identity, as every AWS tool finds them;
    AWS_ENDPOINT_URL names a server of your own.

    \b
    trainjobs checkpoints list runs/rewardmodelrun/review-ratings
    trainjobs checkpoints pull s3://models/runs/ml/RewardModelRun/ratings-1a2b3c4d --best
    """


@app.command("list")
def list_(
    target: Target,
    metric: MetricOption = None,
    direction: DirectionOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the complete checkpoints, and which is latest and best.

    With size, time and metrics, and from which the newest attempt went on.

    \b
    trainjobs checkpoints list runs/rewardmodelrun/review-ratings --output json
    """
    from trainjobs.cli.checkpoint_table import rows, table
    from trainjobs.cli.stored import open_run

    run = open_run(target)
    keep_best = _keep_best(run.keep_best, metric, direction)
    found = rows(run.store, keep_best)
    artifacts = list(run.store.artifacts())
    if output is Output.JSON:
        print_json(
            {
                "uri": run.store.store.uri,
                "bestBy": {"metric": keep_best.metric, "direction": keep_best.direction},
                "checkpoints": [row.as_json() for row in found],
                "artifacts": artifacts,
            }
        )
        return
    from rich.console import Console

    if found:
        Console(width=None if Console().is_terminal else 160).print(table(found))
    else:
        typer.echo("no complete checkpoint yet")
    if artifacts:
        typer.echo(f"artifacts: {', '.join(artifacts)}")


@app.command()
def pull(
    target: Target,
    to: Annotated[
        Path | None, typer.Option(help="Folder to write; default is the checkpoint's or artifact's name.")
    ] = None,
    step: Annotated[int | None, typer.Option(min=0, help="The checkpoint of this step.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The best checkpoint.")] = False,
    artifact: Annotated[str | None, typer.Option(help="An artifact instead: model, report.")] = None,
    metric: MetricOption = None,
    direction: DirectionOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Fetch a checkpoint or an artifact; every file is verified.

    The latest checkpoint, if nothing else is said.
    A pull that was cut off goes on where it was.

    \b
    trainjobs checkpoints pull s3://models/runs/ml/SFTRun/chat-1a2b3c4d --artifact model --to ./chat
    """
    from trainjobs.cli.checkpoint_table import size_text
    from trainjobs.cli.pulling import choose, fetch
    from trainjobs.cli.stored import open_run

    if sum((step is not None, best, artifact is not None)) > 1:
        raise UsageError("--step, --best and --artifact exclude each other; give one")
    run = open_run(target)
    folder = choose(
        run,
        step=step,
        best_by=_keep_best(run.keep_best, metric, direction) if best else None,
        artifact=artifact,
    )
    where = to or Path(folder.rpartition("/")[2])
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


@app.command()
def verify(target: Target, output: OutputOption = Output.TEXT) -> None:
    """Read back all that is stored of a run; exit 30 if damaged.

    What an attempt left unfinished counts as damaged, too.

    \b
    trainjobs checkpoints verify s3://models/runs/ml/SFTRun/chat-1a2b3c4d
    """
    from dataclasses import asdict

    from trainjobs.cli.stored import open_run

    run = open_run(target)
    damaged = run.store.verify()
    if output is Output.JSON:
        print_json(
            {"uri": run.store.store.uri, "ok": not damaged, "damaged": [asdict(one) for one in damaged]}
        )
    else:
        for one in damaged:
            error_line(f"error: {one.folder}: {one.file}: {one.problem}")
        if not damaged:
            complete = len(run.store.complete())
            typer.echo(
                f"{complete} checkpoints, {len(run.store.artifacts())} artifacts: all files are as written"
            )
    if damaged:
        raise typer.Exit(StorageUnavailable.exit_code)


@app.command()
def prune(
    target: Target,
    keep_latest: Annotated[
        int | None, typer.Option(min=1, help="How many of the newest to keep; default is the run's own.")
    ] = None,
    keep_best: Annotated[
        int | None, typer.Option(min=0, help="How many of the best to keep; default is the run's own.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")
    ] = False,
    metric: MetricOption = None,
    direction: DirectionOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Delete all checkpoints but the newest and the best.

    What older attempts left unfinished goes, too.
    What the newest attempt resumed from always stays.

    \b
    trainjobs checkpoints prune s3://models/runs/ml/SFTRun/chat-1a2b3c4d --keep-latest 1 --dry-run
    """
    from trainjobs.cli.stored import direction_of, open_run
    from trainjobs.core.checkpoints.retention import Best, Retention

    run = open_run(target)
    by = _keep_best(run.keep_best, metric, direction)
    own = 2 if run.recipe is None else run.recipe.checkpoints.keep_latest
    retention = Retention(
        own if keep_latest is None else keep_latest,
        Best(by.count if keep_best is None else keep_best, by.metric, direction_of(by)),
    )
    attempt = run.store.newest_attempt()
    work = run.store.surplus if dry_run else run.store.prune
    gone = [ref.name for ref in work(retention, attempt=attempt)]
    if output is Output.JSON:
        print_json({"uri": run.store.store.uri, "dryRun": dry_run, "deleted": gone})
        return
    for name in gone:
        typer.echo(f"{'would delete' if dry_run else 'deleted'} {name}")
    if not gone:
        typer.echo("nothing to delete")


def _keep_best(own: KeepBest, metric: str | None, direction: Better | None) -> KeepBest:
    """The run's own way to choose the best, with what the command line says of it."""
    changes = {
        **({"metric": metric} if metric is not None else {}),
        **({"direction": direction.value} if direction is not None else {}),
    }
    return own.model_copy(update=changes)

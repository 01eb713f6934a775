"""`trainjobs checkpoints`: what of a run is in storage, proved, tidied up."""

from typing import Annotated

import typer

from trainjobs.api.figures import Direction
from trainjobs.cli.console import Output, OutputOption, error_line, print_json
from trainjobs.errors import StorageUnavailable

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

Target = Annotated[
    str,
    typer.Argument(
        metavar="RUN|URI",
        help="A run's folder, here or in storage (s3://…, file:///…), or the URI of a part of it.",
    ),
]
MetricOption = Annotated[
    str | None, typer.Option(help="Choose the best by this metric; default is the run's own.")
]


DirectionOption = Annotated[
    Direction | None,
    typer.Option(help="Whether lower or higher is better, of a metric that trainjobs does not know."),
]


@app.callback()
def checkpoints() -> None:
    """List, verify and prune checkpoints in storage.

    Keys for s3:// come from the environment, a profile or a workload identity, as every AWS tool finds them;
    AWS_ENDPOINT_URL names a server of your own.

    \b
    trainjobs checkpoints list runs/rewardmodelrun/review-ratings
    trainjobs checkpoints verify s3://models/runs/ml/RewardModelRun/ratings-1a2b3c4d
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
    from trainjobs.cli.stored import best_by, open_run

    run = open_run(target)
    keep_best = best_by(run, metric, direction)
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

    What older attempts left unfinished goes, too, and artifacts that the result of the run does not name.
    What the newest attempt resumed from always stays.

    \b
    trainjobs checkpoints prune s3://models/runs/ml/SFTRun/chat-1a2b3c4d --keep-latest 1 --dry-run
    """
    from trainjobs.cli.stored import best_by, open_run
    from trainjobs.core.checkpoints.retention import Best, Retention
    from trainjobs.core.figures.scores import direction_of
    from trainjobs.storage.superseded import delete_superseded, superseded

    run = open_run(target)
    by = best_by(run, metric, direction)
    own = 2 if run.recipe is None else run.recipe.checkpoints.keep_latest
    retention = Retention(
        own if keep_latest is None else keep_latest,
        Best(by.count if keep_best is None else keep_best, by.metric, direction_of(by)),
    )
    attempt = run.store.newest_attempt()
    work = run.store.surplus if dry_run else run.store.prune
    gone = [ref.name for ref in work(retention, attempt=attempt)]
    artifacts = superseded if dry_run else delete_superseded
    gone += artifacts(run.store.store)
    if output is Output.JSON:
        print_json({"uri": run.store.store.uri, "dryRun": dry_run, "deleted": gone})
        return
    for name in gone:
        typer.echo(f"{'would delete' if dry_run else 'deleted'} {name}")
    if not gone:
        typer.echo("nothing to delete")

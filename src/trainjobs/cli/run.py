"""`trainjobs run`: train on this machine what manifests describe."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainjobs.cli.console import Output, OutputOption, SetOption, error_line, note_line, print_json
from trainjobs.errors import BelowThreshold, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainjobs.api.runs import Run
    from trainjobs.cli.progress import ProgressWatcher
    from trainjobs.local.session import Options, Result

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    named: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR...", help="Manifests, or folders of them.")
    ],
    overrides: SetOption = None,
    root: Annotated[Path, typer.Option("--root", help="Where runs live.")] = Path("runs"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Move an earlier run of the same name aside and begin anew.")
    ] = False,
    node_rank: Annotated[
        int | None, typer.Option("--node-rank", min=0, help="This machine's rank, where several share a run.")
    ] = None,
    master: Annotated[
        str | None, typer.Option("--master", metavar="HOST:PORT", help="Address of the machine of rank 0.")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Try one batch and all that follows it; nothing is kept.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Train on this machine what manifests describe, each run after those it starts from.

    Ctrl-C saves a checkpoint; the same command goes on from it.

    \b
    trainjobs run examples/reward-model/review-ratings.yaml
    trainjobs run rmrun.yaml --smoke
    trainjobs run rmrun.yaml --set spec.training.epochs=2
    trainjobs run rmrun.yaml --node-rank 1 --master 10.0.0.5:29500
    """
    from rich.console import Console

    from trainjobs.cli.progress import ProgressWatcher
    from trainjobs.local.devices import accelerators_here
    from trainjobs.local.session import Options

    if smoke and (node_rank is not None or master is not None or fresh):
        raise UsageError("--smoke: tries a run on this machine alone, and keeps nothing; leave the other out")
    runs = _load(named, overrides or ())
    options = Options(root=root, devices=accelerators_here(), fresh=fresh)
    with ProgressWatcher(Console(stderr=True), quiet=quiet) as watcher:
        if smoke:
            results = _try_all(runs, options, watcher, output)
        elif node_rank is None and master is None:
            results = _run_all(runs, options, watcher, output)
        else:
            results = _run_shared(runs, options, watcher, output, node_rank, master)
    raise typer.Exit(results)


def _load(named: "Sequence[Path]", overrides: "Sequence[str]") -> "list[Run]":
    from trainjobs.cli.manifests import load
    from trainjobs.local.relative import with_absolute_paths

    return [with_absolute_paths(run, path) for run, path in load(named, overrides, note_line)]


def _run_all(runs: "Sequence[Run]", options: "Options", watcher: "ProgressWatcher", output: Output) -> int:
    """Run them all, show how each ended; returns the first failure's exit code, or 0."""
    from trainjobs.local.session import INTERRUPTED, run_all

    worst = 0
    shown = []
    for result in run_all(runs, options, watcher):
        worst = worst or result.exit_code
        if output is Output.JSON:
            shown.append(_as_json(result))
        else:
            watcher.pause()
            _show(result, interrupted=result.exit_code == INTERRUPTED)
    if output is Output.JSON:
        print_json(shown)
    return worst


def _try_all(runs: "Sequence[Run]", options: "Options", watcher: "ProgressWatcher", output: Output) -> int:
    """Rehearse them all, and say how it went; returns the first failure's exit code, or 0."""
    from trainjobs.local.smoke import try_all

    results = []
    for result in try_all(runs, options, watcher):
        results.append(result)
        watcher.pause()
        if output is Output.TEXT:
            _say_rehearsed(result)
    if output is Output.JSON:
        print_json([_as_json(result) for result in results])
    return next((result.exit_code for result in results if result.exit_code), 0)


def _say_rehearsed(result: "Result") -> None:
    name, status = result.run.metadata.name, result.run.status
    if result.exit_code:
        failure = status.failure
        error_line(f"error: {name}: {failure.reason}: {failure.message}" if failure else f"{name}: stopped")
        if failure and failure.advice:
            error_line(f"  {failure.advice}")
        return
    loss = status.metrics.latest.get("loss")
    figure = "" if loss is None else f" (loss {loss:.4f})"
    typer.echo(f"{name}: one batch{figure} and all that follows it went well; nothing of it was kept")


def _run_shared(
    runs: "Sequence[Run]",
    options: "Options",
    watcher: "ProgressWatcher",
    output: Output,
    node_rank: int | None,
    master: str | None,
) -> int:
    """One run over several machines: lead it here (rank 0), or follow its leader."""
    from dataclasses import replace

    from trainjobs.core.recipe.support import check_support
    from trainjobs.local.leader import Leader

    if node_rank is None or master is None:
        raise UsageError("--node-rank and --master belong together; give both, or neither")
    if len(runs) != 1:
        raise UsageError(f"--node-rank: {len(runs)} runs are named; give one manifest with one run")
    run = runs[0]
    if not node_rank < run.spec.topology.nodes:
        raise UsageError(
            f"--node-rank {node_rank}: spec.topology.nodes is {run.spec.topology.nodes}; "
            f"give 0 to {run.spec.topology.nodes - 1}, or more nodes"
        )
    address, port = _address(master)
    check_support(runs)
    if node_rank:
        return _follow(run, options, watcher, node_rank, address, port)
    leader = Leader(address, port)
    code = 1
    try:
        code = _run_all(runs, replace(options, make_nodes=leader), watcher, output)
    finally:
        leader.finish(code)
    return code


def _follow(
    run: "Run", options: "Options", watcher: "ProgressWatcher", node_rank: int, address: str, port: int
) -> int:
    from trainjobs.local.follower import Follower
    from trainjobs.local.nodes import Meeting

    follower = Follower(run, options, watcher, node_rank=node_rank, master=Meeting(address, port))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: follower.stop())
    code = follower.follow()
    watcher.pause()
    sys.stderr.write(f"node {node_rank}: the run is over at node 0 (exit code {code})\n")
    return code


def _address(master: str) -> tuple[str, int]:
    host, _, port = master.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--master {master}: give HOST:PORT, as in 10.0.0.5:29500")
    return host, int(port)


def _show(result: "Result", *, interrupted: bool) -> None:
    from rich.console import Console

    from trainjobs.cli.console import shown
    from trainjobs.cli.results import show_result

    run, folder = result.run, result.folder
    name = run.metadata.name
    if interrupted:
        latest = run.status.checkpoints.latest
        where = f"at step {latest.step}" if latest else "before its first checkpoint"
        error_line(f"{name}: stopped {where}; the same command goes on from there")
        return
    if result.exit_code:
        if result.exit_code == BelowThreshold.exit_code:
            # The model is trained and kept: what it comes to is there to be looked at.
            show_result(Console(), run, folder)
        failure = run.status.failure
        reason = failure.reason if failure else "Failed"
        error_line(f"error: {name}: {reason}: {failure.message if failure else 'see ' + shown(folder.path)}")
        if failure and failure.advice:
            error_line(f"  {failure.advice}")
        error_line(f"  log: {shown(folder.newest_log(run.status.attempt))}")
        return
    if not result.ran:
        typer.echo(f"{name}: has succeeded already; --fresh moves it aside and begins anew")
    show_result(Console(), run, folder)


def _as_json(result: "Result") -> dict[str, object]:
    return {
        "kind": result.run.kind,
        "name": result.run.metadata.name,
        "folder": str(result.folder.path),
        "exitCode": result.exit_code,
        "status": result.run.status.model_dump(by_alias=True, exclude_none=True, mode="json"),
    }

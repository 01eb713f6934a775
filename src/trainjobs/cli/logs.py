"""`trainjobs logs`: what the nodes of a run printed, from its storage, or while it runs from its folder."""

import gzip
import time
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.checkpoints import Target
from trainjobs.cli.console import Output, OutputOption, print_json
from trainjobs.core.checkpoints.layout import LOGS, log_key, parse_log_key
from trainjobs.errors import UsageError
from trainjobs.storage.store import Store

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_LOOK_SECONDS = 2.0
_OVERLAP = 4096


@app.command()
def logs(
    target: Target,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; default is the newest.")] = None,
    node: Annotated[int, typer.Option(min=0, help="Which node, from 0.")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as more is there, until the run has its result.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the last part of what a node of a run printed.

    Agents bring it to storage every two minutes and at the end of every attempt. With --output json the logs
    that storage holds are listed instead.

    \b
    trainjobs logs s3://models/runs/ml/SFTRun/chat-1a2b3c4d --attempt 2 --node 1
    trainjobs logs runs/rewardmodelrun/review-ratings --follow
    """
    from trainjobs.cli.stored import open_run, path_of

    path = path_of(target)
    run = open_run(target)
    store = run.store.store
    if output is Output.JSON:
        print_json({"logs": [{"attempt": one, "node": rank} for one, rank in _stored(store)]})
        return
    shown = ""
    while True:
        # Asked first: what is printed until then is in the log that is read next.
        finished = not follow or run.store.result() is not None
        text = _text(store, path, attempt, node, waits=follow)
        new = text[len(shown) :] if text.startswith(shown) else _after(shown, text)
        typer.echo(new, nl=False)
        shown = text
        if finished:
            return
        time.sleep(_LOOK_SECONDS)


def _stored(store: Store) -> list[tuple[int, int]]:
    found = (parse_log_key(info.key) for info in store.list(LOGS))
    return sorted(one for one in found if one is not None)


def _text(store: Store, path: Path | None, attempt: int | None, node: int, *, waits: bool) -> str:
    """What a node has printed: as its agent writes it on this machine, or else as it was brought to storage.

    Raises:
        UsageError: there is no such log; names those that there are.
    """
    there = _stored(store)
    here = {} if path is None else _here(path)
    newest = max((one for one, rank in [*there, *here] if rank == node), default=None)
    wanted = (newest if attempt is None else attempt, node)
    if wanted in here:
        return here[wanted].read_text(encoding="utf-8", errors="replace")
    if wanted in there:
        return gzip.decompress(store.get(log_key(*wanted))).decode(errors="replace")
    if waits and not there and not here:
        return ""
    names = ", ".join(f"attempt {one} node {rank}" for one, rank in sorted({*there, *here}))
    raise UsageError(
        f"{store.uri}: has no log of attempt {wanted[0] or 1}, node {node}; it has {names or 'none'}"
    )


def _here(folder: Path) -> dict[tuple[int, int], Path]:
    """The logs of agents that work, or have worked last, on this machine."""
    found = {}
    for file in folder.glob("work/attempt-*/node-*/agent.log"):
        attempt, node = (part.rpartition("-")[2] for part in file.parts[-3:-1])
        if attempt.isdecimal() and node.isdecimal():
            found[int(attempt), int(node)] = file
    return found


def _after(shown: str, text: str) -> str:
    """What is new in a log whose beginning was cut off since it was shown."""
    last = shown[-_OVERLAP:]
    at = text.rfind(last) if last else -1
    return text if at < 0 else text[at + len(last) :]

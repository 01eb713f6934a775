"""`trainjobs logs`: what the nodes of a run print, from its pods, its folder or its storage."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainjobs.cli.console import Output, OutputOption, note_line, print_json

if TYPE_CHECKING:
    from trainjobs.cli.run_names import Access, RunName
    from trainjobs.cli.stored_logs import LogName, Wanted

app = typer.Typer(rich_markup_mode=None, add_completion=False)
INTERRUPTED = 130


@app.command()
def logs(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|URI",
            help="A run in a cluster as kubectl names it (rewardmodelrun/NAME), a run's folder here, or its "
            "URI in storage (s3://…, file:///…).",
        ),
    ],
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; default is the newest.")] = None,
    node: Annotated[int, typer.Option(min=0, help="Which node, from 0.")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as more is printed, until the run is over.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, help="Begin with so many of the last lines; default is all.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Of the run in a cluster; default is the context's."),
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Way to the cluster; default is kubectl's.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig; default is its own.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what a node of a run has printed.

    Of a run in a cluster the pod is asked, and where that is gone, storage: agents bring the last part there
    every two minutes and at the end of every attempt. With --output json the logs that there are are listed.

    \b
    trainjobs logs rewardmodelrun/ratings -n ml --follow
    trainjobs logs runs/rewardmodelrun/review-ratings --tail 20
    trainjobs logs s3://models/runs/ml/SFTRun/chat-1a2b3c4d --attempt 2 --node 1
    """
    from trainjobs.cli.run_names import Access, run_name
    from trainjobs.cli.stored_logs import Wanted, open_logs

    access = Access(namespace, kubeconfig, context)
    wanted = Wanted(attempt, node, follow, tail)
    name = run_name(target, in_cluster=access.is_given)
    try:
        if name is not None:
            asyncio.run(_of_cluster(name, access, wanted, output))
            return
        found = open_logs(target)
        if output is Output.TEXT:
            found.show(wanted, _write)
        else:
            _list({log: "Storage" if file is None else "Folder" for log, file in found.names().items()})
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


async def _of_cluster(name: "RunName", access: "Access", wanted: "Wanted", output: Output) -> None:
    from trainjobs.cli.learning import need

    need("kubernetes", extra="operator")
    from trainjobs.cli.cluster_runs import reading
    from trainjobs.cli.pod_logs import PodLogs

    async with reading(access) as reader:
        found = PodLogs(reader, name, write=_write, tell=note_line)
        if output is Output.JSON:
            _list(await found.names())
        elif wanted.follow:
            await found.follow(wanted)
        else:
            await found.show(wanted)


def _list(names: "dict[LogName, str]") -> None:
    print_json(
        {
            "logs": [
                {"attempt": log.attempt, "node": log.node, "source": source} for log, source in names.items()
            ]
        }
    )


def _write(text: str) -> None:
    typer.echo(text, nl=False)

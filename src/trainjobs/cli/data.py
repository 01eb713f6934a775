"""`trainjobs data`: rows made from other files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.cli.targets import check_target, writing
from trainjobs.errors import InvalidData

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def data() -> None:
    """Turn other files into rows.

    \b
    trainjobs data convert reports.json --to reports.jsonl
    """


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON array, or objects over lines.")],
    to: Annotated[Path, typer.Option("--to", help="Write the rows to this file, one object a line.")],
) -> None:
    """Write the objects of a JSON file as rows, one object a line.

    \b
    trainjobs data convert reports.json --to reports.jsonl
    """
    from trainjobs.ml.data.files import HashedFile, lines
    from trainjobs.ml.data.json_values import parse_objects
    from trainjobs.ml.data.jsonl import text_of

    check_target("--to", to, [file])
    if not file.is_file():
        raise InvalidData(f"{file}: no such file; give a JSON file")
    with HashedFile(file) as stream:
        content = b"".join(raw for _, raw in lines(stream, file.name))
    count = 0
    with writing("--to", to) as target:
        for row in parse_objects(text_of(content, file.name), file.name):
            count += 1
            target.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    typer.echo(f"{count:,} rows in {to}", err=True)

"""`trainjobs crds`: the CustomResourceDefinitions, and what is generated with them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trainjobs.api.runs import KINDS
from trainjobs.cli.console import error_line, print_json

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Form(StrEnum):
    """What is written of the four kinds."""

    YAML = "yaml"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def crds(
    output: Annotated[
        Form, typer.Option("--output", "-o", help="yaml and json: the definitions. markdown: the reference.")
    ] = Form.YAML,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", file_okay=False, help="Write one YAML file per kind there.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; fail where a file in --output-dir is not up to date."),
    ] = False,
) -> None:
    """Print the CustomResourceDefinitions of the four kinds.

    \b
    trainjobs crds | kubectl apply -f -
    trainjobs crds --output-dir crds --check
    """
    from trainjobs.api import crd

    if output_dir is not None:
        _files({f"{kind.plural}.yaml": crd.text(kind) for kind in KINDS}, output_dir, check=check)
    elif output is Form.JSON:
        print_json([crd.definition(kind) for kind in KINDS])
    elif output is Form.MARKDOWN:
        from trainjobs.api.reference import reference

        typer.echo(reference(), nl=False)
    else:
        typer.echo("---\n".join(crd.text(kind) for kind in KINDS), nl=False)


def _files(texts: dict[str, str], folder: Path, *, check: bool) -> None:
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return
    stale = [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        error_line(f"error: {folder / name} is not up to date: trainjobs crds --output-dir {folder}")
    if stale:
        raise typer.Exit(1)

"""What every verb prints alike: JSON for programs, errors for people."""

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from trainjobs.errors import TrainjobsError
from trainjobs.printing import shows


class Output(StrEnum):
    """How a verb writes what it found."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to write the result.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace one value of the manifest: spec.training.epochs=2. Repeatable.",
    ),
]


def print_json(value: object) -> None:
    """Write `value` to standard output as JSON, text as it is where it can be shown."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    typer.echo(text if shows(text) else json.dumps(value, indent=2, default=str))


def print_yaml(documents: Sequence[object]) -> None:
    """Write documents to standard output as YAML, text as it is where it can be shown."""
    import yaml

    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)
    typer.echo(text if shows(text) else yaml.safe_dump_all(documents, sort_keys=False), nl=False)


def program() -> str:
    """What a person types to start this program again: its name where the shell finds it, else its path."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{typed(Path(sys.executable))} -m trainjobs"
    found = shutil.which("trainjobs")
    if started.name != "trainjobs" or (found and Path(found).samefile(started)):
        return "trainjobs"
    return typed(started)


def typed(path: Path) -> str:
    """`path` as it is typed into a shell."""
    return shlex.quote(shown(path))


def shown(path: Path) -> str:
    """`path` relative to where the user stands, if it lies below."""
    here, path = Path.cwd(), path.absolute()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def error_line(text: str) -> None:
    """Write one line to standard error."""
    typer.secho(text, err=True, fg="red" if sys.stderr.isatty() else None)


def note_line(text: str) -> None:
    """Write one line to standard error that says nothing is wrong."""
    typer.echo(text, err=True)


def fail(error: TrainjobsError) -> NoReturn:
    """Print an error's line, or its lines where it names several faults, and exit with its code."""
    for line in str(error).splitlines() or [error.reason]:
        error_line(f"error: {line}")
    raise SystemExit(error.exit_code)


def hide_traces() -> None:
    """From now on an error that nobody expected is one line, too: a defect, and how to see where."""

    def hook(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        words = " ".join(str(error).split())
        error_line(
            f"error: a defect of trainjobs: {kind.__name__}: {words} (run again with --debug for the trace)"
        )

    sys.excepthook = hook

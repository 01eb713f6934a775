"""What the documentation tells people to type is there: every verb and every option, and the way to them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from trainjobs.cli.app import app

TOP = Path(__file__).parents[3]
PAGES = [
    TOP / "README.md",
    *sorted((TOP / "docs").glob("*.md")),
    *sorted((TOP / "examples").rglob("README.md")),
]
COMMAND = re.compile(r"(?:^\s+(?:\w+ \w\$ )?|^|`|\| )trainjobs ([a-z][^`|\n]*)", re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `trainjobs …` that stands in a block or between backticks."""
    found = []
    for match in COMMAND.finditer(page.read_text(encoding="utf-8")):
        # What stands behind two spaces or `#` explains the command.
        words = re.split(r"\s{2,}|\s#|…", match[1])[0]
        found.append(shlex.split(words))
    return [arguments for arguments in found if arguments]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_command_of_the_documentation_is_there_with_its_options(page: Path) -> None:
    for arguments in commands(page):
        group = typer.main.get_command(app)
        assert isinstance(group, TyperGroup)
        context = group.make_context("trainjobs", [], resilient_parsing=True)
        name, command, rest = group.resolve_command(context, list(arguments))
        if isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None, arguments
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= known, f"{name}: {given - known}"


def test_the_readme_says_how_a_shell_finds_the_program_before_it_uses_it() -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^((?: {4}.*\n)*? {4})trainjobs run ", text, re.MULTILINE)
    assert block is not None
    assert ". .venv/bin/activate" in block[1]
    shell = f". {shlex.quote(str(Path(sys.prefix, 'bin', 'activate')))} && command -v trainjobs"
    found = subprocess.run(["sh", "-c", shell], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert Path(found.stdout.strip()).samefile(Path(sys.prefix, "bin", "trainjobs"))

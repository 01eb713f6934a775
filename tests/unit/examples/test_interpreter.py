"""A script that was started with a wrong interpreter says so in one line."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.examples.conftest import EXAMPLE

SCRIPTS = sorted(path for path in EXAMPLE.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_without_trainjobs_a_script_says_in_one_line_what_to_do(script: Path) -> None:
    # Without its site-packages an interpreter is one that trainjobs was never installed for.
    ended = subprocess.run([sys.executable, "-S", script], env={}, capture_output=True, text=True)
    assert ended.returncode == 2
    assert re.fullmatch(
        rf"error: {script.name}: .*python.* has no trainjobs; run make install in /.*, "
        r"and start it with .*\.venv/bin/python\n",
        ended.stderr,
    ), ended.stderr


@pytest.mark.parametrize("script", [*SCRIPTS, EXAMPLE / "interpreter.py"], ids=lambda path: path.name)
def test_an_old_python_comes_as_far_as_the_line_that_refuses_it(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 6))
    first = next(node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
    if script.name == "interpreter.py":
        assert ast.unparse(tree.body[-1]) == "need()"
    else:
        assert ast.unparse(first) == "import interpreter"

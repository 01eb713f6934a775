"""Programs start without torch: an agent leaves the memory to the training, an operator's image has none."""

import subprocess
import sys

import pytest

# Every module of a program, imported as far as it goes before anybody calls it.
IMPORT_ALL = """
import importlib, pkgutil, sys
program = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(program.__path__, sys.argv[1] + '.'):
    if not found.name.endswith('__main__'):
        importlib.import_module(found.name)
print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules])
"""


@pytest.mark.parametrize("program", ["agent", "cli", "controller", "local"])
def test_a_program_starts_without_torch(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, f"trainjobs.{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr

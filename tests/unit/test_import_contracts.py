"""The contracts between the parts refuse what they are there to refuse.

Each test copies the source, adds one import that the design forbids, and expects import-linter to name it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = [
    ("core/added.py", "import os"),
    ("core/added.py", "from time import monotonic"),
    ("core/added.py", "import random"),
    ("core/added.py", "import logging"),
    ("core/added.py", "import torch"),
    ("core/added.py", "from trainjobs.storage import added"),
    ("api/added.py", "import boto3"),
    ("api/added.py", "import os.path"),
    ("api/added.py", "from trainjobs import core"),
    ("storage/added.py", "def load():\n    import torch"),
    ("storage/added.py", "import kopf"),
    ("errors.py", "from trainjobs import api"),
    ("utils.py", ""),
]


def check(source: Path, repo: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts on a copy of its source."""
    linter = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", linter, "--no-cache", "--config", str(repo / "pyproject.toml")],
        cwd=source,
        env={"PYTHONPATH": str(source), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def source(repo: Path, tmp_path: Path) -> Path:
    shutil.copytree(
        repo / "src" / "trainjobs", tmp_path / "trainjobs", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in ("storage", "core", "api"):
        (tmp_path / "trainjobs" / folder).mkdir(exist_ok=True)
        (tmp_path / "trainjobs" / folder / "__init__.py").touch()
    (tmp_path / "trainjobs" / "storage" / "added.py").touch()
    return tmp_path


def test_the_source_as_it_is_keeps_every_contract(source: Path, repo: Path) -> None:
    answer = check(source, repo)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " 0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("path", "line"), FORBIDDEN, ids=lambda value: value.splitlines()[-1].strip() if value else "utils"
)
def test_an_import_that_the_design_forbids_is_refused(source: Path, repo: Path, path: str, line: str) -> None:
    with (source / "trainjobs" / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    answer = check(source, repo)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert f"trainjobs.{path.removesuffix('.py').replace('/', '.')}" in answer.stdout


def test_torch_may_be_imported_in_ml(source: Path, repo: Path) -> None:
    folder = source / "trainjobs" / "ml"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "added.py").write_text("import torch\nfrom transformers import Trainer\n", encoding="utf-8")
    answer = check(source, repo)
    assert answer.returncode == 0, answer.stdout + answer.stderr

"""`pip install 'trainjobs[train]'` from a built wheel is all that it takes to train."""

import os
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cli.conftest import Bench
from tests.cli.test_trained import base, manifest  # noqa: F401

pytestmark = pytest.mark.acceptance

TOP = Path(__file__).parents[2]


def uv(*arguments: str | Path) -> None:
    """The pinned uv that installs this environment."""
    pinned = next(
        line for line in (TOP / "hack/uv-requirements.txt").read_text().splitlines() if "uv==" in line
    )
    version = pinned.split()[0].removeprefix("uv==")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = cache / "trainjobs" / f"uv-{version}" / "bin" / "uv"
    done = subprocess.run([program, *arguments], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def needed(requirements: list[str], extras: frozenset[str], seen: dict[str, Distribution]) -> None:
    """Add what requirements name, and what that needs in turn; each as new as it has to be."""
    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        found = distribution(requirement.name)
        assert requirement.specifier.contains(found.version, prereleases=True), text
        name = found.metadata["Name"]
        if name not in seen:
            seen[name] = found
            needed(found.requires or [], frozenset(requirement.extras), seen)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin of an environment with the wheel and what its extra `train` names, and nothing else.

    What is needed is here already, gigabytes of it: it is linked, not fetched again.
    """
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", folder)
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    wheel = next(folder.glob("*.whl"))
    uv("pip", "install", "--quiet", "--no-deps", "--python", folder / "venv/bin/python", f"{wheel}[train]")
    site = next((folder / "venv/lib").glob("python*/site-packages"))
    info = next(site.glob("trainjobs-*.dist-info"))
    seen: dict[str, Distribution] = {}
    needed(Distribution.at(info).requires or [], frozenset({"train"}), seen)
    for found in seen.values():
        for part in {
            file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")
        }:
            link = site / part
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(part))))
    return folder / "venv/bin"


def test_what_the_wheel_installs_trains_evaluates_and_reports(
    installed: Path,
    bench: Bench,
    base: Path,  # noqa: F811
) -> None:
    file = manifest(bench, base, training={"maxSteps": 2, "epochs": None})
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (["run", file], ["score", bench.place("tiny"), "--text", "good film"]):
        done = subprocess.run(
            [installed / "trainjobs", *arguments], cwd=bench.folder, env=clean, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert "<html" in (bench.place("tiny") / "artifacts/report-a0001/report.html").read_text()


def test_the_environment_of_the_wheel_is_no_other(installed: Path) -> None:
    code = "import trainjobs; print(trainjobs.__file__)\nimport pytest"
    done = subprocess.run([installed / "python", "-c", code], capture_output=True, text=True)
    assert str(installed.parent) in done.stdout
    assert "No module named 'pytest'" in done.stderr

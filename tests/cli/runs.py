"""What a local run has come to, as its folder says."""

import json
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import Bench


def until(what: str, holds: Any, seconds: float = 240) -> None:  # any test of the world
    """Wait until `holds()`, or fail saying what did not happen."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.1)


def status(bench: Bench, name: str = "light") -> dict[str, Any]:
    """What the run's status file says."""
    loaded: dict[str, Any] = json.loads((bench.place(name) / "status.json").read_text())
    return loaded


def stored(place: Path) -> list[str]:
    """Names of complete checkpoints."""
    return sorted(manifest.parent.name for manifest in place.glob("checkpoints/*/MANIFEST.json"))

"""What Kubernetes' types and its Pod Security admission say of rendered objects: the program in `go/`."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.go_tools import tool

MODULE = Path(__file__).parent / "go"


@dataclass(frozen=True)
class Verdict:
    """What a strict decoder refuses of an object, and what the restricted standard forbids of its pods."""

    decoding: tuple[str, ...]
    forbidden: tuple[str, ...]


def judge(objects: Sequence[Any]) -> list[Verdict]:
    """Judge objects, in their order."""
    done = subprocess.run([program()], input=json.dumps(list(objects)), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"objectcheck: {done.stderr}")
    return [Verdict(tuple(one["decoding"]), tuple(one["forbidden"])) for one in json.loads(done.stdout)]


def program() -> Path:
    """The checker, built where the cache has none of these sources."""
    sources = b"".join((MODULE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    return tool("objectcheck", ".", hashlib.sha256(sources).hexdigest()[:12], module=MODULE)

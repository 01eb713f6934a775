"""What an API server would say, asked of its own code: the Go program in `go/`."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.go_tools import tool

MODULE = Path(__file__).parent / "go"
CRDS = Path(__file__).resolve().parents[2] / "crds"


@dataclass(frozen=True)
class Case:
    """An object to create or, with `old`, to change."""

    object: dict[str, Any]
    old: dict[str, Any] | None = None


@dataclass(frozen=True)
class Refusal:
    """One error of the API server."""

    field: str
    type: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """The answer to a case: errors, fields that strict validation refuses, and the object as it is stored."""

    errors: tuple[Refusal, ...]
    unknown: tuple[str, ...]
    object: dict[str, Any]

    @property
    def refused(self) -> bool:
        return bool(self.errors or self.unknown)


@dataclass(frozen=True)
class Answer:
    """What is wrong with each definition, and the verdicts in the order of the cases."""

    definitions: dict[str, tuple[Refusal, ...]]
    verdicts: tuple[Verdict, ...]


def ask(cases: Sequence[Case] = (), definitions: Sequence[str] | None = None) -> Answer:
    """Judge definitions, by default those checked in, and cases under them."""
    texts = [path.read_text() for path in sorted(CRDS.glob("*.yaml"))] if definitions is None else definitions
    question = {
        "definitions": list(texts),
        "cases": [{"object": case.object, "old": case.old} for case in cases],
    }
    answer = _run(question)
    return Answer(
        {name: _refusals(errors) for name, errors in answer["definitions"].items()},
        tuple(
            Verdict(_refusals(one["errors"]), tuple(one["unknown"]), one["object"]) for one in answer["cases"]
        ),
    )


def as_kubectl_reads(texts: Sequence[str]) -> list[str | None]:
    """Return the JSON that kubectl makes of each YAML text; None where it refuses it."""
    answer = _run({"texts": list(texts)})
    return [None if one["error"] else one["json"] for one in answer["texts"]]


def as_quantities(texts: Sequence[str]) -> list[bool]:
    """Return of each text whether Kubernetes' own type takes it for a quantity."""
    return list(_run({"quantities": list(texts)})["quantities"] or [])


def _run(question: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [program()], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"crdcheck: {done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _refusals(errors: list[dict[str, str]]) -> tuple[Refusal, ...]:
    return tuple(Refusal(error["field"], error["type"], error["message"]) for error in errors)


def program() -> Path:
    """The checker, built where the cache has none of these sources."""
    sources = b"".join((MODULE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    return tool("crdcheck", ".", hashlib.sha256(sources).hexdigest()[:12], module=MODULE)


if __name__ == "__main__":
    # Before the tests, whose time is limited.
    program()

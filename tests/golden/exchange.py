"""Writes what programs of this version write for each other: `python -m tests.golden.exchange FOLDER`."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from tests.golden.filled import WHEN, filled
from tests.golden.generate import ROOT
from trainjobs.api.exchanged import Exchanged
from trainjobs.api.status import RunStatus
from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.checkpoints.resumption import Resumption
from trainjobs.core.checkpoints.turn import Turn

FOLDER = ROOT / "tests" / "golden" / "exchanged"
"""A folder a version."""
SOURCE = ROOT / "src"


def models() -> dict[str, type[Exchanged]]:
    """Name of the file → every model that programs write for each other."""
    for path in SOURCE.rglob("*.py"):
        if "Exchanged)" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return {to_snake(one.__name__).replace("_", "-"): one for one in _below(Exchanged)}


def _below(model: type[Exchanged]) -> Iterator[type[Exchanged]]:
    for one in model.__subclasses__():
        if one.__module__.startswith("trainjobs.") and one.model_fields and not _is_of_people(one):
            yield one
        yield from _below(one)


def _is_of_people(model: type[BaseModel]) -> bool:
    """Runs, and what is read of one (of a private name), people write; programs write its status."""
    return model.__name__.startswith("_") or "Run" in {base.__name__ for base in model.__mro__}


def claim() -> Claim:
    """A claim with everything in it."""
    return Claim(attempt=3, job_uid="job-3", pod_uid="pod-3-0", created=WHEN)


def resumption() -> Resumption:
    """A record of where an attempt goes on, with everything in it."""
    return Resumption(attempt=3, resume=CheckpointRef(step=200, attempt=2), created=WHEN)


def finding() -> Finding:
    """What a node found damaged, with everything in it."""
    return Finding(attempt=3, node=1, checkpoint=CheckpointRef(200, 2), problem="cut off", created=WHEN)


def turn() -> Turn:
    """Which checkpoint an attempt's nodes store, with everything in it."""
    return Turn(
        attempt=3,
        step=200,
        waiting=frozenset({210, 220}),
        files=frozenset({"model.safetensors", "optimizer/rank-0.pt"}),
    )


def manifest() -> Manifest:
    """A manifest with everything in it."""
    return Manifest(
        files=(
            FileEntry("model.safetensors", 4096, "ab" * 32),
            FileEntry("optimizer/rank-0.pt", 8192, "cd" * 32),
        ),
        attempt=2,
        step=200,
        created=WHEN,
        metrics=MappingProxyType({"eval_loss": 0.25, "eval_perplexity": float("inf")}),
    )


def written() -> dict[str, str]:
    """Name of the file → its text, for every document."""
    found = {
        "claim.json": claim().to_json().decode(),
        "finding.json": finding().to_json().decode(),
        "manifest.json": manifest().to_json().decode(),
        "resumption.json": resumption().to_json().decode(),
        "turn.json": turn().to_json().decode(),
    }
    for name, model in models().items():
        one = model.from_document(filled(model))
        document = (
            one.document() if isinstance(one, RunStatus) else one.model_dump(mode="json", by_alias=True)
        )
        found[f"{name}.json"] = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written().items():
        (folder / name).write_text(text, encoding="utf-8")

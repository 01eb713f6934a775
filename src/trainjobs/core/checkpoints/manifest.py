"""The manifest: the last object written of a checkpoint, and the proof that the others are whole.

SHA-256 for the files: every machine can check it by hand (`sha256sum`), processors compute it in
hardware, and S3 signs requests with it, so no second library is needed. The manifest carries a
digest of itself too: a flipped bit in a step or a metric is found as surely as one in a weight.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from trainjobs.core.checkpoints.layout import MANIFEST, safe_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint, InvalidRecipe

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


def entry_path(path: str) -> str:
    """Return `path` unchanged if a file of a checkpoint may have it.

    Raises:
        InvalidRecipe: it leaves the folder, or is the manifest's own.
    """
    if path == MANIFEST:
        raise InvalidRecipe(f"the name {MANIFEST} is kept for the manifest itself: rename the file")
    return safe_key(path)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path under the checkpoint's folder, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        entry_path(self.path)
        if self.size < 0 or not _SHA256.fullmatch(self.sha256):
            raise InvalidRecipe(
                f"file {self.path}: size {self.size} or checksum {self.sha256!r:.80} is wrong"
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a complete checkpoint or artifact consists of."""

    files: tuple[FileEntry, ...]
    attempt: int
    step: int
    created: datetime
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Evaluation figures at that step; retention picks the best by them."""
    nodes: int = 1
    """How many nodes stored a part of it; with several, paths say whose a file is (`checkpoints.parts`)."""

    def __post_init__(self) -> None:
        if self.created.tzinfo is None:
            raise ValueError("created has no time zone")
        paths = [entry.path for entry in self.files]
        if len(set(paths)) != len(paths):
            raise InvalidRecipe("a file is named twice in one manifest")

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.files)

    def to_json(self) -> bytes:
        """Return the manifest as UTF-8 JSON, its digest included."""
        body = self._body()
        return json.dumps({**body, "digest": _digest(body)}, indent=1).encode() + b"\n"

    def _body(self) -> dict[str, object]:
        ordered = sorted(self.files, key=lambda entry: entry.path)
        return {
            "format": FORMAT,
            "step": self.step,
            "attempt": self.attempt,
            "nodes": self.nodes,
            "created": self.created.isoformat(),
            "metrics": {name: _number(self.metrics[name]) for name in sorted(self.metrics)},
            "files": [{"path": e.path, "size": e.size, "sha256": e.sha256} for e in ordered],
        }

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Manifest":
        """Read a manifest back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not whole, not ours, or names a path outside its folder.
        """
        fields = Fields.of_format(FORMAT, data, source)
        found = _digest({k: v for k, v in fields.items() if k != "digest"})
        if fields.text("digest") != found:
            raise fields.error(f"its digest does not match ({found[:16]}…): it was damaged or edited")
        try:
            return cls(
                files=tuple(
                    FileEntry(entry.text("path"), entry.integer("size"), entry.text("sha256"))
                    for entry in fields.objects("files")
                ),
                attempt=fields.integer("attempt"),
                step=fields.integer("step"),
                created=fields.time("created"),
                metrics=MappingProxyType(fields.numbers("metrics")),
                nodes=fields.integer("nodes"),
            )
        except (InvalidRecipe, ValueError) as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error


def _digest(body: Mapping[str, object]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _number(value: float) -> float | str:
    # JSON has no NaN or infinity; a diverged metric must not make the checkpoint unreadable.
    return value if math.isfinite(value) else str(value)

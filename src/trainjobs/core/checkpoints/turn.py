"""Which checkpoint of an attempt the nodes store now, where each has a part: node 0 says so, one at a time.

Uploads may be slower than saves, and every node passes over what it has no time for. A checkpoint needs all
its parts, so one node chooses for all; the others keep what may still be chosen.
"""

import json
from dataclasses import dataclass

from trainjobs.core.checkpoints.layout import turn_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """What node 0 stores, and what the other nodes are to store with it."""

    attempt: int
    step: int | None
    """None: no other checkpoint of this attempt follows."""
    waiting: frozenset[int] = frozenset()
    """Steps that may be next, besides newer ones. The others up to those node 0 has passed over."""
    files: frozenset[str] = frozenset()
    """Node 0's own. Of two files of one name node 0's counts, so that nobody else need store it."""

    def __post_init__(self) -> None:
        turn_key(self.attempt)

    def passes(self, step: int) -> bool:
        """Whether a step is not, and will not be, stored: node 0 has gone on."""
        if self.step is None:
            return True
        wanted = {self.step, *self.waiting}
        return step <= max(wanted) and step not in wanted

    def to_json(self) -> bytes:
        """Return it as UTF-8 JSON."""
        body = {
            "format": FORMAT,
            "attempt": self.attempt,
            "step": self.step,
            "waiting": sorted(self.waiting),
            "files": sorted(self.files),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Turn":
        """Read it back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not whole, or of an unknown format.
        """
        fields = Fields.of_format(FORMAT, data, source)
        try:
            return cls(
                attempt=fields.integer("attempt"),
                step=None if fields.values.get("step") is None else fields.integer("step"),
                waiting=frozenset(fields.integers("waiting")),
                files=frozenset(fields.texts("files")),
            )
        except ValueError as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error

"""`trainjobs-data.json`: which data a checkpoint was trained on, and on which side each row stood."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field, ValidationError

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.errors import CorruptCheckpoint
from trainjobs.ml.data.splits import Split

DATA_RECORD: Final = "trainjobs-data.json"


class SplitRecord(Section):
    """The bounds of `trainjobs.ml.data.splits.Split`."""

    seed: int
    validated: int
    learned: int


class DataRecord(Section, Exchanged):
    """In every checkpoint's folder."""

    beyond: ClassVar[Beyond] = "Refused"

    run: str
    """UID of the run that trained it."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of every file of training and validation rows, by `train/…` and `eval/…`."""
    split: SplitRecord | None = None
    """How validation rows were set aside; nothing where none were."""

    @classmethod
    def of(cls, run: str, files: dict[str, str], bounds: Split | None) -> "DataRecord":
        """Put together what is recorded of a training's data."""
        split = None
        if bounds is not None:
            split = SplitRecord(seed=bounds.seed, validated=bounds.validated, learned=bounds.learned)
        return cls(run=run, files=files, split=split)

    @property
    def bounds(self) -> Split | None:
        """The split, as rows are assigned by it."""
        split = self.split
        return None if split is None else Split(split.seed, split.validated, split.learned)

    @classmethod
    def load(cls, checkpoint: Path) -> "DataRecord":
        """Read it from a checkpoint's folder. CorruptCheckpoint when it is not there or not readable."""
        path = checkpoint / DATA_RECORD
        try:
            return cls.from_json(path.read_bytes())
        except OSError as error:
            raise CorruptCheckpoint(
                f"{checkpoint} has no {DATA_RECORD}: resume from another checkpoint"
            ) from error
        except ValidationError as error:
            raise CorruptCheckpoint(f"{path}: damaged; resume from another checkpoint") from error


def differences(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    """Yield what is not as it was, one line for each file (`train/rows.jsonl`)."""
    for name in sorted({*before, *now}):
        side, file = name.split("/", 1)
        was, is_now = before.get(name), now.get(name)
        if was is None:
            yield f"spec.dataset.{side}: {file} is new"
        elif is_now is None:
            yield f"spec.dataset.{side}: {file} is gone"
        elif was != is_now:
            yield f"spec.dataset.{side}: {file} has changed (SHA-256 {was[:8]}…, now {is_now[:8]}…)"

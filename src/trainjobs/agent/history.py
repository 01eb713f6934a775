"""Follows `metrics.jsonl` as training appends to it."""

from pathlib import Path

from pydantic import ValidationError

from trainjobs.core.metrics_history import MetricRecord


class HistoryTail:
    """Reads a growing file of records, each line once; those of attempts before this one are passed over."""

    def __init__(self, path: Path, attempt: int) -> None:
        self._path = path
        self._attempt = attempt
        self._read = 0

    def skip(self) -> None:
        """Leave out what is there already: an earlier attempt wrote it."""
        self._read = self._size()

    def new_records(self) -> tuple[MetricRecord, ...]:
        """Return the records of whole lines that were added; a line that is no record is passed over."""
        size = self._size()
        if size < self._read:
            # A resumed training cuts off what lies after its resume step.
            self._read = size
        if size == self._read:
            return ()
        with self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        records = (_record(line) for line in whole.splitlines())
        return tuple(record for record in records if record is not None and record.attempt >= self._attempt)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def _record(line: bytes) -> MetricRecord | None:
    try:
        return MetricRecord.from_json(line)
    except ValidationError:
        return None

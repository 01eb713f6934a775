"""The complete checkpoints of a run as rows, for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from trainjobs.api.checkpoints import KeepBest
from trainjobs.cli.stored import best_of
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, candidates
from trainjobs.storage.checkpoints import CheckpointStore

METRICS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One complete checkpoint; `marks` are of `latest`, `best`, `resume`."""

    ref: CheckpointRef
    uri: str
    size: int
    created: datetime
    metrics: Mapping[str, float]
    marks: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The row for programs."""
        return {
            "name": self.ref.name,
            "step": self.ref.step,
            "attempt": self.ref.attempt,
            "uri": self.uri,
            "bytes": self.size,
            "time": self.created.astimezone(UTC).isoformat(),
            "metrics": dict(self.metrics),
            **{mark: mark in self.marks for mark in ("latest", "best", "resume")},
        }


def rows(store: CheckpointStore, keep_best: KeepBest) -> list[Row]:
    """Return the checkpoints that count, oldest first."""
    complete = store.complete()
    marked = {
        "latest": max(complete, default=None),
        "best": best_of(complete, keep_best),
        "resume": candidates(Resume.AUTO, tuple(complete))[0],
    }
    return [
        Row(
            ref=ref,
            uri=f"{store.store.uri}/{ref.folder}",
            size=manifest.size,
            created=manifest.created,
            metrics=manifest.metrics,
            marks=tuple(mark for mark, chosen in marked.items() if chosen == ref),
        )
        for ref, manifest in complete.items()
    ]


def table(found: list[Row]) -> Table:
    """The rows for people; of many metrics the first few by name."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("STEP", "ATTEMPT", "SIZE"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("TIME", "METRICS", ""):
        shown.add_column(heading, overflow="fold")
    for row in found:
        figures = [f"{name}={row.metrics[name]:.4g}" for name in sorted(row.metrics)]
        more = ["…"] if len(figures) > METRICS_SHOWN else []
        shown.add_row(
            str(row.ref.step),
            str(row.ref.attempt),
            size_text(row.size),
            row.created.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            " ".join(figures[:METRICS_SHOWN] + more),
            " ".join(row.marks),
        )
    return shown


def size_text(size: float) -> str:
    """`1536` → `1.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"

"""Which checkpoints count: those on the line of attempts, each going on from one before it.

Only checkpoints on that line are resumed from: what an older attempt managed to write after another
had taken its place and saved is not.
"""

from collections.abc import Collection

from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resumption import Resumption


def on_the_line(
    stored: Collection[CheckpointRef], resumptions: Collection[Resumption]
) -> frozenset[CheckpointRef]:
    """Return the checkpoints that count: those on the line back from the newest attempt that has saved.

    Its own checkpoints count; of the attempt that it resumed from, those up to its resume point; and so
    on. An attempt that began anew ends the line. One that has saved nothing is no part of it, whatever
    it chose: what it passed over may come back whole for the next one, and a step 0 of its own is
    nothing to give a checkpoint up for. Where a record is missing or unreadable the line is not known,
    and every older checkpoint counts: nothing is lost by doubt.

    Args:
        stored: checkpoints that have a manifest.
        resumptions: the records that can be read.
    """
    records = {record.attempt: record for record in resumptions}
    attempt = max((ref.attempt for ref in stored), default=0)
    last_step: int | None = None
    counting: set[CheckpointRef] = set()
    while True:
        mine = (ref for ref in stored if ref.attempt == attempt)
        counting.update(ref for ref in mine if last_step is None or ref.step <= last_step)
        record = records.get(attempt)
        if record is None:
            return frozenset(counting.union(ref for ref in stored if ref.attempt < attempt))
        # A record can only name an older attempt: anything else is damage, and would loop for ever.
        if not isinstance(record.resume, CheckpointRef) or record.resume.attempt >= attempt:
            return frozenset(counting)
        attempt, last_step = record.resume.attempt, record.resume.step

"""What a run of the light script leaves in storage."""

import json
from dataclasses import dataclass

from tests.cluster.bench import BUCKET, Bench
from tests.harness.s3 import S3Account
from trainjobs.core.checkpoints.layout import CheckpointRef, run_prefix
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.store import Store


@dataclass(frozen=True, slots=True)
class Stored:
    """One run's own folder."""

    folder: Store

    @property
    def store(self) -> CheckpointStore:
        """The folder as agents see it."""
        return CheckpointStore(self.folder)

    def weight(self) -> float:
        """The number that the run has learned."""
        return float(json.loads(self.folder.get(f"{self.store.artifacts()['model']}/config.json"))["weight"])

    def newest(self) -> int:
        """The step of the newest complete checkpoint; 0 for none."""
        return max((ref.step for ref in self.store.complete()), default=0)

    def resumed(self, attempt: int) -> int:
        """The step that an attempt went on from; 0 where it began anew."""
        found = self.store.attempts.resumption_of(attempt)
        assert found is not None, f"attempt {attempt} never began"
        return found.resume.step if isinstance(found.resume, CheckpointRef) else 0

    def complete(self, attempt: int) -> set[int]:
        """The steps of an attempt's complete checkpoints that count."""
        return {ref.step for ref in self.store.complete() if ref.attempt == attempt}


def stored(bench: Bench, name: str, s3: S3Account | None = None) -> Stored:
    """The folder of a run, in the cluster's server or one of the test's own."""
    prefix = run_prefix(
        namespace=bench.namespace, kind="RewardModelRun", name=name, uid=bench.run(name)["metadata"]["uid"]
    )
    return Stored((s3 or bench.cluster.s3).open(f"s3://{BUCKET}/{prefix}"))


def undisturbed(steps: int) -> float:
    """What `trains.py` learns in so many steps when nothing disturbs it, to the last bit."""
    weight = 0.0
    for _ in range(steps):
        weight += 0.1 * (3.0 - weight)
    return weight

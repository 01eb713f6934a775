"""How long training stands still for checkpoints, staging included, while they go to storage beside it.

Every round trains the example on real ratings twice: once saving every few steps to an S3 server on this
machine (or, with `--storage file`, to a folder), once only at its end. The stall is what training itself
measured between asking for a checkpoint and going on with its next step. The time of both sides is shown
beside it: where training uses every processor, the uploads' own work is in there too.

    python benchmarks/bench_checkpoint_stall.py --steps 90 --every 30 --rounds 3
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from measuring import EXAMPLE, arguments, machine, prepare_ratings, spread

from tests.harness.versitygw import s3_server
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

MANIFEST = EXAMPLE / "review-ratings.yaml"
NEVER = 1_000_000


@dataclass(frozen=True)
class Trained:
    """What one training took."""

    seconds: float
    blocked: float
    checkpoints: int


@dataclass(frozen=True)
class Bench:
    folder: Path
    uri: str
    steps: int

    def train(self, name: str, every: int) -> Trained:
        """Train so many steps with a checkpoint after every so many; the last step has one of its own."""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(self.manifest(name, every)))
        program = [sys.executable, "-m", "trainjobs", "run", str(file), "--root", str(self.folder / "runs")]
        done = subprocess.run([*program, "--output", "json"], stdout=subprocess.PIPE, check=True)
        [run] = json.loads(done.stdout)
        store = run["status"]["artifacts"]["report"].rpartition("/artifacts/")[0]
        CheckpointStore(open_store(store)).get_artifact("report", self.folder / name)
        stats = json.loads((self.folder / name / "training_stats.json").read_text())
        return Trained(stats["seconds"], stats["blockedSeconds"], len(stats["checkpoints"]))

    def manifest(self, name: str, every: int) -> dict[str, Any]:
        """The example's manifest, shortened, with its inputs by their absolute paths."""
        manifest: dict[str, Any] = yaml.safe_load(
            MANIFEST.read_text().replace("file://./", f"{EXAMPLE.as_uri()}/")
        )
        spec = manifest["spec"]
        manifest["metadata"]["name"] = name
        spec["training"] |= {"epochs": None, "maxSteps": self.steps}
        # Neither side validates: it would hide what is compared. The model's figures are of no interest.
        spec["dataset"] |= {"evalFraction": 0.0, "test": None}
        spec["checkpoints"] = {"saveEverySteps": every, "storage": {"uri": self.uri}}
        return manifest


@contextlib.contextmanager
def storage(kind: str, folder: Path) -> Iterator[str]:
    """The URI of a place for checkpoints."""
    if kind == "file":
        yield (folder / "stored").as_uri()
        return
    with s3_server(folder / "buckets") as server:
        os.environ |= server.environment
        yield server.make_bucket("checkpoints")


def measure(kind: str, steps: int, every: int, rounds: int) -> list[tuple[Trained, Trained]]:
    """Of every round, the training with checkpoints and the one without."""
    found = []
    for number in range(rounds):
        # A round's runs go away with its folder: they are 2 GB.
        with tempfile.TemporaryDirectory() as name, storage(kind, Path(name)) as uri:
            bench = Bench(Path(name), uri, steps)
            order = [("saving", every), ("plain", NEVER)]
            # Who comes first is not always the same.
            trained = {name: bench.train(name, each) for name, each in (order if number % 2 else order[::-1])}
            found.append((trained["saving"], trained["plain"]))
    return found


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--storage", choices=["s3", "file"], default="s3")
    given = parser.parse_args()
    prepare_ratings()
    size = machine()
    rounds = measure(given.storage, given.steps, given.every, given.rounds)
    saving, plain = [one for one, _ in rounds], [other for _, other in rounds]
    print(
        f"{given.steps} steps, a checkpoint every {given.every}, {given.rounds} rounds, "
        f"{given.storage}; {size}"
    )
    print(f"{'':42}median (lowest…highest)")
    for words, values, form in (
        ("training without checkpoints, seconds", [one.seconds for one in plain], ".1f"),
        ("training with checkpoints, seconds", [one.seconds for one in saving], ".1f"),
        ("ratio of the two", [a.seconds / b.seconds for a, b in rounds], ".3f"),
        ("stall of one checkpoint, seconds", [one.blocked / one.checkpoints for one in saving], ".3f"),
        ("stalls as a share of training", [one.blocked / one.seconds for one in saving], ".2%"),
    ):
        print(f"{words:42}{spread(values, form)}")
    step = statistics.median(one.seconds for one in plain) / given.steps
    stall = statistics.median(one.blocked / one.checkpoints for one in saving)
    print(
        f"A checkpoint every {max(1, round(100 * stall / step))} steps or less often keeps stalls below 1 %."
    )


if __name__ == "__main__":
    main()

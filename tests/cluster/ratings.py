"""The ratings example in the cluster: its manifest, its inputs in the cluster's S3, and the same run here."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.bench import BUCKET, Bench
from tests.cluster.project_images import ROOT
from trainjobs.api.yaml_documents import documents
from trainjobs.core.checkpoints.layout import run_prefix
from trainjobs.core.uris import file_uri

EXAMPLE = ROOT / "examples" / "reward-model" / "review-ratings.yaml"
PREPARE = EXAMPLE.with_name("prepare_review_ratings.py")
NODES = 2
STEPS = 240
SAVE_EVERY = 10
TEXTS = ("A quiet masterpiece.", "Two hours of my life that nobody will give back to me.")
# The same arithmetic here as in pods: sums of several threads differ in their last bits.
THREADS = {"OMP_NUM_THREADS": "1"}

# Runs in a pod: signals the processes that train, not torchrun or the agent above them.
_SIGNAL = """
import os, pathlib, sys
found = 0
for place in pathlib.Path("/proc").glob("[0-9]*"):
    words = (place / "cmdline").read_bytes().split(bytes(1))
    if b"trainjobs.ml.training" in words and b"torch.distributed.run" not in words:
        os.kill(int(place.name), int(sys.argv[1]))
        found += 1
print(found)
"""


def prepare_inputs(folder: Path) -> Path:
    """The encoder and the ratings, as the example's own script leaves them."""
    subprocess.run([sys.executable, str(PREPARE), "--inputs", str(folder)], check=True, capture_output=True)
    return folder


@dataclass(frozen=True, slots=True)
class Ratings:
    """The example at a size for tests: two nodes, few steps, a short evaluation."""

    bench: Bench
    inputs: Path

    def upload(self) -> None:
        """Put the inputs into the S3 bucket of the bench's namespace."""
        for name in ("minilm", "review-ratings"):
            self.bench.cluster.s3.put_folder(self.inputs / name, f"s3://{self.bench.namespace}/{name}")

    def manifest(self, name: str, **spec: Mapping[str, Any]) -> dict[str, Any]:
        """The example with its inputs in S3; `spec` goes over its sections."""
        [found] = documents(EXAMPLE.read_text())
        document: dict[str, Any] = json.loads(json.dumps(found.value))
        document["metadata"] = {"name": name, "namespace": self.bench.namespace}
        changes: dict[str, Mapping[str, Any]] = {
            "training": {"epochs": None, "maxSteps": STEPS, "batchSizePerDevice": 8, "logEverySteps": 1},
            "dataset": {"evalFraction": 0.02},
            "checkpoints": {"saveEverySteps": SAVE_EVERY},
            "topology": {"nodes": NODES, "processesPerNode": 1},
            "evaluation": {"bootstrapSamples": 50},
            "runtime": {"env": [{"name": key, "value": value} for key, value in THREADS.items()]},
        }
        for section, change in (*changes.items(), *spec.items()):
            merged = {**document["spec"].get(section, {}), **change}
            document["spec"][section] = {key: value for key, value in merged.items() if value is not None}
        text = json.dumps(document)
        return dict(json.loads(text.replace("file://./inputs/", f"s3://{self.bench.namespace}/")))

    def with_torch(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """`manifest` whose pods have torch, without the trainer's image where there is another way."""
        container: dict[str, Any] = {"name": "pytorch", "volumeMounts": []}
        manifest["spec"]["podTemplate"] = {"spec": {"containers": [container], "volumes": []}}
        self.bench.add_torch(manifest)
        return manifest

    def run_here(self, manifest: Mapping[str, Any], folder: Path) -> Path:
        """Run the same manifest as processes of this machine, inputs from disk; the model's folder."""
        text = json.dumps(manifest).replace(f"s3://{self.bench.namespace}/", f"{file_uri(self.inputs)}/")
        local = json.loads(text)
        local["spec"].pop("podTemplate", None)
        local["spec"]["runtime"].pop("image", None)
        local["metadata"] = {"name": manifest["metadata"]["name"]}
        file = folder / "here.yaml"
        file.write_text(json.dumps(local))
        self._trainjobs("run", str(file), "--root", str(folder / "runs"), "--quiet")
        return (
            folder
            / "runs"
            / "rewardmodelrun"
            / str(manifest["metadata"]["name"])
            / "artifacts"
            / "model-a0001"
        )

    def pull(self, name: str, folder: Path) -> Path:
        """Take the run's model home by `trainjobs pull`."""
        self._trainjobs(
            "pull", self.uri(name), "--model", "--to", str(folder),
            environment=self.bench.cluster.s3.environment,
        )  # fmt: skip
        return folder

    def uri(self, name: str) -> str:
        """Where the run's data is."""
        uid = self.bench.run(name)["metadata"]["uid"]
        prefix = run_prefix(namespace=self.bench.namespace, kind="RewardModelRun", name=name, uid=uid)
        return f"s3://{BUCKET}/{prefix}"

    def scores(self, model: Path) -> list[float]:
        """What a model says of the same few texts."""
        said = self._trainjobs("score", str(model), *_options(TEXTS), "--output", "json")
        return [float(one["overall_score"]) for one in json.loads(said)]

    def table(self, model: Path, texts: Sequence[str]) -> str:
        """What `trainjobs score` prints of some texts."""
        return self._trainjobs("score", str(model), *_options(texts))

    def signal_training(self, pod: Mapping[str, Any], number: int) -> int:
        """Send a signal to the training process of a pod; how many there are."""
        name = pod["metadata"]["name"]
        return int(self.bench.kubectl("exec", name, "--", "python", "-c", _SIGNAL, str(int(number))))

    def _trainjobs(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "trainjobs", *arguments],
            env={**os.environ, **THREADS, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"trainjobs {' '.join(arguments)}: {done.returncode}\n{done.stderr[-3000:]}")
        return done.stdout


def _options(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in ("--text", text)]

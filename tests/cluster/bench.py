"""Runs whose training is a light script, in a namespace of their own: what scenarios work with."""

import json
import signal
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.harness.cluster import Cluster, Unsupported
from tests.cluster.harness.given import GivenCluster
from tests.cluster.harness.manifests import host_volume
from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.project_images import ROOT, TRAINER
from tests.harness.s3 import S3Account
from trainjobs.core.checkpoints.layout import run_prefix

NAMESPACE = "trainjobs-system"
RELEASE = "trainjobs"
CHART = ROOT / "charts" / "trainjobs"
BUCKET = "runs"
SECRET = "bucket"
SCRIPTS = "scripts"
_LIBRARIES = "libraries"
TRAINS = ROOT / "tests" / "data" / "agent" / "trains.py"
_SCRIPT_FOLDER = "/scripts"

# Runs in a pod: signals every process that runs the training script itself.
_SIGNAL = """
import os, pathlib, sys
found = 0
for place in pathlib.Path("/proc").glob("[0-9]*"):
    words = (place / "cmdline").read_bytes().split(bytes(1))
    if len(words) > 1 and words[1].startswith(b"/scripts/"):
        os.kill(int(place.name), int(sys.argv[1]))
        found += 1
print(found)
"""

# What a kind of run needs beside what all have.
_TASKS: dict[str, dict[str, Any]] = {
    "RewardModelRun": {
        "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}}
    },
    "SFTRun": {},
    "RLHFRun": {"algorithm": {"type": "DPO"}},
    "PretrainRun": {},
}

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Bench:
    """One namespace with a Secret for the bucket, inputs in it, and scripts to train with."""

    cluster: Cluster
    namespace: str
    kind: str = "RewardModelRun"

    @property
    def own(self) -> OwnCluster:
        """The cluster, for a test that takes its parts in hand."""
        if not isinstance(self.cluster, OwnCluster):
            raise Unsupported("only a cluster of our own parts lets tests take those in hand")
        return self.cluster

    def of(self, kind: str) -> "Bench":
        """The same for runs of another kind."""
        return replace(self, kind=kind)

    def prepare(self) -> None:
        """Make what runs of this namespace need."""
        s3 = self.cluster.s3
        keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
        scripts = {path.name: path.read_text() for path in (TRAINS, Path(__file__).with_name("bad_row.py"))}
        metadata = {"namespace": self.namespace}
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {**metadata, "name": SECRET},
                "stringData": keys,
            },
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {**metadata, "name": SCRIPTS},
                "data": scripts,
            },
        )
        self.fill(s3)

    def fill(self, s3: S3Account) -> None:
        """Put a model and data into a bucket of this namespace's name."""
        inputs = s3.open(s3.make_bucket(self.namespace))
        inputs.put("base/config.json", b"{}")
        inputs.put("rows.jsonl", b'{"text": "a", "scores": {"accuracy": 1}}\n')

    def leave(self) -> None:
        """Take the namespace away; and what is in storage, where that outlives the cluster's tests."""
        own = isinstance(self.cluster, OwnCluster)
        # Not before the last pod has gone that writes there.
        until = "--wait=false" if own else "--timeout=90s"
        self.cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", until)
        if not own:
            self.cluster.s3.remove_bucket(self.namespace)
            self.cluster.s3.open(f"s3://{BUCKET}").delete_folder(self.namespace)

    def manifest(
        self, name: str, *script: str, spec: Mapping[str, Any] | None = None, file: str = TRAINS.name
    ) -> dict[str, Any]:
        """A run whose nodes run a script of the ConfigMap; `spec` goes over the rest."""
        volume = {"name": SCRIPTS, "configMap": {"name": SCRIPTS}}
        mount = {"name": SCRIPTS, "mountPath": _SCRIPT_FOLDER, "readOnly": True}
        container = {"name": "pytorch", "volumeMounts": [mount]}
        return {
            "apiVersion": "trainjobs.dev/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "baseModel": {"uri": f"s3://{self.namespace}/base"},
                "dataset": {"train": f"s3://{self.namespace}/rows.jsonl"},
                **_TASKS[self.kind],
                "runtime": {"command": [f"{_SCRIPT_FOLDER}/{file}", *script]},
                # Many run side by side on a machine whose disk they share.
                "workspace": {"size": "1Gi"},
                "podTemplate": {"spec": {"containers": [container], "volumes": [volume]}},
                **(spec or {}),
            },
        }

    def add_torch(self, manifest: dict[str, Any]) -> None:
        """Give a run's pods torch, which the operator's image has not.

        By a claim to read this machine's, as the trainer's image is large; from that image where the nodes
        are other machines.
        """
        if isinstance(self.cluster, GivenCluster):
            manifest["spec"]["runtime"]["image"] = TRAINER.on(self.cluster)
            return
        self.cluster.apply(*host_volume(_LIBRARIES, self.namespace, Path(sysconfig.get_path("purelib"))))
        template = manifest["spec"]["podTemplate"]["spec"]
        claim = {"name": _LIBRARIES, "persistentVolumeClaim": {"claimName": _LIBRARIES, "readOnly": True}}
        template["volumes"].append(claim)
        mount = {"name": _LIBRARIES, "mountPath": f"/{_LIBRARIES}", "readOnly": True}
        template["containers"][0]["volumeMounts"].append(mount)
        environment = manifest["spec"]["runtime"].setdefault("env", [])
        environment.append({"name": "PYTHONPATH", "value": f"/{_LIBRARIES}"})

    def apply(
        self, name: str, *script: str, spec: Mapping[str, Any] | None = None, file: str = TRAINS.name
    ) -> None:
        """Apply a run, as people do: `kubectl apply -f`."""
        manifest = self.manifest(name, *script, spec=spec, file=file)
        self.apply_manifest(manifest)

    def apply_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Apply a run that a test has changed."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 150) -> str:
        """Call kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, timeout=timeout)

    def run(self, name: str) -> dict[str, Any]:
        """The run as it stands."""
        return self.cluster.get(self.kind, name, "-n", self.namespace)

    def status(self, name: str) -> dict[str, Any]:
        """Its status; empty before the first."""
        return dict(self.run(name).get("status") or {})

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One of its conditions; empty where there is none of that type."""
        return next((one for one in self.status(name).get("conditions", []) if one["type"] == kind), {})

    def step(self, name: str) -> int:
        """The last step that the status tells of."""
        return int((self.status(name).get("progress") or {}).get("step", 0))

    def pods(self, name: str, attempt: int | None = None) -> list[dict[str, Any]]:
        """Pods of a run, or of one of its attempts, by node."""
        selector = f"trainjobs.dev/run-name={name}"
        if attempt is not None:
            selector += f",trainjobs.dev/attempt={attempt}"
        found = self.cluster.get("pods", "-n", self.namespace, "-l", selector)["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def wait(self, name: str, condition: str, seconds: int = 120) -> None:
        """`kubectl wait`; tells the whole status where the condition does not come."""
        try:
            self.kubectl(
                "wait", f"{self.kind}/{name}", f"--for=condition={condition}", f"--timeout={seconds}s",
                timeout=seconds + 10,
            )  # fmt: skip
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.story(name)}") from None

    def until(self, name: str, found: Callable[[], Found], what: str, seconds: float = 90) -> Found:
        """Wait for something; tells the run's whole status where it does not come."""
        kept: list[Found] = []

        def look() -> bool:
            kept[:] = [found()]
            return bool(kept[0])

        try:
            wait_for(look, what, seconds=seconds, every=0.3)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}\n{self.story(name)}") from None
        return kept[0]

    def until_training(self, name: str, attempt: int = 1, seconds: float = 90) -> dict[str, Any]:
        """Wait until a checkpoint of this run is stored and its attempt makes steps; node 0's pod."""

        def training() -> bool:
            status = self.status(name)
            return (
                status.get("attempt") == attempt
                and bool(status.get("checkpoints", {}).get("latest"))
                and self.condition(name, "Running").get("status") == "True"
                and self.step(name) > 0
            )

        self.until(name, training, f"attempt {attempt} of {name} to make steps", seconds)
        return self.pods(name, attempt)[0]

    def log(self, name: str, attempt: int) -> str:
        """What node 0 of an attempt printed."""
        return self.kubectl("logs", self.pods(name, attempt)[0]["metadata"]["name"])

    def log_or_none(self, name: str, attempt: int) -> str:
        """The same, empty while there is no such pod or it has not started."""
        pods = self.pods(name, attempt)
        if not pods:
            return ""
        return self.cluster.try_kubectl("-n", self.namespace, "logs", pods[0]["metadata"]["name"]).stdout

    def signal_training(self, pod: Mapping[str, Any], number: signal.Signals) -> int:
        """Send a signal to the training processes of a pod, not to their agent; how many there are."""
        done = self.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", _SIGNAL, str(int(number)))
        return int(done)

    def until_gone(self, kind: str, seconds: float) -> None:
        """Wait until the namespace has no object of a kind."""
        wait_for(
            lambda: self.cluster.get(kind, "-n", self.namespace)["items"] == [],
            f"the {kind} of {self.namespace} to go",
            seconds=seconds,
            every=0.5,
        )

    def events(self, name: str) -> list[str]:
        """The reasons of a run's events."""
        selector = f"--field-selector=regarding.name={name}"
        found = self.cluster.get("events.v1.events.k8s.io", "-n", self.namespace, selector)["items"]
        return [event["reason"] for event in sorted(found, key=lambda one: str(one["eventTime"]))]

    def stored(self, name: str, uid: str) -> list[str]:
        """The objects that a run has in storage, without their prefix."""
        prefix = run_prefix(namespace=self.namespace, kind=self.kind, name=name, uid=uid)
        return sorted(one.key for one in self.cluster.s3.open(f"s3://{BUCKET}/{prefix}").list())

    def story(self, name: str) -> str:
        """Everything that helps to see why a test fails."""
        pods = [f"{pod['metadata']['name']} {pod['status'].get('phase')}" for pod in self.pods(name)]
        logs = [
            self.cluster.try_kubectl(
                "-n", self.namespace, "logs", pod["metadata"]["name"], "--tail=15"
            ).stdout
            for pod in self.pods(name)[-2:]
        ]
        return "\n".join([json.dumps(self.status(name), indent=1), *pods, *logs])


def seconds_between(first: str, second: str) -> float:
    """Seconds between two times of the API server's."""
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()

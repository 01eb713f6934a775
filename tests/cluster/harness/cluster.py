"""What tests can do with any cluster, wherever it comes from."""

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.harness import parts
from tests.cluster.harness.sandbox import wait_for
from tests.harness.s3 import S3Account

Manifest = Mapping[str, Any]


class Unsupported(RuntimeError):
    """This kind of cluster cannot do that; the message says which can."""


@dataclass
class Cluster(ABC):
    """A Kubernetes with two nodes or more and training-operator v1, reached by its kubeconfig."""

    kubeconfig: Path

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where tests keep what they have to remember of it; there it is."""

    @property
    @abstractmethod
    def s3(self) -> S3Account:
        """An S3 server that its pods and tests reach at the same address."""

    @abstractmethod
    def stop(self) -> None:
        """End what was started for it, and only that."""

    @abstractmethod
    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:
        """Give an image, as `docker save` writes it, to every node or to those named."""

    def description(self) -> str:
        """What a person needs to use it, ready for a shell."""
        keys = [f"export {name}={value}" for name, value in self.s3.environment.items() if "FILE" not in name]
        tools = [f"export KUBECONFIG={self.kubeconfig}", f"alias kubectl={parts.KUBECTL.binary()}"]
        return "\n".join([*tools, *keys])

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and return what it prints; raises RuntimeError with its message when it fails."""
        done = self.try_kubectl(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def try_kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl and return how it ended, for calls that are meant to be refused."""
        command = [str(parts.KUBECTL.binary()), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(
            command,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def watch_kubectl(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a kubectl that goes on, such as `get --watch`; whoever starts it ends it."""
        command = [str(parts.KUBECTL.binary()), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def helm(self, *arguments: str, timeout: float = 300) -> str:
        """Run helm and return what it prints; raises RuntimeError with its message when it fails."""
        command = [str(parts.HELM.binary()), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"helm {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def apply(self, *objects: Manifest) -> None:
        """Apply objects on the server's side, which has no limit on an object's annotations."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed)

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get … -o json`, as a dictionary."""
        return dict(json.loads(self.kubectl("get", *arguments, "-o", "json")))

    def exists(self, *arguments: str) -> bool:
        """Whether `kubectl get` finds the object."""
        return bool(self.kubectl("get", *arguments, "--ignore-not-found", "-o", "name").strip())

    def make_namespace(self, name: str, *, pod_security: str = "restricted") -> str:
        """Make a namespace whose pods are held to a Pod Security level."""
        labels = {"pod-security.kubernetes.io/enforce": pod_security}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        wait_for(
            lambda: self.exists("serviceaccount", "default", "-n", name),
            f"{name}'s service account",
            seconds=30,
        )
        return name

    def make_another_namespace(self, name: str, word: str) -> str:
        """Make one more namespace for a test that has `name`; it ends by `word`, and is that test's alone."""
        return self.make_namespace(f"{name[-(62 - len(word)) :].lstrip('-')}-{word}")

    def ready_nodes(self) -> list[str]:
        """The names of the nodes that are Ready and take any pod, in order."""
        return sorted(
            node["metadata"]["name"]
            for node in self.get("nodes")["items"]
            for condition in node["status"].get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
            if not any(taint["effect"] == "NoSchedule" for taint in node["spec"].get("taints", []))
        )

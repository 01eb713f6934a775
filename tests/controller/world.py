"""What controllers and kubelets would do, done by hand through the API: pods, statuses, deletions."""

import json
import urllib.error
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import wait_for

RUN: dict[str, Any] = {
    "apiVersion": "trainjobs.dev/v1alpha1",
    "kind": "SFTRun",
    "spec": {
        "baseModel": {"uri": "hf://org/model"},
        "dataset": {"train": "s3://data/rows.jsonl"},
        "training": {"maxSteps": 100},
        "runtime": {"command": ["train.py"]},
    },
}
PLURALS = {"RewardModelRun": "rewardmodelruns", "SFTRun": "sftruns", "RLHFRun": "rlhfruns"}
RECORD = {"attempt": 1, "nodeRank": 0, "exitCode": 0, "reason": "Succeeded"}
OUTCOME = {"step": 100, "totalSteps": 100, "artifacts": {"model": "s3://runs/model"}}


def run(name: str, kind: str = "SFTRun", **spec: Any) -> dict[str, Any]:
    """A run's manifest; `spec` replaces sections."""
    body = deepcopy(RUN)
    body["kind"] = kind
    body["metadata"] = {"name": name}
    body["spec"].update(spec)
    return body


@dataclass
class World:
    """One namespace."""

    plane: ControlPlane
    namespace: str

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a run."""
        return self._post(self._runs_path(body["kind"]), body)

    def try_create(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the API server would make of a run; nothing is created."""
        return self._post(f"{self._runs_path(body['kind'])}?dryRun=All", body)

    def get(self, name: str, kind: str = "SFTRun") -> dict[str, Any]:
        """A run as it stands."""
        return self.plane.request("GET", self._run_path(name, kind))

    def status(self, name: str, kind: str = "SFTRun") -> dict[str, Any]:
        return self.get(name, kind).get("status") or {}

    def condition(self, name: str, type_: str, kind: str = "SFTRun") -> dict[str, Any]:
        """A condition of a run; empty for none."""
        found = self.status(name, kind).get("conditions", [])
        return next((one for one in found if one["type"] == type_), {})

    def wait_for_condition(
        self, name: str, type_: str, status: str = "True", kind: str = "SFTRun", seconds: float = 120
    ) -> dict[str, Any]:
        return wait_for(
            lambda: (one := self.condition(name, type_, kind)).get("status") == status and one,
            f"{name} to be {type_}={status}",
            seconds=seconds,
        )

    def jobs(self, name: str = "") -> list[dict[str, Any]]:
        """PyTorchJobs, oldest first; those of one run, or all."""
        found = self.plane.request("GET", self._jobs_path())["items"]
        own = [
            one
            for one in found
            if not name or one["metadata"].get("labels", {}).get("trainjobs.dev/run-name") == name
        ]
        return sorted(
            own, key=lambda one: int(one["metadata"].get("labels", {}).get("trainjobs.dev/attempt", "0"))
        )

    def wait_for_job(self, name: str, attempt: int = 1, seconds: float = 120) -> dict[str, Any]:
        """The job of an attempt, once the status names it."""

        def there() -> dict[str, Any] | None:
            status = self.status(name)
            found = [one for one in self.jobs(name) if one["metadata"]["name"].endswith(f"-{attempt}")]
            return found[0] if found and status.get("attempt") == attempt and status.get("job") else None

        return wait_for(there, f"the job of attempt {attempt} of {name}", seconds=seconds)

    def events(self, name: str) -> list[str]:
        """Reasons of a run's events, in order."""
        found = self.plane.request("GET", f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")[
            "items"
        ]
        own = [one for one in found if one["regarding"].get("name") == name]
        return [one["reason"] for one in sorted(own, key=lambda one: one["eventTime"])]

    def patch(self, name: str, body: dict[str, Any], kind: str = "SFTRun") -> dict[str, Any]:
        """Merge-patch a run."""
        return self.plane.request("PATCH", self._run_path(name, kind), body, "application/merge-patch+json")

    def patch_status(self, name: str, status: dict[str, Any], kind: str = "SFTRun") -> None:
        path = self._run_path(name, kind) + "/status"
        self.plane.request("PATCH", path, {"status": status}, "application/merge-patch+json")

    def delete(self, name: str, kind: str = "SFTRun") -> None:
        self.plane.request("DELETE", self._run_path(name, kind))

    def delete_job(self, name: str) -> None:
        self.plane.request("DELETE", f"{self._jobs_path()}/{name}")

    def make_pods(self, job: dict[str, Any], machine: str | None = "machine") -> list[dict[str, Any]]:
        """The pods that training-operator would make for a job, pending; with a machine or (None) without.

        One with a machine is gone only when its kubelet says so: `delete_pod`.
        """
        meta, worker = job["metadata"], job["spec"]["pytorchReplicaSpecs"]["Worker"]
        made = []
        for rank in range(worker["replicas"]):
            template = deepcopy(worker["template"])
            template["metadata"]["name"] = f"{meta['name']}-worker-{rank}"
            template["metadata"]["labels"] |= {"training.kubeflow.org/replica-index": str(rank)}
            template["metadata"]["ownerReferences"] = [
                {
                    "apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "name": meta["name"],
                    "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True,
                }
            ]  # fmt: skip
            template["spec"] |= {"restartPolicy": "Never", "serviceAccountName": "default"}
            if machine is not None:
                template["spec"]["nodeName"] = machine
            body = {"apiVersion": "v1", "kind": "Pod", **template}
            made.append(self._post(f"/api/v1/namespaces/{self.namespace}/pods", body))
        return made

    def begin(self, manifest: dict[str, Any]) -> list[dict[str, Any]]:
        """Create a run and bring its first attempt to where all its pods run; the pods."""
        self.create(manifest)
        name = manifest["metadata"]["name"]
        pods = self.make_pods(self.wait_for_job(name))
        self.start_pods(pods)
        self.wait_for_condition(name, "Running")
        return pods

    def start_pods(self, pods: list[dict[str, Any]]) -> None:
        """Let pods run, as their kubelets would say."""
        now = stamp()
        for pod in pods:
            self.pod_status(
                pod,
                phase="Running",
                conditions=[_true("PodScheduled"), _true("Ready")],
                containerStatuses=[_container(pod, {"running": {"startedAt": now}})],
            )

    def end_pod(
        self,
        pod: dict[str, Any],
        exit_code: int,
        record: dict[str, Any] | None,
        reason: str = "",
        *,
        outlived: bool = False,
        ago: float = 0,
    ) -> None:
        """Let a pod end, with what its agent wrote; `outlived`: something else in it runs on."""
        now = stamp(ago)
        ended = {
            "exitCode": exit_code, "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "startedAt": now, "finishedAt": now, "message": json.dumps(record) if record else "",
        }  # fmt: skip
        self.pod_status(
            pod,
            phase="Running" if outlived else "Succeeded" if exit_code == 0 else "Failed",
            conditions=[_true("PodScheduled")],
            containerStatuses=[_container(pod, {"terminated": ended})],
        )

    def pod_status(self, pod: dict[str, Any], **status: Any) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
        self.plane.request("PATCH", path, {"status": status}, "application/merge-patch+json")

    def delete_pod(self, pod: dict[str, Any]) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"
        self.plane.request("DELETE", path, {"gracePeriodSeconds": 0})

    def pods(self) -> list[dict[str, Any]]:
        return self.plane.request("GET", f"/api/v1/namespaces/{self.namespace}/pods")["items"]

    def job_condition(self, job: dict[str, Any], type_: str, message: str = "") -> None:
        """What training-operator would say of a job."""
        path = f"{self._jobs_path()}/{job['metadata']['name']}/status"
        condition = {"type": type_, "status": "True", "reason": type_, "message": message}
        self.plane.request(
            "PATCH", path, {"status": {"conditions": [condition], "replicaStatuses": {}}},
            "application/merge-patch+json",
        )  # fmt: skip

    def succeed(self, name: str, attempt: int = 1, model: str = "s3://runs/model") -> None:
        """Let an attempt of a run succeed."""
        job = self.wait_for_job(name, attempt)
        pods = self.make_pods(job)
        self.start_pods(pods)
        for rank, pod in enumerate(pods):
            record = {**RECORD, "attempt": attempt, "nodeRank": rank}
            if rank == 0:
                record["outcome"] = {**OUTCOME, "artifacts": {"model": model}}
            self.end_pod(pod, 0, record)
        self.job_condition(job, "Succeeded")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.plane.request("POST", path, body)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"POST {path}: {error.read().decode()[:1000]}") from error

    def _run_path(self, name: str, kind: str) -> str:
        return f"{self._runs_path(kind)}/{name}"

    def _runs_path(self, kind: str) -> str:
        return f"/apis/trainjobs.dev/v1alpha1/namespaces/{self.namespace}/{PLURALS[kind]}"

    def _jobs_path(self) -> str:
        return f"/apis/kubeflow.org/v1/namespaces/{self.namespace}/pytorchjobs"


def stamp(ago: float = 0) -> str:
    """A time as kubelets write it."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _true(type_: str) -> dict[str, Any]:
    return {"type": type_, "status": "True", "lastTransitionTime": stamp()}


def _container(pod: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    container = next(one for one in pod["spec"]["containers"] if one["name"] == "pytorch")
    return {
        "name": container["name"], "image": container["image"], "imageID": "", "ready": "running" in state,
        "restartCount": 0, "state": state,
    }  # fmt: skip

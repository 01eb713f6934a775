"""What pods say to the operator's status server, in the tests' words instead of their agents'."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.cluster.bench import NAMESPACE, RELEASE, Bench
from tests.cluster.harness.manifests import pod_spec

# Runs in a pod: says a heartbeat with the pod's token, and prints how it is answered.
_SPEAK = """
import ssl, sys, urllib.error, urllib.request
url, token, ca, body = sys.argv[1:]
headers = {"Content-Type": "application/json"}
if token:
    headers["Authorization"] = "Bearer " + open(token).read().strip()
request = urllib.request.Request(url, body.encode(), headers, method="POST")
opener = urllib.request.build_opener(
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
)
try:
    print(opener.open(request, timeout=20).status)
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().decode())
"""
_TOKEN = "/etc/trainjobs/token"
_CA = "/etc/trainjobs/status-ca.crt"


def heartbeat(run: dict[str, Any], **other: Any) -> dict[str, Any]:
    """What the agent of node 0 of a run's first attempt might say."""
    beat = {"runUid": run["metadata"]["uid"], "attempt": 1, "nodeRank": 0, "stage": "Training"}
    now = datetime.now(UTC).isoformat()
    progress = {"step": 5999, "totalSteps": 6000, "percent": 99, "updatedTime": now}
    return {**beat, "time": now, "progress": progress, **other}


def spoken(bench: Bench, pod: str, beat: dict[str, Any], *, token: str = _TOKEN, ca: str = _CA) -> str:
    """What the status server answers to a pod."""
    url = f"https://{RELEASE}-status.{NAMESPACE}.svc/heartbeat"
    return bench.kubectl("exec", pod, "--", "python", "-c", _SPEAK, url, token, ca, json.dumps(beat)).strip()


def spoken_by_stranger(bench: Bench, target: dict[str, Any], like: dict[str, Any]) -> dict[str, str]:
    """What the status server answers to a pod that somebody has made by hand, under the labels of a run's.

    By token: one that is meant for that server, and an ordinary one.
    """
    authority = like["metadata"]["annotations"]["trainjobs.dev/status-ca"]
    metadata = {"name": "authority", "namespace": bench.namespace}
    bench.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": authority}},
        _stranger(bench, target, like["spec"]["containers"][0]["image"]),
    )
    bench.kubectl("wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s")
    said = {
        token: spoken(bench, "stranger", heartbeat(target), token=f"/given/{token}", ca="/given/ca.crt")
        for token in ("token", "ordinary")
    }
    bench.kubectl("delete", "pod", "stranger", "--wait=false")
    return said


def _stranger(bench: Bench, target: dict[str, Any], image: str) -> dict[str, Any]:
    labels = {
        **{f"trainjobs.dev/run-{name}": target["metadata"][name] for name in ("name", "uid")},
        "trainjobs.dev/run-kind": target["kind"],
        "trainjobs.dev/attempt": "1",
        "training.kubeflow.org/replica-index": "0",
    }
    spec = pod_spec(["sleep", "600"], image=image)
    spec["volumes"] = [
        {
            "name": "given",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"audience": "trainjobs-status", "path": "token"}},
                    {"serviceAccountToken": {"path": "ordinary"}},
                    {"configMap": {"name": "authority"}},
                ]
            },
        }
    ]
    spec["containers"][0]["volumeMounts"] = [{"name": "given", "mountPath": "/given"}]
    metadata = {"name": "stranger", "namespace": bench.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

"""A pod speaks for its own run, attempt and node, and for nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.cluster.harness.manifests import pod_spec
from tests.cluster.operator_fixture import NAMESPACE, RELEASE, Bench

SCRIPT = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "40")

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
    beat = {"runUid": run["metadata"]["uid"], "attempt": 1, "nodeRank": 0, "stage": "Training"}
    now = datetime.now(UTC).isoformat()
    progress = {"step": 5999, "totalSteps": 6000, "percent": 99, "updatedTime": now}
    return {**beat, "time": now, "progress": progress, **other}


def spoken(bench: Bench, pod: str, beat: dict[str, Any], *, token: str = _TOKEN, ca: str = _CA) -> str:
    """What the status server answers to a pod."""
    url = f"https://{RELEASE}-status.{NAMESPACE}.svc/heartbeat"
    return bench.kubectl("exec", pod, "--", "python", "-c", _SPEAK, url, token, ca, json.dumps(beat)).strip()


def test_a_pod_cannot_report_for_another_run_attempt_or_node(bench: Bench):
    for name in ("honest", "victim"):
        bench.apply(name, *SCRIPT)
    for name in ("honest", "victim"):
        bench.until_training(name)
    own, victim = bench.run("honest"), bench.run("victim")
    [pod] = [one["metadata"]["name"] for one in bench.pods("honest")]
    for stolen in (
        heartbeat(victim),
        heartbeat(own, attempt=2),
        heartbeat(own, nodeRank=1),
    ):
        answer = spoken(bench, pod, stolen)
        assert answer.startswith("403"), answer
        assert "a pod speaks for its own run, attempt and node only" in answer
    assert spoken(bench, pod, heartbeat(victim), token="").startswith("401")
    assert spoken(bench, pod, heartbeat(own, progress=None)) == "200"
    # Nothing of the lies is in a status.
    for name in ("honest", "victim"):
        assert bench.status(name)["attempt"] == 1
        assert bench.step(name) < 5999


def test_a_pod_that_belongs_to_no_run_cannot_report_at_all(bench: Bench):
    bench.apply("target", *SCRIPT)
    bench.until_training("target")
    target = bench.run("target")
    image = bench.pods("target")[0]["spec"]["containers"][0]["image"]
    authority = bench.pods("target")[0]["metadata"]["annotations"]["trainjobs.dev/status-ca"]
    bench.cluster.apply(stranger(bench, image, authority, target))
    bench.kubectl("wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s")
    # With a token that is meant for the status server, under the run's own labels; and with an ordinary one.
    answer = spoken(bench, "stranger", heartbeat(target), token="/given/token", ca="/given/ca.crt")
    assert answer.startswith("403"), answer
    answer = spoken(bench, "stranger", heartbeat(target), token="/given/ordinary", ca="/given/ca.crt")
    assert answer.startswith("401"), answer
    assert bench.step("target") < 5999


def stranger(bench: Bench, image: str, authority: str, target: dict[str, Any]) -> dict[str, Any]:
    """A pod with the labels of a run's pods that somebody has made by hand, and tokens of two audiences."""
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
    bench.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "authority", "namespace": bench.namespace},
            "data": {"ca.crt": authority},
        }
    )
    metadata = {"name": "stranger", "namespace": bench.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

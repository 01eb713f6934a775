"""The operator uses every right that the chart gives it, and is refused nothing.

What it asks of the API server stands in the audit log. The test has it do everything it ever does, a good
part of which takes an accident: pods whose job is gone, an endpoint of another kind of address.
"""

import json
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.cluster import release
from tests.cluster.bench import NAMESPACE, RELEASE, Bench
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.heartbeats import spoken_by_stranger
from tests.cluster.operator_pods import operator_pods, scaled

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("own_cluster")]

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
ENDPOINT = f"{RELEASE}-status-leader"
SERVER = f"{RELEASE}-status-tls"
CONTROLLERS = "kube-controller-manager"
SCRIPT = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")
OTHERS = ("SFTRun", "RLHFRun", "PretrainRun")

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


@pytest.fixture
def whole_again(bench: Bench):
    """Leave two replicas and the controllers behind as they were."""
    yield
    bench.own.sandbox.send(CONTROLLERS, signal.SIGCONT)
    release.restored(bench)


def granted(bench: Bench) -> set[Right]:
    """What the chart's roles allow."""
    roles = [
        bench.cluster.get("clusterrole", RELEASE),
        bench.cluster.get("role", f"{RELEASE}-leader", "-n", NAMESPACE),
    ]
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(bench: Bench, since: int) -> Iterator[dict[str, Any]]:
    """The operator's requests from a place in the audit log on."""
    with open(bench.own.sandbox.layout.audit_log, "rb") as log:
        log.seek(since)
        for line in log:
            if line.endswith(b"\n") and (one := json.loads(line))["user"]["username"] == ACCOUNT:
                yield one


def used(bench: Bench, since: int) -> set[Right]:
    """What the operator has done; addresses that everybody may read are no resources."""
    found = set()
    for one in asked(bench, since):
        if reference := one.get("objectRef"):
            resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
            found.add((reference.get("apiGroup", ""), resource, one["verb"]))
    return found


def suspended(bench: Bench, name: str, suspend: bool) -> None:
    change = json.dumps({"spec": {"runPolicy": {"suspend": suspend}}})
    bench.kubectl("patch", bench.kind, name, "--type=merge", "-p", change)


def begin_anew(bench: Bench) -> None:
    """A first leader without a Lease that finds an endpoint of IPv6, and a second one after it."""
    cluster = bench.cluster
    scaled(bench, 0)
    cluster.kubectl("delete", "lease", RELEASE, "-n", NAMESPACE, "--ignore-not-found")
    there = cluster.get("endpointslice", ENDPOINT, "-n", NAMESPACE)
    cluster.kubectl("delete", "endpointslice", ENDPOINT, "-n", NAMESPACE)
    metadata = {name: there["metadata"][name] for name in ("name", "namespace", "labels")}
    addresses = {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}]}
    cluster.apply({**there, "metadata": metadata, **addresses})
    scaled(bench, 1)
    points_here(bench)
    scaled(bench, 0)
    scaled(bench, 2)
    points_here(bench)


def points_here(bench: Bench) -> None:
    """Wait until the status Service leads to a pod of the operator."""

    def found() -> bool:
        there = bench.cluster.get("endpointslices", "-n", NAMESPACE)["items"]
        slices = [one for one in there if one["metadata"]["name"] == ENDPOINT]
        addresses = {pod["status"].get("podIP") for pod in operator_pods(bench).values()}
        return any(one["endpoints"][0]["addresses"][0] in addresses for one in slices)

    wait_for(found, "the status Service to lead to a leader", seconds=60, every=0.5)


def rest_and_go(bench: Bench, kind: str) -> None:
    """A run of a kind that rests, and is told to go on and to rest again, as often as its words repeat."""
    runs = bench.of(kind)
    policy = {"suspend": True, "deletionPolicy": "Delete"}
    missing = {"fromRun": {"kind": "SFTRun", "name": "missing"}}
    runs.apply("resting", spec={"runPolicy": policy, "baseModel": missing})
    for suspend in (True, False, True, False):
        if suspend != runs.run("resting")["spec"]["runPolicy"]["suspend"]:
            suspended(runs, "resting", suspend)
        phase = "Suspended" if suspend else "Waiting"
        runs.until("resting", lambda phase=phase: runs.status("resting").get("phase") == phase, phase, 30)
    runs.kubectl("delete", kind, "resting", "--timeout=60s")


def start_and_delete(bench: Bench, kinds: Sequence[str]) -> None:
    """A run of each of these kinds that has started, so that its data is to go with it."""
    runs = [bench.of(kind) for kind in kinds]
    for one in runs:
        one.apply("begun", *SCRIPT, spec={"runPolicy": {"deletionPolicy": "Delete"}})
    for one in runs:
        one.until("begun", lambda one=one: one.status("begun").get("job"), "a job", 30)
    for one in runs:
        one.kubectl("delete", one.kind, "begun", "--wait=false")
    for one in runs:
        one.kubectl("wait", f"{one.kind}/begun", "--for=delete", "--timeout=120s")


def delete_without_room(bench: Bench) -> None:
    """A run whose clean-up gets no pod: the operator asks what was said of that."""
    runs = bench.of("SFTRun")
    runs.apply("hindered", *SCRIPT, spec={"runPolicy": {"deletionPolicy": "Delete"}})
    runs.until("hindered", lambda: runs.status("hindered").get("job"), "a job", 30)
    runs.kubectl("create", "quota", "none", "--hard=pods=0")
    runs.until(
        "hindered", lambda: runs.cluster.get("quota", "none", "-n", runs.namespace)["status"], "it", 30
    )
    runs.kubectl("delete", runs.kind, "hindered", "--wait=false")
    runs.until(
        "hindered",
        lambda: "has no pod" in runs.condition("hindered", "CleanedUp").get("message", ""),
        "the clean-up to be hindered",
        120,
    )
    retain = json.dumps({"spec": {"runPolicy": {"deletionPolicy": "Retain"}}})
    runs.kubectl("patch", runs.kind, "hindered", "--type=merge", "-p", retain)
    runs.kubectl("wait", f"{runs.kind}/hindered", "--for=delete", "--timeout=60s")
    runs.kubectl("delete", "quota", "none")


def change_authority(bench: Bench, name: str) -> None:
    """Lose what the status server shows: the release makes another, and leaders give it to a run's pods."""

    def trusted() -> str:
        [pod] = bench.pods(name)
        return str(pod["metadata"]["annotations"]["trainjobs.dev/status-ca"])

    before = trusted()
    scaled(bench, 0)
    bench.cluster.kubectl("delete", "secret", SERVER, "-n", NAMESPACE)
    release.upgraded(bench)
    bench.until(name, lambda: before in trusted() != before, "the pods to trust both authorities")


def train_with_accidents(bench: Bench) -> None:
    """A run whose job loses its label, whose pods outlive their job, and whose data goes with it."""
    runtime = bench.manifest("busy", *SCRIPT)["spec"]["runtime"] | {"serviceAccountName": "default"}
    spec = {"runtime": runtime, "runPolicy": {"deletionPolicy": "Delete"}}
    bench.apply("busy", spec=spec)
    bench.until_training("busy")
    change_authority(bench, "busy")
    [pod] = bench.pods("busy")
    # Of a pod that the operator has not seen it asks who that is.
    assert spoken_by_stranger(bench, bench.run("busy"), pod)["token"].startswith("403")
    job = bench.status("busy")["job"]["name"]
    bench.kubectl("label", "pytorchjob", job, "trainjobs.dev/run-uid-")
    bench.kubectl("annotate", bench.kind, "busy", "trainjobs.dev/checkpoint-now=1")
    bench.until(
        "busy",
        lambda: "trainjobs.dev/checkpoint-now" not in bench.run("busy")["metadata"]["annotations"],
        "the agent to be told to save, by a server of an authority that it hears of while it runs",
        # So long a kubelet may take to write a file of an annotation anew.
        seconds=180,
    )
    # The controllers collect what a deleted job leaves: while they stand still, that is the operator's.
    bench.own.sandbox.send(CONTROLLERS, signal.SIGSTOP)
    suspended(bench, "busy", True)
    bench.until(
        "busy",
        lambda: all("deletionTimestamp" in pod["metadata"] for pod in bench.pods("busy")),
        "the pods to be told to go",
        30,
    )
    bench.own.sandbox.send(CONTROLLERS, signal.SIGCONT)
    bench.until("busy", lambda: bench.status("busy")["phase"] == "Suspended", "the run to rest")
    suspended(bench, "busy", False)
    bench.until_training("busy", attempt=2)
    uid = bench.run("busy")["metadata"]["uid"]
    bench.kubectl("delete", bench.kind, "busy", "--timeout=90s")
    assert bench.stored("busy", uid) == []


def test_every_right_is_used_and_none_is_missing(bench: Bench, whole_again):
    since = bench.own.sandbox.layout.audit_log.stat().st_size
    begin_anew(bench)
    for kind in OTHERS:
        rest_and_go(bench, kind)
    start_and_delete(bench, OTHERS)
    delete_without_room(bench)
    train_with_accidents(bench)
    assert [(one["verb"], one["requestURI"]) for one in asked(bench, since) if _is_forbidden(one)] == []
    # No request of its own: admission asks for it when the operator names a run as an object's owner.
    rights = {right for right in granted(bench) if not right[1].endswith("/finalizers")}
    done = used(bench, since)
    assert sorted(rights - done) == [], "granted, and not used"
    assert sorted(done - rights) == [], "used, and not granted by the chart"
    print(f"{len(rights)} rights, all used, in {sum(1 for _ in asked(bench, since))} requests")


def _is_forbidden(request: dict[str, Any]) -> bool:
    """Whether rights are missing; admission refuses with the same code."""
    return bool(request["annotations"]["authorization.k8s.io/decision"] == "forbid")

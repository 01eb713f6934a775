"""Agents report with real projected tokens: a pod speaks for itself, and is told what to do."""

import dataclasses
import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run
from tests.harness.tls import TLS, make_certificate
from tests.harness.versitygw import free_port

AUDIENCE = "trainjobs-status"


@dataclass
class Reporting:
    """An operator that takes reports, and what agents do to send them."""

    operator: Operator
    world: World
    tls: TLS
    port: int

    def token(self, pod: dict[str, Any], audience: str = AUDIENCE, seconds: int = 600) -> str:
        """A token bound to a pod, from the API server itself (the TokenRequest API)."""
        meta = pod["metadata"]
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience],
                "expirationSeconds": seconds,
                "boundObjectRef": {
                    "apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"],
                },
            },
        }  # fmt: skip
        path = f"/api/v1/namespaces/{self.world.namespace}/serviceaccounts/default/token"
        return str(self.world.plane.request("POST", path, body)["status"]["token"])

    def post(self, token: str | None, body: Any) -> tuple[int, dict[str, Any]]:
        """Send a report; status and answer."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/heartbeat", data=json.dumps(body).encode(), method="POST"
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        trusted = ssl.create_default_context(cafile=str(self.tls.authority))
        try:
            with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def shows(self, tls: TLS) -> bool:
        """Whether the server shows the certificate of this authority, by which alone it is judged."""
        context = ssl.create_default_context(cafile=str(tls.authority))
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            try:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
            except ssl.SSLCertVerificationError:
                return False
        return True

    def beat(self, created: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """What node 0's agent would say."""
        now = datetime.now(UTC).isoformat()
        progress = {"step": 40, "totalSteps": 100, "percent": 40, "updatedTime": now}
        return {
            "runUid": created["metadata"]["uid"], "attempt": 1, "nodeRank": 0, "stage": "Training",
            "time": now, "progress": progress, "metrics": {"latest": {"loss": 0.5}}, **changes,
        }  # fmt: skip

    def started(self, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A run whose pods run."""
        created = self.world.create(run(name, topology={"nodes": 2}))
        pods = self.world.make_pods(self.world.wait_for_job(name))
        self.world.start_pods(pods)
        self.world.wait_for_condition(name, "Running")
        return created, pods


@pytest.fixture
def reporting(operator: Operator, world: World, tmp_path: Path) -> Iterator[Reporting]:
    tls, port = make_certificate(tmp_path), free_port()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    world.plane.request("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", account)
    server = {
        "host": "127.0.0.1", "port": port, "certificate": str(tls.certificate), "key": str(tls.key),
        "ca": str(tls.authority), "service": "trainjobs-status", "advertisedAddress": "10.1.2.3",
    }  # fmt: skip
    platform = {"image": "trainer:1", "storageUri": "s3://runs", "storageSecretName": "s3-keys"}
    url = f"https://127.0.0.1:{port}/heartbeat"
    operator.settings = {"statusServer": server, "defaults": {**platform, "statusUrl": url}}
    operator.start()
    return Reporting(operator, world, tls, port)


def test_progress_that_an_agent_reports_is_in_the_status(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    status, answer = reporting.post(reporting.token(pods[0]), reporting.beat(created))
    assert (status, answer) == (200, {"directive": "Continue"})
    wait_for(lambda: (world.status("chat").get("progress") or {}).get("step") == 40, "the progress")
    shown = world.status("chat")
    assert shown["display"]["progress"] == "40%"
    assert shown["metrics"]["latest"] == {"loss": 0.5}
    assert world.condition("chat", "Running")["reason"] == "Training"
    assert reporting.operator.metric("trainjobs_run_step") == 40
    assert reporting.operator.metric("trainjobs_heartbeats_total") == 1


def test_a_pod_speaks_for_its_own_run_attempt_and_node_only(reporting: Reporting):
    created, pods = reporting.started("chat")
    other, _ = reporting.started("other")
    token = reporting.token(pods[0])
    for beat in (
        reporting.beat(other),
        reporting.beat(created, attempt=2),
        reporting.beat(created, nodeRank=1),
    ):
        assert reporting.post(token, beat)[0] == 403
    assert reporting.post(reporting.token(pods[1]), reporting.beat(created, nodeRank=1))[0] == 200


def test_tokens_that_are_not_meant_for_this_are_refused(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    beat = reporting.beat(created)
    token = reporting.token(pods[0])
    head, claims, signature = token.split(".")
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/default/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [AUDIENCE]},
    }
    unbound = world.plane.request("POST", path, body)["status"]["token"]
    for bad in (
        None,
        "",
        "nonsense",
        reporting.token(pods[0], audience="somebody-else"),
        f"{head}.{claims}.{signature[:-6]}AAAAAA",
        unbound,
        world.plane.token,
    ):
        status, answer = reporting.post(bad, beat)
        assert status == 401, bad
        assert token not in answer["error"]
    assert reporting.post(token, {"nothing": "right"})[0] == 400


def test_a_pod_whose_labels_claim_a_run_speaks_for_nobody(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    labels = {**pods[0]["metadata"]["labels"], "trainjobs.dev/attempt": "9"}
    forged = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "forged", "labels": labels},
        "spec": {"serviceAccountName": "default", "containers": [{"name": "pytorch", "image": "x"}]},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{world.namespace}/pods"
    forged = world.plane.request("POST", path, forged)
    assert reporting.post(reporting.token(forged), reporting.beat(created))[0] == 403
    # Nor does it count as a node of the run, or is it touched.
    world.patch("chat", {"metadata": {"annotations": {"touched": "yes"}}})
    looks = reporting.operator.metric("trainjobs_reconcile_duration_seconds_count")
    wait_for(
        lambda: reporting.operator.metric("trainjobs_reconcile_duration_seconds_count") > looks, "a look"
    )
    assert world.status("chat")["attempt"] == 1
    assert [pod["metadata"].get("deletionTimestamp") for pod in world.pods()] == [None] * 3


def test_an_operator_that_has_just_started_knows_the_pods_it_has_not_seen(reporting: Reporting):
    created, pods = reporting.started("chat")
    token = reporting.token(pods[0])
    reporting.operator.kill()
    reporting.operator.start()

    def taken() -> bool:
        try:
            return reporting.post(token, reporting.beat(created))[0] == 200
        except (ConnectionError, urllib.error.URLError):
            # Nobody listens there yet.
            return False

    wait_for(taken, "the report to be taken")


def test_a_stale_attempt_is_told_to_stop(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    token = reporting.token(pods[0])
    record = {"attempt": 1, "nodeRank": 1, "exitCode": 23, "reason": "TrainingError"}
    world.end_pod(pods[1], 23, record)
    wait_for(lambda: world.status("chat").get("ended", {}).get("attempt") == 1, "the attempt to end")
    # Its machine is gone for the cluster, and yet it lives.
    world.delete_pod(pods[0])
    world.wait_for_job("chat", attempt=2)
    status, answer = reporting.post(token, reporting.beat(created))
    assert (status, answer) == (200, {"directive": "Stop"})


def test_the_annotation_asks_node_0_for_a_checkpoint_once_and_goes(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    tokens = [reporting.token(pod) for pod in pods]
    beats = [reporting.beat(created, nodeRank=rank) for rank in range(2)]
    assert reporting.post(tokens[0], beats[0])[1] == {"directive": "Continue"}
    for _ in range(2):
        world.plane.kubectl(
            "annotate", "sftrun", "chat", "-n", world.namespace, "trainjobs.dev/checkpoint-now=1"
        )
        assert reporting.post(tokens[1], beats[1])[1] == {"directive": "Continue"}
        wait_for(
            lambda: reporting.post(tokens[0], beats[0])[1] == {"directive": "Checkpoint"}, "the directive"
        )
        assert reporting.post(tokens[0], beats[0])[1] == {"directive": "Continue"}
        wait_for(
            lambda: (
                "trainjobs.dev/checkpoint-now" not in world.get("chat")["metadata"].get("annotations", {})
            ),
            "the annotation to go",
        )


def test_a_clock_that_is_wrong_does_not_look_like_silence(reporting: Reporting, world: World):
    created, pods = reporting.started("chat")
    beat = reporting.beat(created)
    late = "2020-01-01T00:00:00Z"
    beat["time"] = late
    beat["progress"] = {**beat["progress"], "updatedTime": late}
    assert reporting.post(reporting.token(pods[0]), beat)[0] == 200
    wait_for(lambda: (world.status("chat").get("progress") or {}).get("step") == 40, "the progress")
    assert not world.status("chat")["progress"]["updatedTime"].startswith("2020")
    assert world.condition("chat", "Healthy")["status"] == "True"


def test_the_service_of_the_status_server_leads_to_the_leader(reporting: Reporting, world: World):
    path = f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices"
    found = wait_for(lambda: world.plane.request("GET", path)["items"], "the slice")
    assert [one["metadata"]["labels"]["kubernetes.io/service-name"] for one in found] == ["trainjobs-status"]
    assert found[0]["endpoints"][0]["addresses"] == ["10.1.2.3"]
    assert found[0]["ports"][0]["port"] == reporting.port
    server = {**reporting.operator.settings["statusServer"], "advertisedAddress": "fd00::7"}
    reporting.operator.kill()
    reporting.operator.start(statusServer=server)
    wait_for(
        lambda: (
            [one["endpoints"][0]["addresses"] for one in world.plane.request("GET", path)["items"]]
            == [["fd00::7"]]
        ),
        "the next leader",
    )


def test_pods_get_what_they_need_to_report(reporting: Reporting, world: World):
    world.create(run("chat"))
    template = world.wait_for_job("chat")["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    # Where there is a URL, the authority's text travels in an annotation.
    authority = template["metadata"]["annotations"]["trainjobs.dev/status-ca"]
    assert authority == reporting.tls.authority.read_text()
    defaults = {**reporting.operator.settings["defaults"], "statusUrl": ""}
    reporting.operator.kill()
    reporting.operator.start(defaults=defaults)
    world.create(run("second"))
    template = world.wait_for_job("second")["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    assert "trainjobs.dev/status-ca" not in template["metadata"]["annotations"]


def test_agents_are_heard_all_through_a_change_of_the_authority(reporting: Reporting, world: World):
    operator, old = reporting.operator, reporting.tls.authority.read_text()
    operator.terminate()
    operator.start(
        statusServer={**operator.settings["statusServer"], "reloadSeconds": 0.2, "handoverSeconds": 8}
    )
    created, (pod, _) = reporting.started("chat")
    token, beat = reporting.token(pod), reporting.beat(created)
    assert trusted_by(world, pod) == [old]

    new = make_certificate(operator.folder)
    for before, after in zip(dataclasses.astuple(reporting.tls), dataclasses.astuple(new), strict=True):
        before.write_bytes(after.read_bytes())
    while not reporting.shows(new):
        reporting.tls.authority.write_text("".join(trusted_by(world, pod)))
        assert reporting.post(token, beat)[0] == 200, "what its pod holds is all that an agent trusts"
        reporting.tls.authority.write_bytes(new.authority.read_bytes())

    assert trusted_by(world, pod) == [new.authority.read_text(), old]
    later, _ = reporting.started("later")[1]
    assert trusted_by(world, later) == [new.authority.read_text(), old]
    assert reporting.post(token, beat)[0] == 200


def test_an_operator_that_was_away_while_the_authority_changed_tells_the_agents(
    reporting: Reporting, world: World
):
    created, (pod, _) = reporting.started("chat")
    token, old = reporting.token(pod), reporting.tls.authority.read_text()
    reporting.operator.terminate()
    new = make_certificate(reporting.operator.folder)
    for before, after in zip(dataclasses.astuple(reporting.tls), dataclasses.astuple(new), strict=True):
        before.write_bytes(after.read_bytes())
    reporting.operator.start()

    wait_for(lambda: len(trusted_by(world, pod)) == 2, "the pod to be given the new authority")
    assert trusted_by(world, pod) == [new.authority.read_text(), old]
    assert reporting.post(token, reporting.beat(created))[0] == 200


def trusted_by(world: World, pod: dict[str, Any]) -> list[str]:
    """The authorities that a pod's agent trusts: what its kubelet makes a file of."""
    name = pod["metadata"]["name"]
    (there,) = [one for one in world.pods() if one["metadata"]["name"] == name]
    end = "-----END CERTIFICATE-----\n"
    return [
        f"{one}{end}" for one in there["metadata"]["annotations"]["trainjobs.dev/status-ca"].split(end) if one
    ]

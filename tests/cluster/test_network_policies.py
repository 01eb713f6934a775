"""Who may speak to a run's pods: asserted of the policy, and of the network where that enforces policies.

The bridge of a cluster of our own parts enforces none, so there the same test shows that a stranger
comes through; kind's network enforces them, and there the stranger must not. What a given cluster's network
does is tried with a policy that closes a pod to everybody.
"""

from tests.cluster.bench import Bench
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.kind import KindCluster
from tests.cluster.harness.manifests import pod
from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.sandbox import wait_for
from trainjobs.api.runs import RewardModelRun
from trainjobs.core.plan.environment import MASTER_PORT, METRICS_PORT
from trainjobs.core.plan.network_policy import network_policy
from trainjobs.core.plan.objects import Object

UID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_SERVE = f"""
import http.server, threading
for port in ({MASTER_PORT}, {METRICS_PORT}):
    server = http.server.ThreadingHTTPServer(("", port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""
_KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"


def policy(namespace: str) -> Object:
    """A run's policy as the operator makes it, but owned by nobody: there is no such run here."""
    objective = {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}}
    run = RewardModelRun.model_validate(
        {
            "metadata": {"name": "guarded", "namespace": namespace, "uid": UID},
            "spec": {
                "baseModel": {"uri": "s3://models/base"},
                "dataset": {"train": "s3://data/rows.jsonl"},
                "objective": objective,
            },
            "kind": "RewardModelRun",
        }
    )
    made = network_policy(run)
    del made["metadata"]["ownerReferences"]
    return made


def closed(namespace: str) -> Object:
    """A policy that lets nobody speak to the pod `closed`."""
    spec = {"podSelector": {"matchLabels": {"app": "closed"}}, "policyTypes": ["Ingress"]}
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
    return {**made, "metadata": {"name": "closed", "namespace": namespace}}


def address(cluster: Cluster, name: str, namespace: str) -> str:
    return str(cluster.get("pod", name, "-n", namespace)["status"]["podIP"])


def enforces(cluster: Cluster, namespace: str) -> bool:
    """Whether the network keeps a neighbour from a pod that a policy closes; it may take its time."""
    there = address(cluster, "closed", namespace)
    refused = lambda: not reaches(cluster, namespace, "neighbour", there, METRICS_PORT)  # noqa: E731
    try:
        wait_for(refused, "a closed pod to be out of reach", seconds=10, every=1)
    except TimeoutError:
        return False
    return True


def reaches(cluster: Cluster, namespace: str, name: str, address: str, port: int) -> bool:
    """Whether a pod gets a connection to a port."""
    command = ("exec", name, "-n", namespace, "--", "python3", "-c", _KNOCK, address, str(port))
    return cluster.try_kubectl(*command).returncode == 0


def test_only_pods_of_a_run_reach_its_rendezvous_where_policies_are_enforced(
    cluster: Cluster, namespace: str
):
    outside = cluster.make_another_namespace(namespace, "outside")
    own = {"trainjobs.dev/run-uid": UID}
    wait = ["sleep", "600"]
    cluster.apply(
        policy(namespace),
        closed(namespace),
        pod("closed", namespace, ["python3", "-c", _SERVE], labels={"app": "closed"}),
        pod("guarded", namespace, ["python3", "-c", _SERVE], labels=own),
        pod("mate", namespace, wait, labels=own),
        pod("neighbour", namespace, wait),
        pod("stranger", outside, wait),
    )
    places = {
        "closed": namespace,
        "guarded": namespace,
        "mate": namespace,
        "neighbour": namespace,
        "stranger": outside,
    }
    for name, place in places.items():
        cluster.kubectl("wait", f"pod/{name}", "-n", place, "--for=condition=Ready", "--timeout=60s")
    guarded = address(cluster, "guarded", namespace)
    wait_for(
        lambda: reaches(cluster, namespace, "mate", guarded, MASTER_PORT),
        "a pod of the same run to come through",
        seconds=60,
        every=1,
    )
    enforced = enforces(cluster, namespace)
    assert enforced or not isinstance(cluster, KindCluster)
    assert not enforced or not isinstance(cluster, OwnCluster)
    for name in ("neighbour", "stranger"):
        # Metrics are for anybody in the cluster: Prometheus is in a namespace of its own.
        assert reaches(cluster, places[name], name, guarded, METRICS_PORT)
        assert reaches(cluster, places[name], name, guarded, MASTER_PORT) is not enforced
    cluster.kubectl("delete", "namespace", outside, "--wait=false")


def test_every_run_gets_a_policy_for_its_own_pods(bench: Bench):
    bench.apply("watched", "--steps", "5")
    bench.wait("watched", "Succeeded", 90)
    uid = bench.run("watched")["metadata"]["uid"]
    [found] = bench.cluster.get("networkpolicies", "-n", bench.namespace)["items"]
    pods = {"matchLabels": {"trainjobs.dev/run-uid": uid}}
    assert found["spec"] == {
        "podSelector": pods,
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [{"podSelector": pods}]},
            {
                "from": [{"namespaceSelector": {}}],
                "ports": [{"port": METRICS_PORT, "protocol": "TCP"}],
            },
        ],
    }
    assert [one["metadata"]["labels"]["trainjobs.dev/run-uid"] for one in bench.pods("watched")] == [uid]

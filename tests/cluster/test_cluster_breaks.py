"""Tests can take the cluster's parts away and give them back: the faults that the operator must survive."""

import math
import signal
import time
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.cluster.harness.manifests import pod
from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.s3 import ClusterS3
from tests.cluster.harness.sandbox import wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def whole_again(own_cluster):
    """Give back what a failed test has taken."""
    yield
    for part, start in (("etcd", own_cluster.restart_etcd), ("kube-apiserver", own_cluster.start_apiserver)):
        if not own_cluster.sandbox.alive(part):
            start()
    for node in own_cluster.nodes.values():
        node.recover()
    if not own_cluster.sandbox.alive("versitygw"):
        own_cluster.s3.start()
    ready(own_cluster, 2)


def ready(cluster: OwnCluster, count: int) -> None:
    wait_for(lambda: len(cluster.ready_nodes()) == count, f"{count} nodes to be Ready", seconds=60, every=0.5)


def run_on(cluster: OwnCluster, node: str, namespace: str) -> str:
    """Run a pod on a node that counts the seconds it has lived, and return its name."""
    name = f"counter-{node}"
    manifest = pod(name, namespace, ["sh", "-c", "while sleep 0.2; do date +%s.%N; done"])
    manifest["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    manifest["spec"]["tolerations"] = [{"operator": "Exists"}]
    cluster.apply(manifest)
    cluster.kubectl("wait", f"pod/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    return name


def seconds_since_alive(cluster: OwnCluster, name: str, namespace: str) -> float:
    """How long ago the pod wrote its last line; infinite while its node cannot tell."""
    logs = cluster.try_kubectl("logs", name, "-n", namespace, "--tail=1")
    return time.time() - float(logs.stdout) if logs.returncode == 0 and logs.stdout else math.inf


def test_a_node_whose_kubelet_stops_goes_not_ready_while_its_pods_run_on(own_cluster, namespace):
    name = run_on(own_cluster, "node2", namespace)
    own_cluster.nodes["node2"].stop_kubelet()
    wait_for(lambda: own_cluster.ready_nodes() == ["node1"], "node2 to be NotReady", seconds=60, every=0.5)
    assert own_cluster.get("pod", name, "-n", namespace)["status"]["phase"] == "Running"
    assert own_cluster.nodes["node2"].processes(), "the pod's processes have gone with the kubelet"
    own_cluster.nodes["node2"].recover()
    ready(own_cluster, 2)
    wait_for(
        lambda: seconds_since_alive(own_cluster, name, namespace) < 5, "the pod's log to go on", seconds=30
    )
    assert (
        own_cluster.get("pod", name, "-n", namespace)["status"]["containerStatuses"][0]["restartCount"] == 0
    )


def test_a_lost_machine_takes_its_pods_with_it(own_cluster, namespace):
    run_on(own_cluster, "node2", namespace)
    other = run_on(own_cluster, "node1", namespace)
    own_cluster.nodes["node2"].lose()
    assert own_cluster.nodes["node2"].processes() == []
    wait_for(lambda: own_cluster.ready_nodes() == ["node1"], "node2 to be NotReady", seconds=60, every=0.5)
    assert seconds_since_alive(own_cluster, other, namespace) < 5
    own_cluster.nodes["node2"].recover()
    ready(own_cluster, 2)
    own_cluster.kubectl("delete", "pod", "--all", "-n", namespace, "--wait=false")
    run_on(own_cluster, "node2", own_cluster.make_another_namespace(namespace, "again"))


def test_pods_outlive_an_api_server_that_is_stopped(own_cluster, namespace):
    name = run_on(own_cluster, "node1", namespace)
    own_cluster.stop_apiserver()
    assert own_cluster.try_kubectl("get", "nodes", "--request-timeout=5s").returncode != 0
    own_cluster.start_apiserver()
    wait_for(lambda: own_cluster.exists("pod", name, "-n", namespace), "the pod", seconds=30)
    started = float(own_cluster.kubectl("logs", name, "-n", namespace).splitlines()[0])
    assert started < time.time() - 1


def test_etcd_keeps_what_it_has_when_it_is_restarted(own_cluster, namespace):
    own_cluster.kubectl("create", "configmap", "kept", "-n", namespace, "--from-literal=a=b")
    own_cluster.restart_etcd()
    assert own_cluster.get("configmap", "kept", "-n", namespace)["data"] == {"a": "b"}


def test_s3_comes_back_with_its_data(own_cluster):
    own_cluster.s3.make_bucket("kept")
    own_cluster.s3.kill()
    assert not own_cluster.sandbox.alive("versitygw")
    own_cluster.s3.start()
    assert (own_cluster.s3.folder / "kept").is_dir()


def test_s3_refuses_keys_that_were_revoked(own_cluster):
    before = own_cluster.s3
    bucket = before.make_bucket("revoked").removeprefix("s3://")
    own_cluster.s3.revoke_keys()
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|SignatureDoesNotMatch|Forbidden"):
        client(before).list_objects_v2(Bucket=bucket)
    assert client(own_cluster.s3).list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_pods_processes_can_be_killed_from_outside(own_cluster, namespace):
    name = run_on(own_cluster, "node1", namespace)
    uid = own_cluster.get("pod", name, "-n", namespace)["metadata"]["uid"]
    assert own_cluster.nodes["node1"].signal_pod(uid, signal.SIGKILL)
    own_cluster.kubectl(
        "wait", f"pod/{name}", "-n", namespace, "--for=jsonpath={.status.phase}=Failed", "--timeout=60s"
    )
    status = own_cluster.get("pod", name, "-n", namespace)["status"]["containerStatuses"][0]
    assert status["state"]["terminated"]["exitCode"] == 137


def client(server: ClusterS3) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )


def test_training_operator_comes_back(own_cluster):
    own_cluster.stop_training_operator()
    own_cluster.start_training_operator()
    assert own_cluster.sandbox.alive("training-operator")

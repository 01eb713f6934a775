"""The cluster does what a Kubernetes does: without that, no other test of this level means anything."""

import json
import urllib.error
import urllib.request

import pytest
import yaml

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.manifests import host_volume, pod, pytorch_job, service

SERVE = ["python3", "-c", "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"]


def succeeded(cluster: Cluster, name: str, namespace: str) -> str:
    """Wait for a pod's success and return what it printed."""
    cluster.kubectl(
        "wait", f"pod/{name}", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"
    )
    return cluster.kubectl("logs", name, "-n", namespace)


def running(cluster: Cluster, name: str, namespace: str) -> None:
    cluster.kubectl("wait", f"pod/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")


def test_both_nodes_are_ready(cluster):
    assert len(cluster.ready_nodes()) >= 2


def test_kubernetes_is_the_version_that_the_harness_names(own_cluster):
    versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in own_cluster.get("nodes")["items"]}
    assert versions == {"v1.34.4"}
    assert json.loads(own_cluster.kubectl("get", "--raw", "/version"))["gitVersion"] == "v1.34.4"


def test_a_pod_prints_what_kubectl_logs_shows(cluster, namespace):
    cluster.apply(pod("speaker", namespace, ["python3", "-c", "print('hello from a pod')"]))
    assert succeeded(cluster, "speaker", namespace) == "hello from a pod\n"


def test_kubectl_exec_runs_a_command_in_a_pod(cluster, namespace):
    cluster.apply(pod("sleeper", namespace, ["sleep", "600"]))
    running(cluster, "sleeper", namespace)
    assert cluster.kubectl("exec", "sleeper", "-n", namespace, "--", "id", "-u").strip() == "1000"


def test_a_pod_reaches_a_service_by_its_name(cluster, namespace):
    cluster.apply(service("web", namespace, 8000), pod("web", namespace, SERVE, labels={"app": "web"}))
    running(cluster, "web", namespace)
    ask = f"import urllib.request as u; print(u.urlopen('http://web.{namespace}.svc', timeout=20).status)"
    cluster.apply(pod("client", namespace, ["python3", "-c", ask]))
    assert succeeded(cluster, "client", namespace) == "200\n"


def test_a_headless_service_names_each_ready_pod(cluster, namespace):
    headless = service("web", namespace, 8000)
    headless["spec"]["clusterIP"] = "None"
    cluster.apply(headless, pod("web", namespace, SERVE, labels={"app": "web"}))
    running(cluster, "web", namespace)
    address = cluster.get("pod", "web", "-n", namespace)["status"]["podIP"]
    lookup = f"until getent ahostsv4 web.{namespace} >/tmp/found; do sleep 0.5; done"
    cluster.apply(pod("client", namespace, ["sh", "-c", f"{lookup}; cut -d ' ' -f 1 /tmp/found | uniq"]))
    assert succeeded(cluster, "client", namespace).strip() == address


def test_the_restricted_level_refuses_a_pod_that_may_be_root(cluster, namespace):
    manifest = pod("root", namespace, ["id"])
    del manifest["spec"]["securityContext"]["runAsNonRoot"]
    refused = cluster.try_kubectl("create", "-f", "-", stdin=_text(manifest))
    assert refused.returncode != 0
    assert "violates PodSecurity" in refused.stderr


def test_a_service_account_may_do_nothing_by_default(cluster, namespace):
    account = f"system:serviceaccount:{namespace}:default"
    answer = cluster.try_kubectl("auth", "can-i", "list", "pods", "-n", namespace, "--as", account)
    assert answer.stdout.strip() == "no"


def test_a_node_may_read_only_what_its_own_pods_use(own_cluster):
    answer = own_cluster.try_kubectl(
        "auth",
        "can-i",
        "get",
        "secrets/any",
        "-n",
        "default",
        "--as",
        "system:node:node1",
        "--as-group",
        "system:nodes",
    )
    assert answer.stdout.startswith("no - no relationship found between node 'node1' and this object")


def test_a_job_of_two_workers_spreads_over_two_nodes_and_succeeds(cluster, namespace):
    report = "import os; print(os.environ['PET_NNODES'], os.environ['HOSTNAME'])"
    cluster.apply(pytorch_job("two", namespace, ["python3", "-c", report], nodes=2))
    cluster.kubectl(
        "wait", "pytorchjob/two", "-n", namespace, "--for=condition=Succeeded", "--timeout=90s", timeout=100
    )
    pods = cluster.get("pods", "-n", namespace, "-l", "training.kubeflow.org/job-name=two")["items"]
    assert len({item["spec"]["nodeName"] for item in pods}) == 2
    assert cluster.kubectl("logs", "two-worker-1", "-n", namespace) == "2 two-worker-1\n"
    assert not any(item["spec"].get("initContainers") for item in pods)


def test_training_operators_webhook_refuses_a_job_without_its_container(cluster, namespace):
    manifest = pytorch_job("nameless", namespace, ["true"], nodes=1)
    manifest["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"] = "other"
    refused = cluster.try_kubectl("create", "-f", "-", stdin=_text(manifest))
    assert refused.returncode != 0
    assert 'admission webhook "validator.pytorchjob.training-operator.kubeflow.org" denied' in refused.stderr


def test_pods_and_tests_reach_the_same_bucket(cluster, namespace):
    cluster.s3.make_bucket("smoke")
    ask = f"""
import urllib.error, urllib.request
try:
    urllib.request.urlopen('{cluster.s3.endpoint}/smoke', timeout=20)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""
    cluster.apply(pod("client", namespace, ["python3", "-c", ask]))
    assert succeeded(cluster, "client", namespace) == "403\n"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{cluster.s3.endpoint}/smoke", timeout=20)


def test_a_container_over_its_memory_limit_is_killed_and_says_so(cluster, namespace):
    manifest = pod("greedy", namespace, ["python3", "-c", "x = bytearray(200_000_000)"])
    manifest["spec"]["containers"][0]["resources"] = {"limits": {"memory": "50Mi"}}
    cluster.apply(manifest)
    wait = ["wait", "pod/greedy", "-n", namespace, "--for=jsonpath={.status.phase}=Failed", "--timeout=60s"]
    cluster.kubectl(*wait)
    ended = cluster.get("pod", "greedy", "-n", namespace)["status"]["containerStatuses"][0]["state"][
        "terminated"
    ]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_claim_gives_restricted_pods_a_folder_of_the_machine(own_cluster, namespace, tmp_path):
    (tmp_path / "words").write_text("from outside")
    tmp_path.chmod(0o755)
    manifest = pod("reader", namespace, ["cat", "/given/words"])
    claim = {"name": "given", "persistentVolumeClaim": {"claimName": "given", "readOnly": True}}
    manifest["spec"]["volumes"] = [claim]
    manifest["spec"]["containers"][0]["volumeMounts"] = [{"name": "given", "mountPath": "/given"}]
    own_cluster.apply(*host_volume("given", namespace, tmp_path), manifest)
    assert succeeded(own_cluster, "reader", namespace) == "from outside"
    own_cluster.kubectl("delete", "persistentvolume", f"{namespace}-given", "--wait=false")


def test_an_image_that_no_registry_has_is_reported_within_seconds(cluster, namespace):
    manifest = pod("imageless", namespace, ["true"])
    manifest["spec"]["containers"][0] |= {"image": "registry.invalid/none:1", "imagePullPolicy": "Always"}
    cluster.apply(manifest)
    waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff"
    cluster.kubectl("wait", "pod/imageless", "-n", namespace, waiting, "--timeout=60s")


def _text(manifest: dict[str, object]) -> str:
    return yaml.safe_dump(manifest)

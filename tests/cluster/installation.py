"""The operator as people install it: the chart of this tree, in a release that all tests share."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.bench import BUCKET, CHART, NAMESPACE, RELEASE, SECRET
from tests.cluster.harness.cluster import Cluster, Unsupported
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.project_images import OPERATOR
from trainjobs.api.labels import API_VERSION

CRDS = {f"{plural}.trainjobs.dev" for plural in ("rewardmodelruns", "sftruns", "rlhfruns", "pretrainruns")}
# An annotation of the namespace: what the tests have installed there. Without it, it is somebody else's.
_INSTALLED = "tests.trainjobs.dev/installed"


def install_operator(cluster: Cluster) -> str:
    """Give the nodes the operator's image and install the chart with two replicas; the image's name.

    Test processes that run side by side share the release; one that stands as it should is left alone.
    """
    image = OPERATOR.on(cluster)
    with _alone(cluster):
        text = yaml.safe_dump(chart_values(cluster, image))
        wanted = hashlib.sha256(text.encode() + _content(CHART)).hexdigest()[:16]
        if (installed := _installed(cluster)) != wanted:
            if installed is None:
                _refuse_to_change(cluster)
                cluster.make_namespace(NAMESPACE)
            mark_changed(cluster)
            OPERATOR.load(cluster)
            cluster.s3.make_bucket(BUCKET)
            (cluster.folder / "values.yaml").write_text(text)
            cluster.helm(
                "upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE,
                "--values", str(cluster.folder / "values.yaml"), "--wait", "--timeout", "180s",
            )  # fmt: skip
            _wait_until_runs_may_own(cluster)
            _mark(cluster, wanted)
    return image


def mark_changed(cluster: Cluster) -> None:
    """Have whoever needs the release next install it anew: it is about to be changed."""
    _mark(cluster, "changed")


def remove_operator(cluster: Cluster) -> None:
    """Take away what `install_operator` has brought, the kinds included."""
    with _alone(cluster):
        if _installed(cluster) is None:
            return
        cluster.kubectl("delete", "crd", *sorted(CRDS), "--ignore-not-found", "--timeout=90s")
        cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
        cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=90s")


def _mark(cluster: Cluster, installed: str) -> None:
    cluster.kubectl("annotate", "namespace", NAMESPACE, "--overwrite", f"{_INSTALLED}={installed}")


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Iterator[None]:
    with open(cluster.folder / "operator.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installed(cluster: Cluster) -> str | None:
    """What the tests have installed; None for nothing of theirs."""
    if not cluster.exists("namespace", NAMESPACE):
        return None
    annotations = cluster.get("namespace", NAMESPACE)["metadata"].get("annotations", {})
    return str(annotations[_INSTALLED]) if _INSTALLED in annotations else None


def _refuse_to_change(cluster: Cluster) -> None:
    """Raise where somebody else has installed trainjobs."""
    if cluster.exists("namespace", NAMESPACE) or cluster.exists("crd", *sorted(CRDS)):
        raise Unsupported(
            "this cluster has trainjobs already, and the tests would change it: take another one; where it "
            f"may be changed and removed, make the namespace {NAMESPACE} and annotate it {_INSTALLED}=changed"
        )


def _wait_until_runs_may_own(cluster: Cluster) -> None:
    """Wait until the API server's admission knows the kinds: it looks for new ones twice a minute."""
    owner = {"apiVersion": API_VERSION, "kind": "RewardModelRun", "name": "none", "uid": "none"}
    metadata = {"name": "owned", "ownerReferences": [{**owner, "blockOwnerDeletion": True}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    manifest = json.dumps({**policy, "spec": {"podSelector": {}}})
    # An administrator may name any owner, known or not: asked as the operator.
    operator = f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}"
    create = ("create", "-n", NAMESPACE, operator, "--dry-run=server", "-f", "-")
    wait_for(
        lambda: cluster.try_kubectl(*create, stdin=manifest).returncode == 0,
        "the API server to know runs as owners",
        seconds=90,
        every=1,
    )


def chart_values(cluster: Cluster, image: str) -> dict[str, Any]:
    """What the chart is given on this cluster."""
    repository, _, tag = image.rpartition(":")
    named = {"repository": repository, "tag": tag}
    s3 = cluster.s3
    storage = {"uri": f"s3://{BUCKET}", "endpoint": s3.endpoint, "region": s3.region, "secretName": SECRET}
    return {"operator": {"image": named}, "runs": {"image": named, "storage": storage}}


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

"""What tests do to the release that all of them share, and how it becomes again what it was."""

from typing import Any

from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.operator_fixture import CHART, NAMESPACE, RELEASE, install_operator

DEPLOYMENT = f"deployment/{RELEASE}"


def upgraded(cluster: OwnCluster, *settings: str) -> None:
    """Upgrade the release with some of helm's options more, and wait until it serves."""
    _changed(cluster)
    cluster.helm(
        "upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, "--reuse-values", *settings,
        "--wait", "--timeout", "180s",
    )  # fmt: skip
    replicas(cluster, 2)


def uninstalled(cluster: OwnCluster) -> None:
    """Take the release away, and wait until none of its pods is left."""
    _changed(cluster)
    cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "120s")
    replicas(cluster, 0)


def restored(cluster: OwnCluster) -> None:
    """Make the release what every test takes it for, where it is another."""
    install_operator(cluster)
    scaled(cluster, 2)


def scaled(cluster: OwnCluster, count: int) -> None:
    """Have this many replicas of the operator, and no others."""
    cluster.kubectl("scale", DEPLOYMENT, "-n", NAMESPACE, f"--replicas={count}")
    cluster.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, "--timeout=90s")
    replicas(cluster, count)


def replicas(cluster: OwnCluster, count: int) -> None:
    """Wait until there are this many pods of the operator: those that leave have gone."""
    wait_for(lambda: len(pods(cluster)) == count, f"{count} replicas", seconds=60, every=0.5)


def pods(cluster: OwnCluster) -> list[dict[str, Any]]:
    """The operator's pods."""
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    return list(cluster.get("pods", "-n", NAMESPACE, "-l", selector)["items"])


def leader(cluster: OwnCluster) -> str:
    """The pod that leads; it signs with its name and a word for the process."""
    holder = cluster.get("lease", RELEASE, "-n", NAMESPACE)["spec"]["holderIdentity"]
    return str(holder).rpartition("_")[0]


def _changed(cluster: OwnCluster) -> None:
    """Should this be interrupted: whoever needs the release next installs it anew."""
    (cluster.sandbox.layout.root / "installed").unlink(missing_ok=True)

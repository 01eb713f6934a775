"""What tests do to the release that all of them share, and how it becomes again what it was."""

from tests.cluster.bench import CHART, NAMESPACE, RELEASE, Bench
from tests.cluster.installation import install_operator, mark_changed
from tests.cluster.operator_pods import scaled, until_replicas


def upgraded(bench: Bench, *settings: str) -> None:
    """Upgrade the release with some of helm's options more, and wait until it serves."""
    mark_changed(bench.cluster)
    bench.cluster.helm(
        "upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, "--reuse-values", *settings,
        "--wait", "--timeout", "180s",
    )  # fmt: skip
    until_replicas(bench, 2)


def impatient(bench: Bench) -> None:
    """Hold machines of a namespace's runs for lost soon: by default it takes two minutes."""
    upgraded(bench, "--set", f"namespaces.{bench.namespace}.nodeGraceSeconds=20")


def uninstalled(bench: Bench) -> None:
    """Take the release away, and wait until none of its pods is left."""
    mark_changed(bench.cluster)
    bench.cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "120s")
    until_replicas(bench, 0)


def restored(bench: Bench) -> None:
    """Make the release what every test takes it for, where it is another."""
    install_operator(bench.cluster)
    scaled(bench, 2)

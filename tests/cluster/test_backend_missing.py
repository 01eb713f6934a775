"""A cluster without PyTorchJobs: runs say what is missing, and go on when it is there."""

import pytest

from tests.cluster.bench import Bench
from tests.cluster.harness import training_operator
from tests.cluster.harness.sandbox import wait_for

# Deleting the kind deletes every job of the cluster.
pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("own_cluster")]

CRD = "pytorchjobs.kubeflow.org"


@pytest.fixture
def backend_again(bench: Bench):
    """Give the kind back, whatever becomes of the test."""
    yield
    installed(bench)


def established(bench: Bench) -> bool:
    """Whether the API server serves PyTorchJobs."""
    conditions = bench.cluster.get("crd", CRD).get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def installed(bench: Bench) -> None:
    """Install PyTorchJobs as training-operator's own manifests do, where they are missing."""
    if not bench.cluster.exists("crd", CRD):
        bench.cluster.apply(*training_operator.manifests())
        # `kubectl wait` fails where the kind has no conditions at all yet.
        wait_for(lambda: established(bench), f"{CRD} to be served", seconds=30)
        bench.own.stop_training_operator()
        bench.own.start_training_operator()


def test_runs_wait_for_pytorchjobs_and_go_on_when_they_are_installed(bench: Bench, backend_again):
    bench.apply("running", "--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")
    bench.until_training("running")
    bench.cluster.kubectl("delete", "crd", CRD, "--timeout=60s")
    bench.apply("early", "--steps", "5")
    for name in ("early", "running"):
        bench.until(
            name,
            lambda name=name: bench.condition(name, "Accepted").get("reason") == "BackendMissing",
            "the missing kind to be told",
        )
        accepted = bench.condition(name, "Accepted")
        assert accepted["status"] == "False"
        assert "install Kubeflow's training-operator (v1), the run then goes on" in accepted["message"]
    assert bench.status("early")["phase"] == "Pending"
    installed(bench)
    bench.wait("early", "Succeeded", 180)
    # Its job went with the kind: that costs the attempt, not the training.
    bench.until("running", lambda: "resumed at step" in bench.log_or_none("running", 2), "the resume", 120)
    status = bench.status("running")
    assert (status["restarts"], status["infrastructureRestarts"]) == (0, 1)
    assert bench.condition("running", "Accepted")["status"] == "True"

"""Runs that train for real, with torch in their pods: what comes out, and that no disturbance changes it."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster import release
from tests.cluster.bench import Bench
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.node import Node
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.project_images import TRAINER
from tests.cluster.ratings import STEPS, Ratings, prepare_inputs
from tests.cluster.stored import stored

# It takes both processors, and loses nodes.
pytestmark = [pytest.mark.beside, pytest.mark.timeout(2400, func_only=True)]


@pytest.fixture(scope="module")
def ratings(
    cluster: Cluster, operator_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ratings]:
    """The example's inputs in the cluster's S3, and a namespace whose runs all tests of this file see."""
    bench = Bench(cluster, cluster.make_namespace("real-training"))
    bench.prepare()
    release.impatient(bench)
    found = Ratings(bench, prepare_inputs(tmp_path_factory.mktemp("ratings")))
    found.upload()
    yield found
    bench.leave()


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """How the run ends that nothing happens to."""

    manifest: dict[str, Any]
    status: dict[str, Any]
    model: Path
    asked: int
    """Step of the checkpoint that was asked for meanwhile."""


@pytest.fixture(scope="module")
def undisturbed(ratings: Ratings, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The example from `kubectl apply` to Succeeded, in the trainer's image; asked to save on the way."""
    bench = ratings.bench
    rarely = {"saveEverySteps": 10 * STEPS}
    image, selector = TRAINER.place(bench.cluster)
    manifest = ratings.manifest("whole", runtime={"image": image}, checkpoints=rarely)
    manifest["spec"]["podTemplate"] = {"spec": {"nodeSelector": selector}}
    begun = time.monotonic()
    bench.apply_manifest(manifest)
    bench.until("whole", lambda: bench.status("whole").get("job"), "the job")
    print(f"from apply to the job: {time.monotonic() - begun:.1f} s")
    bench.until("whole", lambda: bench.step("whole") > 0, "the first step", seconds=240)
    print(f"from apply to the first step in the status: {time.monotonic() - begun:.1f} s")
    asked = ask_for_checkpoint(bench)
    bench.wait("whole", "Succeeded", 900)
    home = ratings.pull("whole", tmp_path_factory.mktemp("home") / "model")
    return Undisturbed(manifest, bench.status("whole"), home, asked)


def ask_for_checkpoint(bench: Bench) -> int:
    """Annotate the run, for which none is due, and wait for a checkpoint; its step."""
    begun = time.monotonic()
    bench.kubectl("annotate", "rmrun", "whole", "trainjobs.dev/checkpoint-now=1")
    found = lambda: stored(bench, "whole").newest()  # noqa: E731
    step = bench.until("whole", found, "the checkpoint that was asked for", seconds=60)
    print(f"from the annotation to the complete checkpoint: {time.monotonic() - begun:.1f} s")
    return step


def weights(model: Path) -> bytes:
    """A model's weights, as they are stored."""
    return (model / "model.safetensors").read_bytes()


def figures(status: Mapping[str, Any]) -> dict[str, float]:
    """What a run has reached; how fast it was is another matter."""
    return {name: value for name, value in status["metrics"]["latest"].items() if "per_second" not in name}


def test_the_model_of_the_cluster_scores_as_the_one_trained_here(
    ratings: Ratings, undisturbed: Undisturbed, tmp_path: Path
):
    status = undisturbed.status
    assert (status["attempt"], status["progress"]["step"]) == (1, STEPS)
    assert 0 < undisturbed.asked < STEPS
    here = ratings.run_here(undisturbed.manifest, tmp_path)
    assert ratings.scores(undisturbed.model) == ratings.scores(here)
    assert weights(undisturbed.model) == weights(here)


class Disturbed:
    """One run that much happens to: each disturbance ends an attempt, and the next goes on."""

    def __init__(self, ratings: Ratings, name: str) -> None:
        self.ratings, self.bench, self.name = ratings, ratings.bench, name
        self.attempt = 1
        self.infrastructure = 0

    def pods(self) -> list[dict[str, Any]]:
        """The pods of the current attempt, once it has made steps beyond a checkpoint of its own."""
        latest = self.bench.until(self.name, self._saved, f"attempt {self.attempt} to save", seconds=240)
        self.bench.until(self.name, lambda: self.bench.step(self.name) > latest, "a step after it")
        return self.bench.pods(self.name, self.attempt)

    def _saved(self) -> int:
        status = self.bench.status(self.name)
        latest = (status.get("checkpoints") or {}).get("latest") or {}
        if status.get("attempt") == self.attempt and f"-a{self.attempt:04}" in latest.get("uri", ""):
            return int(latest["step"])
        return 0

    def ended(self, reason: str, what: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until the attempt has ended and the next one resumed; how it failed."""
        begun = time.monotonic()
        following = self.attempt + 1
        self.bench.until(
            self.name, lambda: self.bench.status(self.name).get("attempt") == following, "the next", seconds
        )
        failure = dict(self.bench.status(self.name)["failure"])
        assert failure["reason"] == reason, failure
        self.attempt = following
        known = time.monotonic()
        resumed = self.bench.until(self.name, self._first_step, "a step of the next attempt", seconds=240)
        print(
            f"{what}: {known - begun:.1f} s to attempt {following}, "
            f"{time.monotonic() - begun:.1f} s to its step {resumed}"
        )
        return failure

    def _first_step(self) -> int:
        """The step of an attempt that trains; the status keeps the last attempt's step until then."""
        running = self.bench.condition(self.name, "Running")
        return self.bench.step(self.name) if running.get("reason") == "Training" else 0


@pytest.fixture
def nodes_again(ratings: Ratings):
    """Give back the machine that the test lost."""
    yield
    for node in ratings.bench.own.nodes.values():
        node.recover()


@pytest.mark.usefixtures("own_cluster")
def test_a_run_that_everything_happens_to_ends_as_the_undisturbed_one(
    ratings: Ratings, undisturbed: Undisturbed, nodes_again, tmp_path: Path
):
    bench = ratings.bench
    bench.apply_manifest(ratings.with_torch(ratings.manifest("hurt")))
    run = Disturbed(ratings, "hurt")

    assert ratings.signal_training(run.pods()[1], signal.SIGKILL) == 1
    run.ended("TrainingError", "a worker's process killed")
    status = bench.status("hurt")
    assert (status["restarts"], status["infrastructureRestarts"]) == (1, 0)

    bench.kubectl("delete", "pod", run.pods()[1]["metadata"]["name"], "--wait=false")
    run.ended("PodLost", "a pod deleted")
    bench.kubectl("delete", "pod", run.pods()[0]["metadata"]["name"], "--wait=false")
    run.ended("PodLost", "node 0's pod deleted")

    victim, known = run.pods()[1], bench.step("hurt")
    drained = drain(bench, victim)
    run.ended("Evicted", "a machine drained")
    assert 143 in drained()
    assert stored(bench, "hurt").resumed(5) >= known, "the drained attempt has not saved what it had"

    late = lose_machine(bench, run.pods())
    run.ended("NodeLost", "a machine lost", seconds=300)
    assert bench.status("hurt")["restarts"] == 1
    late.wake_and_end()

    bench.wait("hurt", "Succeeded", 900)
    status = bench.status("hurt")
    assert (status["attempt"], status["progress"]["step"]) == (run.attempt, STEPS)
    assert late.wrote_nothing()
    home = ratings.pull("hurt", tmp_path / "model")
    assert weights(home) == weights(undisturbed.model)
    assert figures(status) == figures(undisturbed.status)


def drain(bench: Bench, pod: dict[str, Any]) -> Callable[[], list[int]]:
    """Evict what runs on a pod's machine, as `kubectl drain` does; returns what tells its exit codes."""
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    codes = '{.status.containerStatuses[*].state.terminated.exitCode}{"\\n"}'
    watching = bench.cluster.watch_kubectl(
        "-n", bench.namespace, "get", "pod", name, "-w", "-o", f"jsonpath={codes}"
    )
    bench.kubectl(
        "drain", node, "--force", "--delete-emptydir-data", "--ignore-daemonsets",
        f"--pod-selector=training.kubeflow.org/job-name={pod['metadata']['labels']['training.kubeflow.org/job-name']}",
    )  # fmt: skip
    bench.kubectl("uncordon", node)

    def ended() -> list[int]:
        watching.terminate()
        return [int(line) for line in watching.communicate()[0].split()]

    return ended


@dataclass(frozen=True, slots=True)
class Late:
    """Agents that are frozen with their machine, while its training goes on, and that come back too late."""

    bench: Bench
    agents: dict[Path, psutil.Process]
    """The log of each."""
    attempt: int
    written: set[int]
    """Steps of the attempt's complete checkpoints when they froze."""

    def wake_and_end(self) -> None:
        """Let them go on; they find that they are not wanted any more, and end by themselves."""
        for agent in self.agents.values():
            agent.resume()
        for log, agent in self.agents.items():
            wait_for(lambda one=agent: not one.is_running(), "a late agent to end", seconds=120)
            said = log.read_text()
            # By the claim in storage, or by the answer to its heartbeat: whichever it meets first.
            assert f"attempt {self.attempt + 1}" in said or "stopped on request" in said, said[-2000:]

    def wrote_nothing(self) -> bool:
        """Whether no checkpoint of their attempt has become complete since they froze."""
        return stored(self.bench, "hurt").complete(self.attempt) <= self.written


def lose_machine(bench: Bench, pods: list[dict[str, Any]]) -> Late:
    """Lose the machine of a run's node 0 to everybody's eyes; its processes run on, but for frozen agents."""
    name = pods[0]["spec"]["nodeName"]
    node = bench.own.nodes[name]
    agents = dict(agent_of(node, pod) for pod in pods if pod["spec"]["nodeName"] == name)
    node.stop_kubelet()
    for agent in agents.values():
        agent.suspend()
    attempt = int(pods[0]["metadata"]["labels"]["trainjobs.dev/attempt"])
    return Late(bench, agents, attempt, stored(bench, "hurt").complete(attempt))


def agent_of(node: Node, pod: dict[str, Any]) -> tuple[Path, psutil.Process]:
    """The agent of a pod, and its log."""
    meta = pod["metadata"]
    processes = [psutil.Process(pid) for pid in node.pod_processes(meta["uid"])]
    [agent] = [one for one in processes if "trainjobs.agent" in one.cmdline()]
    [log] = node.folder.joinpath("pod-logs").glob(f"{meta['namespace']}_{meta['name']}_*/*/0.log")
    return log, agent


def test_a_training_that_needs_more_memory_than_it_may_use_says_so(ratings: Ratings):
    bench = ratings.bench
    spec = {"resources": {"limits": {"memory": "500Mi"}}, "runPolicy": {"maxRestarts": 0}}
    bench.apply_manifest(ratings.with_torch(ratings.manifest("large", **spec)))
    bench.wait("large", "Failed", 180)
    failure = bench.status("large")["failure"]
    assert failure["reason"] == "HostOutOfMemory"
    assert "spec.resources.limits.memory" in failure["advice"]

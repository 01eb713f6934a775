"""`trainjobs logs` of a run in a cluster: a real API server, which asks machines, and a real S3 server."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.controller.control_plane import ControlPlane
from tests.controller.kubelet import Kubelet, kubelet
from tests.controller.operator_process import wait_for
from tests.controller.relay import relay
from tests.controller.world import World, run, stamp
from tests.harness.versitygw import S3Server, free_port, s3, s3_environment  # noqa: F401
from trainjobs.cli.app import app
from trainjobs.core.checkpoints.layout import log_key
from trainjobs.errors import AccessDenied, StorageUnavailable, UsageError
from trainjobs.storage.opening import open_store

FINISHED = {
    "type": "Finished", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": stamp(),
}  # fmt: skip


@pytest.fixture
def machine(plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Kubelet]:
    """A machine whose containers print what the test says."""
    with kubelet(plane, tmp_path, f"machine-of-{namespace}") as one:
        yield one


@pytest.fixture
def storage(s3_environment: S3Server, namespace: str) -> str:  # noqa: F811
    """The run's folder in a bucket."""
    return f"{s3_environment.make_bucket(namespace)}/ml/SFTRun/chat-1a2b3c4d"


def ask(world: World, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["logs", *given(world, *arguments)])


def given(world: World, *arguments: str) -> list[str]:
    return [*arguments, "--kubeconfig", str(world.plane.kubeconfig), "-n", world.namespace]


def refusal(world: World, *arguments: str) -> Any:
    error = ask(world, *arguments).exception
    assert "\n" not in str(error)
    return error


def begun(world: World, attempt: int = 1, *, name: str = "chat", **status: Any) -> str:
    """A run that is in this attempt; its UID."""
    uid = str(world.create(run(name))["metadata"]["uid"])
    world.patch_status(name, {"attempt": attempt, "phase": "Running", **status})
    return uid


def pod(world: World, machine: Kubelet, uid: str, attempt: int = 1, node: int = 0) -> dict[str, Any]:
    """A pod of a run as training-operator makes it, which has not started."""
    names = {
        "trainjobs.dev/run-uid": uid,
        "trainjobs.dev/attempt": str(attempt),
        "training.kubeflow.org/replica-index": str(node),
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"chat-{attempt}-{node}", "labels": names},
        "spec": {
            "nodeName": machine.name,
            "restartPolicy": "Never",
            "containers": [
                {"name": "sidecar", "image": "other:1"},
                {"name": "pytorch", "image": "trainer:1"},
            ],
        },
    }
    path = f"/api/v1/namespaces/{world.namespace}/pods"
    made: dict[str, Any] = world.plane.request("POST", path, body)
    return made


def started(world: World, machine: Kubelet, uid: str, *lines: str, attempt: int = 1, node: int = 0) -> str:
    """A pod that runs and has printed these lines; its name."""
    made = pod(world, machine, uid, attempt, node)
    state = {"running": {"startedAt": stamp()}}
    container = {"name": "pytorch", "image": "trainer:1", "imageID": "", "ready": True, "restartCount": 0}
    world.pod_status(made, phase="Running", containerStatuses=[{**container, "state": state}])
    name = str(made["metadata"]["name"])
    machine.print(name, *lines)
    return name


def ended(world: World, machine: Kubelet, name: str) -> None:
    world.pod_status({"metadata": {"name": name}}, phase="Failed")
    machine.end(name)


def followed(
    world: World, folder: Path, *more: str, port: int | None = None
) -> tuple[Path, "subprocess.Popen[bytes]"]:
    """Where a followed log is written, and what follows it."""
    config = world.plane.write_kubeconfig(folder / "follower", world.plane.token, port=port)
    options = ["--follow", "--kubeconfig", str(config), "-n", world.namespace, *more]
    shown = folder / "shown"
    with shown.open("wb") as file:
        command = [sys.executable, "-m", "trainjobs", "logs", "sftrun/chat", *options]
        return shown, subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)


def test_the_log_of_a_pod_is_what_kubectl_shows_of_it(world: World, machine: Kubelet):
    uid = begun(world)
    name = started(world, machine, uid, "step 1 of 10", "", "第二步", "x" * 40_000)

    shown = ask(world, "sftrun/chat")

    assert shown.exit_code == 0, shown.output
    assert shown.stdout == world.plane.kubectl("-n", world.namespace, "logs", name, "-c", "pytorch")
    assert shown.stdout.splitlines()[:3] == ["step 1 of 10", "", "第二步"]
    assert shown.stderr == f"note: attempt 1 node 0, from pod {name}\n"


def test_attempt_node_and_the_last_lines_are_chosen(world: World, machine: Kubelet):
    uid = begun(world, attempt=2)
    for attempt, node in ((1, 0), (2, 0), (2, 1)):
        started(world, machine, uid, "first", f"attempt {attempt} of node {node}", attempt=attempt, node=node)

    said = [
        ask(world, "sftruns.trainjobs.dev/chat", "--tail", "1", *more).stdout
        for more in ([], ["--attempt", "1"], ["--node", "1"])
    ]

    assert said == ["attempt 2 of node 0\n", "attempt 1 of node 0\n", "attempt 2 of node 1\n"]


def test_where_the_pod_is_gone_storage_tells_it(world: World, machine: Kubelet, storage: str):
    uid = begun(world, attempt=2, storage={"uri": storage})
    open_store(storage).put(log_key(1, 0), gzip.compress(b"one\ntwo\nthree\n"))
    started(world, machine, uid, "running", attempt=2)

    shown = ask(world, "sftrun/chat", "--attempt", "1", "--tail", "2")

    assert (shown.exit_code, shown.stdout) == (0, "two\nthree\n"), shown.output
    assert "attempt 1 node 0 has no pod; from storage, its last part:" in shown.stderr
    listed = json.loads(ask(world, "sftrun/chat", "--output", "json").stdout)["logs"]
    assert listed == [
        {"attempt": 1, "node": 0, "source": "Storage"},
        {"attempt": 2, "node": 0, "source": "Pod"},
    ]


def test_where_the_machine_does_not_answer_storage_tells_it(world: World, machine: Kubelet, storage: str):
    uid = begun(world, storage={"uri": storage})
    open_store(storage).put(log_key(1, 0), gzip.compress(b"brought\n"))
    started(world, machine, uid, "not heard")
    machine.away = True

    shown = ask(world, "sftrun/chat")

    assert (shown.exit_code, shown.stdout) == (0, "brought\n"), shown.output
    assert "does not answer" in shown.stderr


def test_a_log_that_is_nowhere_is_answered_by_where_it_was_looked_for(
    world: World, machine: Kubelet, storage: str
):
    begun(world, attempt=2, storage={"uri": storage})
    open_store(storage).put(log_key(1, 0), gzip.compress(b"brought\n"))

    error = refusal(world, "sftrun/chat")

    assert isinstance(error, UsageError)
    assert f"sftrun/chat in namespace {world.namespace}: attempt 2 node 0 has no pod, and {storage}" in str(
        error
    )
    assert str(error).endswith("has no log of attempt 2 node 0; it has attempt 1 node 0")


def test_a_pod_that_has_not_started_says_what_it_waits_for(world: World, machine: Kubelet):
    uid = begun(world)
    made = pod(world, machine, uid)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    container = {"name": "pytorch", "image": "trainer:1", "imageID": "", "ready": False, "restartCount": 0}
    world.pod_status(made, phase="Pending", containerStatuses=[{**container, "state": waiting}])

    error = refusal(world, "sftrun/chat")

    assert isinstance(error, UsageError)
    assert "attempt 1 node 0 has not started (ImagePullBackOff: no such image)" in str(error)


def test_a_run_that_is_not_there_is_answered_by_those_that_are(world: World):
    begun(world, name="other")

    error = refusal(world, "sftrun/chat")

    assert isinstance(error, UsageError)
    assert str(error).endswith("there is no such run; it has other")
    assert "it has none; give another by -n" in str(refusal(world, "rewardmodelrun/chat"))


def test_storage_in_a_volume_or_away_is_told_with_the_pods_end(world: World, monkeypatch: pytest.MonkeyPatch):
    begun(world, storage={"uri": "pvc://claim/ml/SFTRun/chat-1a2b3c4d"})
    nowhere = f"http://127.0.0.1:{free_port()}"
    begun(world, name="far", storage={"uri": "s3://models/far", "endpoint": nowhere})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("trainjobs.cli.pod_logs.RETRY_SECONDS", 0.5)

    volume, away = refusal(world, "sftrun/chat"), refusal(world, "sftrun/far")

    assert isinstance(volume, UsageError)
    assert "has no pod, and pvc://claim/ml/SFTRun/chat-1a2b3c4d: lies in a volume of the cluster" in str(
        volume
    )
    assert isinstance(away, StorageUnavailable)
    assert "attempt 1 node 0 has no pod, and its storage cannot be read" in str(away)
    assert nowhere in str(away)


def test_who_may_not_read_is_told_what(world: World, tmp_path: Path):
    begun(world)
    world.plane.kubectl("-n", world.namespace, "create", "serviceaccount", "nobody")
    token = world.plane.kubectl("-n", world.namespace, "create", "token", "nobody").strip()
    other = world.plane.write_kubeconfig(tmp_path / "nobody", token)

    ended = CliRunner().invoke(
        app, ["logs", "sftrun/chat", "-n", world.namespace, "--kubeconfig", str(other)]
    )

    assert isinstance(ended.exception, AccessDenied)
    assert f"sftrun/chat in namespace {world.namespace}: the cluster does not allow it" in str(
        ended.exception
    )


def test_who_may_see_runs_and_no_pods_reads_storage(
    world: World, machine: Kubelet, storage: str, tmp_path: Path
):
    started(world, machine, begun(world, storage={"uri": storage}), "not for everybody")
    place = ("-n", world.namespace, "create")
    world.plane.kubectl(*place, "serviceaccount", "reader")
    world.plane.kubectl(*place, "role", "reader", "--verb=get,list", "--resource=sftruns.trainjobs.dev")
    account = f"--serviceaccount={world.namespace}:reader"
    world.plane.kubectl(*place, "rolebinding", "reader", "--role=reader", account)
    token = world.plane.kubectl(*place, "token", "reader").strip()
    config = str(world.plane.write_kubeconfig(tmp_path / "reader", token))
    asked = ["logs", "sftrun/chat", "-n", world.namespace, "--kubeconfig", config]

    neither = CliRunner().invoke(app, asked)
    open_store(storage).put(log_key(1, 0), gzip.compress(b"brought\n"))
    stored, followed = (CliRunner().invoke(app, [*asked, *more]) for more in ([], ["--follow"]))

    assert isinstance(neither.exception, AccessDenied)
    assert (stored.exit_code, stored.stdout) == (0, "brought\n"), stored.output
    assert 'cannot list resource "pods"' in stored.stderr
    assert isinstance(followed.exception, AccessDenied)


def test_a_followed_log_goes_on_over_cuts_and_attempts_and_ends_with_the_run(
    world: World, machine: Kubelet, tmp_path: Path
):
    uid = begun(world)
    first = started(world, machine, uid, "a 0", "a 1", "a 2")
    shown, process = followed(world, tmp_path, "--tail", "2")
    try:
        wait_for(lambda: shown.read_text() == "a 1\na 2\n", "the first lines", seconds=60)
        machine.cut()
        machine.print(first, "a 3")
        wait_for(lambda: "a 3" in shown.read_text(), "what came after the cut", seconds=60)
        # The second has ended before anybody looks: what it said is not left out.
        ended(world, machine, started(world, machine, uid, "s 1", "s 2", "s 3", attempt=2))
        second = started(world, machine, uid, "b 1", attempt=3)
        world.patch_status("chat", {"attempt": 3})
        ended(world, machine, first)
        wait_for(lambda: "b 1" in shown.read_text(), "the newest attempt", seconds=60)
        machine.print(second, "b 2")
        world.patch_status("chat", {"conditions": [FINISHED]})
        ended(world, machine, second)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    assert shown.read_text() == "a 1\na 2\na 3\ns 1\ns 2\ns 3\nb 1\nb 2\n"


def test_a_followed_log_goes_on_without_a_machine_that_is_lost_and_when_the_cluster_answers_again(
    world: World, machine: Kubelet, tmp_path: Path
):
    uid = begun(world)
    started(world, machine, uid, "a 1")
    with relay(world.plane.port) as line:
        shown, process = followed(world, tmp_path, port=line.port)
        try:
            wait_for(lambda: shown.read_text() == "a 1\n", "the first line", seconds=60)
            line.close()
            # Its pod is there for good, as the machine says nothing of it.
            machine.away = True
            with kubelet(world.plane, tmp_path, f"other-of-{world.namespace}") as other:
                second = started(world, other, uid, "b 1", attempt=2)
                world.patch_status("chat", {"attempt": 2})
                line.open()
                wait_for(lambda: "b 1" in shown.read_text(), "the next attempt", seconds=60)
                world.patch_status("chat", {"conditions": [FINISHED]})
                ended(world, other, second)
                assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()
    assert shown.read_text() == "a 1\nb 1\n"


@pytest.mark.parametrize("content", ["", "- a\n", "clusters: 7\n", "a: [", None])
def test_what_is_no_kubeconfig_is_named(tmp_path: Path, content: str | None):
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)

    ended = CliRunner().invoke(app, ["logs", "sftrun/chat", "--kubeconfig", str(file)])

    assert isinstance(ended.exception, UsageError)
    assert str(file) in str(ended.exception)
    assert "\n" not in str(ended.exception)


def test_a_context_that_is_not_there_and_a_cluster_that_does_not_answer_are_told(
    plane: ControlPlane, tmp_path: Path
):
    file = plane.write_kubeconfig(tmp_path / "config", "any", port=free_port())

    wrong = CliRunner().invoke(app, ["logs", "sftrun/a", "--kubeconfig", str(file), "--context", "lab"])
    silent = CliRunner().invoke(app, ["logs", "sftrun/a", "--kubeconfig", str(file)])

    assert isinstance(wrong.exception, UsageError)
    assert "lab" in str(wrong.exception)
    assert isinstance(silent.exception, UsageError)
    assert "the cluster does not answer" in str(silent.exception)


def test_the_namespace_of_the_context_is_the_default(world: World, machine: Kubelet, tmp_path: Path):
    started(world, machine, begun(world), "here")
    config = yaml.safe_load(world.plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = world.namespace
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))

    assert CliRunner().invoke(app, ["logs", "sftrun/chat", "--kubeconfig", str(file)]).stdout == "here\n"

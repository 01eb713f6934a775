"""Installing, upgrading and taking away the operator: runs go on, and what people have stays."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import release
from tests.cluster.bench import NAMESPACE, RELEASE, Bench
from tests.cluster.installation import CRDS
from tests.cluster.operator_pods import leader, operator_pods, scaled

pytestmark = pytest.mark.alone

ENDLESS = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")
AS_TRAINER = {"runtime": {"command": ["/scripts/trains.py", "--steps", "5"], "serviceAccountName": "trainer"}}


@pytest.fixture
def release_again(bench: Bench):
    """Leave the release behind as every other test takes it for."""
    yield
    release.restored(bench)


def uids(pods: Iterable[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


def ends_undisturbed(bench: Bench, name: str) -> None:
    """Tell the script that it is enough: it saves and ends well, in the one attempt there was."""
    [pod] = bench.pods(name)
    assert bench.signal_training(pod, signal.SIGTERM) == 1
    bench.wait(name, "Succeeded", 90)
    status = bench.status(name)
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)


@pytest.mark.usefixtures("own_cluster")
def test_an_operator_at_rest_needs_less_than_it_asks_for(bench: Bench):
    first = leader(bench)
    before = {name: processes(bench, pod) for name, pod in operator_pods(bench).items()}
    used = {name: sum(map(processor_seconds, found)) for name, found in before.items()}
    seconds = 10.0
    time.sleep(seconds)
    for name, found in before.items():
        share = (sum(map(processor_seconds, found)) - used[name]) / seconds
        memory = sum(map(resident_bytes, found))
        role = "leader" if name == first else "standby"
        print(f"{role} at rest: {memory / 2**20:.0f} MiB resident, {1000 * share:.0f} thousandths of a core")
        # The chart's requests: 100m and 256Mi.
        assert memory < 256 * 2**20
        assert share < 0.1


def test_helm_test_passes_while_an_operator_answers_and_not_otherwise(bench: Bench, release_again):
    command = ("test", RELEASE, "--namespace", NAMESPACE, "--timeout", "120s")
    said = bench.cluster.helm(*command, "--logs")
    for check in ("check_kinds: ok", "check_operator: ok", "check_status_server: ok"):
        assert check in said
    scaled(bench, 0)
    with pytest.raises(RuntimeError, match="failed"):
        bench.cluster.helm(*command)
    log = bench.cluster.kubectl("logs", f"{RELEASE}-test", "-n", NAMESPACE)
    assert "check_kinds: ok" in log
    assert "check_operator: ok" not in log
    bench.cluster.kubectl("delete", "pod", f"{RELEASE}-test", "-n", NAMESPACE, "--wait=false")


def test_an_upgrade_replaces_the_operators_pods_and_changes_settings_and_runs_go_on(
    bench: Bench, release_again
):
    bench.apply("through", *ENDLESS)
    bench.until_training("through")
    own, operators = uids(bench.pods("through")), uids(operator_pods(bench).values())
    settings = f"namespaces.{bench.namespace}"
    begun = time.monotonic()
    release.upgraded(bench,
        "--set", f"{settings}.storage.uri=s3://{bench.namespace}/own",
        "--set", f"{settings}.storage.endpoint={bench.cluster.s3.endpoint}",
        "--set", f"{settings}.storage.secretName=own-keys",
        "--set", f"{settings}.serviceAccounts={{trainer}}",
        "--set", "operator.workers=4,operator.resyncSeconds=10",
    )  # fmt: skip
    print(f"the upgrade took {time.monotonic() - begun:.1f} s")
    assert uids(operator_pods(bench).values()).isdisjoint(operators)
    step = bench.step("through")
    bench.until("through", lambda: bench.step("through") > step, "the new leader to hear of a step", 60)
    assert uids(bench.pods("through")) == own
    ends_undisturbed(bench, "through")
    has_storage_and_account_of_its_own(bench)
    may_not_use_the_account(bench)


def has_storage_and_account_of_its_own(bench: Bench) -> None:
    """A run of the namespace waits for the ServiceAccount that it may name, and uses its storage and keys."""
    s3 = bench.cluster.s3
    bench.kubectl(
        "create", "secret", "generic", "own-keys",
        f"--from-literal=AWS_ACCESS_KEY_ID={s3.access_key}",
        f"--from-literal=AWS_SECRET_ACCESS_KEY={s3.secret_key}",
    )  # fmt: skip
    bench.apply("local", spec=AS_TRAINER)
    refused = "there is no ServiceAccount trainer in this namespace"
    bench.until(
        "local",
        lambda: refused in bench.condition("local", "Accepted").get("message", ""),
        "the missing ServiceAccount to be told",
        30,
    )
    assert bench.condition("local", "Accepted")["status"] == "False"
    bench.kubectl("create", "serviceaccount", "trainer")
    # Nobody watches ServiceAccounts: the next look at all runs finds it.
    bench.wait("local", "Succeeded", 120)
    [pod] = bench.pods("local")
    assert pod["spec"]["serviceAccountName"] == "trainer"
    assert bench.status("local")["artifacts"]["model"].startswith(f"s3://{bench.namespace}/own/")
    assert list(s3.open(f"s3://{bench.namespace}/own/{bench.namespace}").list())


def may_not_use_the_account(bench: Bench) -> None:
    """What one namespace may, another may not."""
    other = Bench(bench.cluster, bench.cluster.make_another_namespace(bench.namespace, "other"))
    other.prepare()
    other.kubectl("create", "serviceaccount", "trainer")
    other.apply("foreign", spec=AS_TRAINER)
    other.wait("foreign", "Failed", 30)
    assert other.condition("foreign", "Accepted")["reason"] == "PolicyDenied"
    other.leave()


def test_an_uninstall_keeps_kinds_runs_and_data_and_a_new_release_goes_on(bench: Bench, release_again):
    cluster = bench.cluster
    bench.apply("done", "--steps", "5")
    bench.apply("kept", *ENDLESS)
    bench.wait("done", "Succeeded", 90)
    own = uids([bench.until_training("kept")])
    release.uninstalled(bench)
    kinds = {one["metadata"]["name"] for one in cluster.get("crd")["items"]}
    assert kinds >= CRDS
    assert not cluster.exists("clusterrole", RELEASE)
    assert bench.status("done")["phase"] == "Succeeded"
    assert "artifacts/model-a0001/config.json" in bench.stored("done", bench.run("done")["metadata"]["uid"])
    uid = bench.run("kept")["metadata"]["uid"]
    stored = newest(bench, "kept", uid)
    bench.until("kept", lambda: newest(bench, "kept", uid) > stored, "training to go on alone", 60)
    assert uids(bench.pods("kept")) == own
    begun = time.monotonic()
    release.restored(bench)
    step = bench.step("kept")
    bench.until("kept", lambda: bench.step("kept") > step, "the new release to hear of a step", 60)
    print(f"from the new installation to the next step in the status: {time.monotonic() - begun:.1f} s")
    assert uids(bench.pods("kept")) == own
    ends_undisturbed(bench, "kept")
    assert bench.run("done")["status"]["phase"] == "Succeeded"


def newest(bench: Bench, name: str, uid: str) -> int:
    """The step of the newest complete checkpoint in storage."""
    folders = {key.split("/")[1] for key in bench.stored(name, uid) if key.endswith("MANIFEST.json")}
    return max(int(folder.split("-")[1]) for folder in folders)


def processes(bench: Bench, pod: dict[str, Any]) -> list[int]:
    return bench.own.nodes[pod["spec"]["nodeName"]].pod_processes(pod["metadata"]["uid"])


def processor_seconds(pid: int) -> float:
    # After the command's name, which may hold blanks: user and system time are fields 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024

"""Others write what the operator has written: a backup of an older status, or anybody at the same time."""

import itertools
import json
import threading
from typing import Any

from kubernetes import client, config

from tests.cluster.bench import NAMESPACE, Bench
from tests.cluster.operator_pods import leader
from tests.cluster.stored import stored, undisturbed
from tests.harness import attempts

STEPS = 160
SCRIPT = ("--steps", str(STEPS), "--step-seconds", "0.25", "--save-every", "10")


def restored(bench: Bench, name: str, status: dict[str, Any]) -> None:
    """Put an older status in place of the one that is there, as a restore from a backup does."""
    # A patch, as `kubectl replace` reads the run first, and the operator may be faster than its write.
    patch = json.dumps([{"op": "replace", "path": "/status", "value": status}])
    bench.kubectl("patch", bench.kind, name, "--subresource=status", "--type=json", "-p", patch)


def suspended(bench: Bench, name: str, word: str) -> None:
    patch = '{"spec":{"runPolicy":{"suspend":' + word + "}}}"
    bench.kubectl("patch", "rmrun", name, "--type=merge", "-p", patch)


def test_a_status_from_an_old_backup_takes_up_what_runs_and_is_fenced_by_what_is_stored(bench: Bench):
    for name in ("running", "resting"):
        bench.apply(name, *SCRIPT)
    for name in ("running", "resting"):
        bench.until_training(name)
    backups = {name: bench.status(name) for name in ("running", "resting")}
    for name in ("running", "resting"):
        bench.kubectl("delete", "pod", bench.pods(name)[0]["metadata"]["name"], "--wait=false")
    for name in ("running", "resting"):
        bench.until_training(name, 2)

    # One is restored while its second attempt runs: that goes on, and is not started again.
    restored(bench, "running", backups["running"])
    bench.until("running", lambda: bench.status("running")["attempt"] == 2, "the attempt to be taken up")

    # The other is restored when nothing of it is left but what storage has: there, six attempts are newer.
    suspended(bench, "resting", "true")
    bench.until("resting", lambda: bench.status("resting").get("phase") == "Suspended", "the rest")
    folder = stored(bench, "resting")
    at_rest = folder.newest()
    attempts.begin(folder.store, 8, "a-job", "a-pod")
    restored(bench, "resting", backups["resting"])
    suspended(bench, "resting", "false")

    for name, attempt in (("running", 2), ("resting", 9)):
        bench.wait(name, "Succeeded", 120)
        status = bench.status(name)
        assert (status["attempt"], status["restarts"]) == (attempt, 0), bench.story(name)
        assert stored(bench, name).weight() == undisturbed(STEPS)
        assert stored(bench, name).store.verify() == ()
    assert folder.resumed(9) == at_rest > 0
    assert folder.store.attempts.numbers() == (1, 2, 8, 9)


def write_all_the_time(bench: Bench, name: str, stop: threading.Event, written: list[int]) -> None:
    """Patch a run's status and its annotations again and again, without a look at what is there."""
    api = client.CustomObjectsApi(config.new_client_from_config(str(bench.cluster.kubeconfig)))
    place = ("trainjobs.dev", "v1alpha1", bench.namespace, "rewardmodelruns", name)
    for number in itertools.count(1):
        if stop.wait(0.05):
            return
        api.patch_namespaced_custom_object(*place, {"metadata": {"annotations": {"count": str(number)}}})
        api.patch_namespaced_custom_object_status(*place, {"status": {"display": {"eta": str(number)}}})
        written[:] = [number]


def overtaken(bench: Bench) -> float:
    """How often the operator's leader found that somebody else had written meanwhile."""
    # Asked inside its pod: where policies are enforced, only pods may ask from outside.
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    command = ("exec", leader(bench), "-n", NAMESPACE, "--", "python", "-c", ask)
    lines = bench.cluster.kubectl(*command).splitlines()
    name = "trainjobs_reconcile_duration_seconds_count"
    found = (line for line in lines if line.startswith(name) and 'outcome="Overtaken"' in line)
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_a_run_goes_its_way_though_another_writes_to_it_all_the_time(bench: Bench):
    bench.apply("contended", "--steps", "80", "--step-seconds", "0.25", "--save-every", "20")
    before, stop, written = overtaken(bench), threading.Event(), [0]
    writer = threading.Thread(target=write_all_the_time, args=(bench, "contended", stop, written))
    writer.start()
    try:
        bench.wait("contended", "Succeeded", 120)
    finally:
        stop.set()
        writer.join()
    print(f"{written[0]} writes of another; the operator was overtaken {overtaken(bench) - before:.0f} times")
    assert overtaken(bench) > before
    assert bench.run("contended")["metadata"]["annotations"]["count"] == str(written[0])
    status = bench.status("contended")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
    assert status["progress"]["step"] == 80
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 1
    assert stored(bench, "contended").weight() == undisturbed(80)

"""What people see and do with kubectl alone."""

import re
import signal
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from tests.cluster.bench import Bench
from trainjobs.api.base import Section
from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.runs import KINDS, Run

SCRIPT = ("--steps", "60", "--step-seconds", "0.25", "--save-every", "8")
STORY = [
    "AttemptCreated",
    "Scheduled",
    "Training",
    "TrainingError",
    "AttemptCreated",
    "Scheduled",
    "Training",
    "Succeeded",
]


def test_a_run_with_one_restart_is_told_by_its_columns_and_its_events(bench: Bench):
    # Judged by the one figure that the light script reports.
    bench.apply("told", *SCRIPT, spec={"checkpoints": {"keepBest": {"metric": "loss"}}})
    pod = bench.until_training("told")
    assert bench.signal_training(pod, signal.SIGKILL) == 1
    bench.kubectl("wait", "rmrun/told", "--for=condition=Succeeded", "--timeout=120s")
    header, row = bench.kubectl("get", "rmrun", "-o", "wide").splitlines()
    columns = ["NAME", "PHASE", "PROGRESS", "STEP", "LOSS", "ETA", "RESTARTS", "AGE"]
    assert header.split() == [*columns, "BEST", "CHECKPOINT", "ATTEMPT"]
    shown = {name: row[header.index(name) :].split("  ")[0].strip() for name in header.split()}
    assert (shown["NAME"], shown["PHASE"], shown["PROGRESS"]) == ("told", "Succeeded", "100%")
    assert (shown["STEP"], shown["RESTARTS"], shown["ATTEMPT"]) == ("60/60", "1", "2")
    assert float(shown["LOSS"]) < 1e-4
    assert re.fullmatch(r"loss=[0-9.e-]+", shown["BEST"])
    assert int(shown["CHECKPOINT"]) == 56
    assert re.fullmatch(r"\d+[sm]\d*s?", shown["AGE"])
    told = bench.kubectl("describe", "rmrun", "told").partition("\nEvents:")[2]
    reasons = [line.split()[1] for line in told.splitlines() if line.startswith(("  Normal", "  Warning"))]
    # Read from top to bottom, it is the story; how soon it is seen to start is chance.
    assert [one for one in reasons if one != "Starting"] == STORY
    assert f"attempt 1: node 0 on {pod['spec']['nodeName']}" in told
    assert "SIGKILL" in told


def test_a_deleted_run_leaves_no_pods_services_and_policies(bench: Bench):
    bench.apply("fleeting", "--steps", "600", "--step-seconds", "0.25")
    bench.until_training("fleeting")
    for kind in ("services", "networkpolicies", "pods"):
        assert bench.cluster.get(kind, "-n", bench.namespace)["items"], kind
    bench.kubectl("delete", "rmrun", "fleeting", "--timeout=60s")
    for kind in ("pytorchjobs", "services", "networkpolicies", "pods"):
        bench.until_gone(kind, 60)


def test_trainruns_lists_runs_of_every_kind(bench: Bench):
    names = []
    for kind in KINDS:
        bench.of(kind.__name__).apply("resting", spec={"runPolicy": {"suspend": True}})
        names.append(f"{kind.__name__.lower()}.trainjobs.dev/resting")
        bench.of(kind.__name__).until(
            "resting",
            lambda kind=kind: bench.of(kind.__name__).status("resting").get("phase") == "Suspended",
            f"the {kind.__name__} to rest",
            30,
        )
    listed = bench.kubectl("get", "trainruns", "--no-headers")
    assert [line.split()[:2] for line in sorted(listed.splitlines()) if line] == [
        [name, "Suspended"] for name in sorted(names)
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short_name)
def test_explain_knows_every_field(bench: Bench, kind: type[Run]):
    told = set(explained(bench.kubectl("explain", f"{kind.short_name}.spec", "--recursive")))
    spec = kind.model_fields["spec"].annotation
    assert told == set(fields(spec))
    taught = bench.kubectl("explain", f"{kind.short_name}.spec.checkpoints.keepLatest")
    assert Checkpoints.model_fields["keep_latest"].description in taught


def explained(text: str) -> Iterator[str]:
    """The paths of the fields that `kubectl explain --recursive` lists."""
    above: list[str] = []
    for line in text.partition("FIELDS:\n")[2].splitlines():
        if found := re.match(r"( +)(\w+)\t<", line):
            depth = len(found[1]) // 2 - 1
            above = [*above[:depth], found[2]]
            yield ".".join(above)


def fields(model: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields of a section, and of those in it."""
    for name, field in model.model_fields.items():
        below = f"{path}{field.alias or name}"
        yield below
        for inner in nested(field.annotation):
            yield from fields(inner, f"{below}.")


def nested(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a field holds: one, a list or a map of it, or perhaps none."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from nested(argument)

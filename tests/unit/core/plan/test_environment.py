"""What an agent reads from its environment stands in the plan: nothing else there counts."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import trainjobs
from tests.unit.core.plan.builders import PLATFORM, a_plan
from trainjobs.agent.launch import Rendezvous, plan_launch
from trainjobs.agent.options import parse_options
from trainjobs.core.plan.environment import SILENT
from trainjobs.core.plan.render import rendering
from trainjobs.core.recipe.model import Inputs
from trainjobs.core.settings import Settings
from trainjobs.errors import TrainjobsError
from trainjobs.storage.settings import StorageSettings

HERE = Path(trainjobs.__file__).parent
PACKAGES_OF_AGENTS = ("agent", "ml", "storage", "core")
LITERAL = re.compile(r'"(TRAINJOBS_[A-Z0-9_]+)"')
LEAST: dict[str, Any] = {}
MOST: dict[str, Any] = {
    "workspace": {"cacheClaimName": "cache"},
    "checkpoints": {"storage": {"uri": "s3://runs", "secretName": "bucket"}},
}
REPORTING = PLATFORM.model_copy(update={"status_url": "https://status", "status_ca": "PEM"})
INPUTS = Inputs(model="/m", tokenizer="/t", train="/d/train.jsonl", output="/w/output")


class Watched(dict[str, str]):
    """An environment that keeps in mind what was looked up in it."""

    def __init__(self, **variables: str) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def read_by_agents() -> set[str]:
    """Every variable of ours that an agent looks up, by flags or by name."""
    flags, storage = Watched(), Watched()
    with suppress(TrainjobsError):
        parse_options([], flags)
    StorageSettings.from_environment(storage)
    ours = {name for name in flags.asked | storage.asked if name.startswith("TRAINJOBS_")}
    return ours | set(named_in_sources()) - told_to_training()


def named_in_sources() -> Iterator[str]:
    for package in PACKAGES_OF_AGENTS:
        for file in (HERE / package).rglob("*.py"):
            yield from LITERAL.findall(file.read_text())


def told_to_training() -> set[str]:
    """What an agent says to the processes that it starts, whatever it was told itself."""
    everything = INPUTS.model_copy(update={"eval": "/e", "test": "/t", "resume_from": "/r"})
    return {name for name in launched(everything, {}) if name.startswith("TRAINJOBS_")}


def launched(inputs: Inputs, environment: dict[str, str]) -> dict[str, str]:
    recipe = a_plan(runtime={"command": ["-m", "mine"]}).recipe
    meeting = Rendezvous(attempt=1, node_rank=0, address="h", port=1)
    return dict(plan_launch(recipe, inputs, Path("/r"), meeting, environment).environment)


def planned(settings: Settings, **spec: Any) -> dict[str, Any]:
    job = rendering(a_plan(settings=settings, **spec)).objects[1]
    container = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    names = [one["name"] for one in container["env"]]
    assert len(names) == len(set(names))
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_this_sees_what_agents_read() -> None:
    found = read_by_agents()

    assert {"TRAINJOBS_RECIPE", "TRAINJOBS_PVC_ROOT", "TRAINJOBS_S3_ADDRESSING", "TRAINJOBS_PY_SPY"} <= found
    assert "TRAINJOBS_OUTPUT_DIR" not in found


@pytest.mark.parametrize(("settings", "spec"), [(PLATFORM, LEAST), (REPORTING, LEAST), (REPORTING, MOST)])
def test_everything_that_an_agent_reads_is_said_by_the_plan(settings: Settings, spec: dict) -> None:
    assert read_by_agents() <= planned(settings, **spec).keys()


def test_the_plan_says_nothing_that_no_agent_reads() -> None:
    said = {name for name in planned(REPORTING, **MOST) if name.startswith("TRAINJOBS_")}

    assert said <= read_by_agents()


def test_what_a_plan_need_not_say_is_said_to_be_nothing() -> None:
    nothing = dict.fromkeys(SILENT, "")
    needed = ["--recipe=r", "--attempt=1", "--pod-uid=u", "--workspace=/w"]
    storage = [StorageSettings.from_environment(one) for one in (nothing, {})]

    assert {name for name, value in planned(PLATFORM).items() if value == ""} == set(SILENT)
    assert parse_options(needed, nothing) == parse_options(needed, {})
    assert (storage[0].keys, storage[0].addressing) == (storage[1].keys, storage[1].addressing)


def test_what_the_platform_or_the_run_says_is_not_silenced() -> None:
    given = PLATFORM.model_copy(update={"env": [{"name": "TRAINJOBS_S3_ADDRESSING", "value": "virtual"}]})

    assert planned(given)["TRAINJOBS_S3_ADDRESSING"] == "virtual"
    assert planned(REPORTING, **MOST)["TRAINJOBS_STORAGE_KEYS"] == "/etc/trainjobs/storage-keys"
    own = {"env": [{"name": "AWS_ACCESS_KEY_ID", "value": "mine"}]}
    assert planned(REPORTING, **MOST, runtime=own)["TRAINJOBS_STORAGE_KEYS"] == ""


def test_a_script_is_told_of_nothing_that_is_not_there() -> None:
    inherited = {"TRAINJOBS_RESUME_FROM": "/of/somebody", "TRAINJOBS_TEST_DATA": "/of/somebody"}

    assert launched(INPUTS, inherited).keys().isdisjoint(inherited)
    assert launched(INPUTS, inherited)["TRAINJOBS_TRAIN_DATA"] == "/d/train.jsonl"

"""Parts of the agent that are a page each."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainjobs.agent.hang import hang_message
from trainjobs.agent.history import HistoryTail
from trainjobs.agent.hub import HubPlace, parse_hub_uri
from trainjobs.agent.oom import oom_kills
from trainjobs.agent.options import parse_options
from trainjobs.agent.places import local_path, volume_uri
from trainjobs.agent.record import Ending, final_record
from trainjobs.agent.secrets import Secrets
from trainjobs.core.metrics_history import MetricRecord
from trainjobs.core.recipe.model import Limits
from trainjobs.errors import Fenced, InvalidRecipe, TrainingError, UsageError

NEEDED = ["--recipe=r.json", "--attempt=2", "--pod-uid=p", "--workspace=/w"]
LIMITS = Limits(start_timeout_seconds=100, hang_timeout_seconds=10)


def test_flags_come_before_the_environment():
    environment = {"TRAINJOBS_ATTEMPT": "7", "TRAINJOBS_NODE_RANK": "3", "TRAINJOBS_CACHE": "/c"}
    options = parse_options(NEEDED, environment)
    assert (options.attempt, options.node_rank, options.cache) == (2, 3, Path("/c"))
    assert parse_options(NEEDED, {}).cache == Path("/w/cache")


def test_the_environment_alone_is_enough():
    environment = {
        f"TRAINJOBS_{flag[2:].partition('=')[0].replace('-', '_').upper()}": flag.partition("=")[2]
        for flag in NEEDED
    }
    assert parse_options([], environment) == parse_options(NEEDED, {})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (NEEDED[1:], "--recipe"),
        ([*NEEDED, "--attempt=zero"], "--attempt"),
        ([*NEEDED, "--node-rank=-1"], "--node-rank -1"),
        ([*NEEDED, "--log-format=xml"], "neither plain nor json"),
        ([*NEEDED, "--frobnicate"], "--frobnicate"),
    ],
)
def test_a_wrong_flag_is_named(arguments, words):
    with pytest.raises(UsageError, match=words):
        parse_options(arguments, {})


@pytest.mark.parametrize(
    ("silent", "step", "at_end", "words"),
    [
        (9.0, 5, False, None),
        (11.0, 5, False, "no step within 10 s after step 5"),
        (99.0, None, False, None),
        (101.0, None, False, "no first step within 100 s"),
        (99.0, 50, True, None),
        (101.0, 50, True, "no end within 100 s after the last step 50"),
    ],
)
def test_each_part_of_a_training_has_its_own_patience(silent, step, at_end, words):
    message = hang_message(LIMITS, silent_seconds=silent, step=step, at_end=at_end)
    assert message is None if words is None else words in message


def cgroup(folder: Path, own: str, counter: str, text: str) -> int | None:
    (folder / "self").write_text(own)
    path = folder / "mnt" / counter
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return oom_kills(folder / "self", folder / "mnt")


V1 = "9:cpu:/\n4:memory:/pod/x\n0::/\n"
V2 = "0::/pod/x\n"


@pytest.mark.parametrize(
    ("own", "counter", "text", "kills"),
    [
        (V1, "memory/pod/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        (V1, "memory/memory.oom_control", "oom_kill 2\n", 2),
        (V2, "pod/x/memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n", 1),
        (V2, "memory.events", "oom 1\noom_kill 4\n", 4),
        (V2, "pod/x/memory.events", "nothing of the kind\n", None),
        ("", "memory.events", "oom_kill 4\n", None),
    ],
)
def test_the_kernels_counter_is_found_in_both_kinds_of_cgroup(tmp_path, own, counter, text, kills):
    assert cgroup(tmp_path, own, counter, text) == kills


def test_history_is_read_by_whole_lines_once_and_again_after_a_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [
        MetricRecord(
            step=step, epoch=0, time=datetime(2026, 1, 1, tzinfo=UTC), metrics={"loss": 1.0}
        ).model_dump_json(by_alias=True)
        for step in range(4)
    ]
    tail = HistoryTail(path, attempt=1)
    assert tail.new_records() == ()
    path.write_text(lines[0] + "\n" + lines[1][:10])
    assert [record.step for record in tail.new_records()] == [0]
    path.write_text(lines[0] + "\n" + lines[1] + "\nnot a record\n" + lines[2] + "\n")
    assert [record.step for record in tail.new_records()] == [1, 2]
    path.write_text(lines[0] + "\n")
    assert tail.new_records() == ()
    with path.open("a") as file:
        file.write(lines[3] + "\n")
    assert [record.step for record in tail.new_records()] == [3]


def test_history_of_earlier_attempts_is_no_news(tmp_path):
    path = tmp_path / "metrics.jsonl"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for attempt, step in ((1, 10), (1, 20), (2, 30)):
        record = MetricRecord(step=step, epoch=0, time=now, attempt=attempt, metrics={"loss": 1.0})
        with path.open("a") as file:
            file.write(record.model_dump_json(by_alias=True) + "\n")
    assert [record.step for record in HistoryTail(path, attempt=2).new_records()] == [30]


def test_places_are_found_under_their_mounts():
    roots = (Path("/pvc"), Path("/configmaps"))
    assert local_path("file:///data/a%20b#1.jsonl", *roots) == Path("/data/a%20b#1.jsonl")
    assert local_path("pvc://models/qwen/7b", *roots) == Path("/pvc/models/qwen/7b")
    assert local_path("configMap://rows/train.jsonl", *roots) == Path("/configmaps/rows/train.jsonl")
    assert volume_uri("pvc://c/x", Path("/mnt")) == "file:///mnt/c/x"
    assert volume_uri("s3://b/x", Path("/mnt")) == "s3://b/x"


@pytest.mark.parametrize("uri", ["file://./a", "pvc://c/../../etc", "file:///a/../b", "ftp://x/y"])
def test_a_path_that_is_relative_or_escapes_is_refused(uri):
    with pytest.raises(InvalidRecipe):
        local_path(uri, Path("/pvc"), Path("/configmaps"))


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("hf://org/name", HubPlace("org/name", "main", "")),
        ("hf://bert-base-uncased", HubPlace("bert-base-uncased", "main", "")),
        ("hf://gpt2@v2", HubPlace("gpt2", "v2", "")),
        ("hf://org/name@v2", HubPlace("org/name", "v2", "")),
        ("hf://org/name@abc/data/train.jsonl", HubPlace("org/name", "abc", "data/train.jsonl")),
    ],
)
def test_a_hub_uri_is_taken_apart(uri, place):
    assert parse_hub_uri(uri) == place


@pytest.mark.parametrize("uri", ["hf://", "hf:///name", "hf://org/", "hf://@v2", "hf://org/@v2"])
def test_a_hub_uri_without_a_repository_is_refused(uri):
    with pytest.raises(InvalidRecipe, match="hf://organisation/name"):
        parse_hub_uri(uri)


def test_a_record_carries_advice_and_no_secret():
    ending = Ending(TrainingError("the key sesame-open was refused"), last_lines="used sesame-open\nbye")
    environment = {"AWS_SECRET_ACCESS_KEY": "sesame-open", "API_TOKEN": "bye", "HOME": "refused!"}
    record = final_record(ending, attempt=1, node_rank=0, stage=None, secrets=Secrets(environment))
    assert record.message == "the key *** was refused"
    assert record.last_lines == "used ***\nbye"
    assert record.advice


def test_the_record_of_an_agent_that_was_refused_names_the_attempt_that_owns_the_run():
    record = final_record(Ending(Fenced("x", 3)), attempt=1, node_rank=0, stage=None, secrets=Secrets({}))
    assert record.newest_attempt == 3
    assert "another attempt" in record.advice


def test_a_record_fits_a_termination_message():
    ending = Ending(TrainingError("m" * 3000), last_lines="ä" * 9000)
    text = final_record(ending, attempt=1, node_rank=0, stage=None, secrets=Secrets({})).encode()
    assert len(text.encode()) <= 4096
    assert json.loads(text)["message"].startswith("mmm")


# Agents that speak without a pause and are killed at any moment; what each has left is read.
KILLED = """
import os, signal, sys, time
from itertools import cycle
from pathlib import Path
from trainjobs.agent.record import Ending, LastWord
from trainjobs.agent.secrets import Secrets
from trainjobs.core.reports import FinalRecord
from trainjobs.errors import TrainingError

path = Path(sys.argv[1])
word = LastWord(path, Secrets({}), attempt=1, node_rank=0)
word.say(Ending(TrainingError("0" * 900)), "Training")
for _ in range(60):
    if (agent := os.fork()) == 0:
        for size in cycle((1, 900, 30)):
            word.say(Ending(TrainingError("0" * size)), "Training")
    time.sleep(0.003)
    os.kill(agent, signal.SIGKILL)
    os.waitpid(agent, 0)
    assert len(FinalRecord.model_validate_json(path.read_bytes()).message) in (1, 30, 900)
"""


def test_whenever_an_agent_is_killed_its_record_is_the_last_word_or_the_one_before(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "termination-log"], check=True)

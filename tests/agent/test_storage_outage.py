"""Storage goes away while a training runs: on a real S3 server that is killed and started again."""

from contextlib import contextmanager
from uuid import uuid4

import pytest

from tests.agent.launching import wait_until
from tests.agent.status_server import receiver
from tests.harness.versitygw import s3_server
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store


@pytest.fixture
def server(bench, monkeypatch):
    """A real server; this process and the agents it starts may sign in to it."""
    with s3_server(bench.root / "buckets") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def stored(bench, server) -> CheckpointStore:
    return CheckpointStore(open_store(bench.store, settings=server.settings))


def test_training_goes_on_while_storage_is_away_and_catches_up(bench, server):
    with receiver() as status:
        bench.store = f"{server.make_bucket(f'b-{uuid4().hex[:8]}')}/run"
        bench.command += ["--steps=4000", "--step-seconds=0.1", "--save-every=10"]
        with bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
            wait_until(lambda: any(beat.checkpoints.latest for beat in status.beats))
            server.kill()
            wait_until(lambda: not status.beats[-1].sync.healthy)
            ill = status.beats[-1]
            assert ill.sync.reason == "StorageUnavailable"
            assert ill.sync.pending >= 1
            assert server.endpoint in ill.sync.message or "s3://" in ill.sync.message
            step = ill.progress.step
            wait_until(lambda: status.beats[-1].progress.step > step + 5)
            server.start()
            wait_until(lambda: status.beats[-1].sync.healthy)
            newest = status.beats[-1].progress.step
            wait_until(lambda: status.beats[-1].checkpoints.latest.step >= newest)
            agent.terminate()
            output = agent.communicate(timeout=120)[0].decode()
        assert agent.returncode == 143, output
        assert "training goes on" in output
        assert stored(bench, server).verify() == ()


@contextmanager
def waiting_agent(bench, server):
    """An agent that began while storage was away and has said so, and what it reports to."""
    bench.store = f"{server.make_bucket('b-late')}/run"
    server.kill()
    with receiver() as status, bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
        wait_until(lambda: status.beats and not status.beats[-1].sync.healthy)
        yield agent, status


def test_an_attempt_that_begins_while_storage_is_away_waits_for_it_and_says_so(bench, server):
    with waiting_agent(bench, server) as (agent, status):
        ill = status.beats[-1]
        assert (ill.stage, ill.sync.reason) == ("Starting", "StorageUnavailable")
        assert "cannot be reached: connection refused" in ill.sync.message
        server.start()
        output = agent.communicate(timeout=120)[0].decode()
        assert agent.returncode == 0, output
        assert status.beats[-1].sync.healthy
    assert output.count("waiting for it") == 1
    assert "storage answers again" in output
    assert stored(bench, server).verify() == ()


def test_an_attempt_that_waits_for_storage_ends_when_it_is_asked_to(bench, server):
    with waiting_agent(bench, server) as (agent, _):
        agent.terminate()
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 143, output
    assert bench.record().message == "stopped on request before training began"


def test_storage_that_stays_away_at_the_start_ends_the_attempt_before_it_trains(bench, server):
    bench.store = f"{server.make_bucket('b-start')}/run"
    server.kill()
    finished = bench.run("--storage-seconds=8")
    assert finished.code == 30, finished.output
    assert "b-start" in finished.record.message
    assert "saved step" not in finished.output


def test_wrong_keys_are_access_denied(bench, server):
    bench.store = f"{server.make_bucket('b-keys')}/run"
    bench.environment = {"AWS_SECRET_ACCESS_KEY": "this-is-not-the-key"}
    finished = bench.run()
    assert finished.code == 13, finished.output
    assert "this-is-not-the-key" not in finished.record.model_dump_json()


def test_model_and_data_come_from_s3(bench, server):
    bucket = server.make_bucket("b-inputs")
    put = open_store(f"{bucket}/models/tiny", settings=server.settings)
    put.put("config.json", b"{}")
    put.put("deep/er/tokenizer.json", b"{}")
    open_store(f"{bucket}/rows", settings=server.settings).put("train.jsonl", b"{}\n")
    bench.recipe = {
        "model": {"uri": f"{bucket}/models/tiny"},
        "dataset": {"train": f"{bucket}/rows/train.jsonl"},
    }
    finished = bench.run()
    assert finished.code == 0, finished.output
    localised = (bench.workspace() / "localised.yaml").read_text()
    cache = bench.workspace() / "cache" / "s3"
    assert str(cache) in localised
    assert len(list(cache.rglob("tokenizer.json"))) == 1
    bench.recipe = {"dataset": {"train": f"{bucket}/rows/none.jsonl"}}
    bench.store = file_uri(bench.root / "other")
    missing = bench.run()
    assert missing.code == 11
    assert "spec.dataset.train: s3://b-inputs/rows/none.jsonl: nothing is stored there" in (
        missing.record.message
    )

"""Damaged and unreachable storage, as who runs `trainjobs run` meets it."""

from pathlib import Path
from uuid import uuid4

from tests.cli.conftest import Bench
from tests.cli.runs import status, stored, until
from tests.harness.versitygw import S3Server, free_port
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

FAILS_AFTER_TWO = ["--steps", "20", "--save-every", "5", "--fail-at", "13"]
ONCE = {"runPolicy": {"maxRestarts": 0}}


def interrupted(bench: Bench) -> Path:
    """A manifest whose run has failed at step 13, with checkpoints of steps 5 and 10."""
    manifest = bench.manifest(script=FAILS_AFTER_TWO, spec=ONCE)
    assert bench.run("run", manifest).returncode == 23
    assert stored(bench.place()) == ["step-00000005-a0001", "step-00000010-a0001"]
    return manifest


def resumed(bench: Bench) -> str:
    return (bench.place() / "work/attempt-0002/node-0/node.log").read_text().splitlines()[0]


def test_a_checkpoint_with_a_flipped_bit_is_passed_over_for_the_one_before(bench: Bench) -> None:
    manifest = interrupted(bench)
    weights = bench.place() / "checkpoints/step-00000010-a0001/weights.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    verified = bench.run("checkpoints", "verify", bench.place())
    assert verified.returncode == 30
    assert "weights.bin" in verified.stdout + verified.stderr
    bench.run("run", manifest)
    assert resumed(bench) == "resumed at step 5"
    log = (bench.place() / "work/attempt-0002/node-0/agent.log").read_text()
    assert "weights.bin" in log
    assert "trying the checkpoint before it" in log


def test_a_checkpoint_without_a_manifest_does_not_exist(bench: Bench) -> None:
    manifest = interrupted(bench)
    (bench.place() / "checkpoints/step-00000010-a0001/MANIFEST.json").unlink()
    bench.run("run", manifest)
    assert resumed(bench) == "resumed at step 5"


def on_s3(bench: Bench, server: S3Server, **storage: str) -> tuple[Path, str]:
    uri = server.make_bucket(f"b-{uuid4().hex[:8]}")
    spec = {"checkpoints": {"storage": {"uri": f"{uri}/team", "endpoint": server.endpoint, **storage}}}
    return bench.manifest(script=["--steps", "12"], spec=spec), uri


def test_a_run_keeps_everything_in_s3_when_it_says_so(bench: Bench, s3_environment: S3Server) -> None:
    manifest, bucket = on_s3(bench, s3_environment)
    ended = bench.run("run", manifest)
    assert ended.returncode == 0, ended.stderr
    model = status(bench)["artifacts"]["model"]
    assert model.startswith(f"{bucket}/team/default/RewardModelRun/light-")
    run = CheckpointStore(
        open_store(model.removesuffix("/artifacts/model-a0001"), settings=s3_environment.settings)
    )
    assert run.verify() == ()
    assert not (bench.place() / "checkpoints").exists()
    listed = bench.run("checkpoints", "list", run.store.uri)
    assert listed.returncode == 0, listed.stderr
    assert "eval_loss" in listed.stdout
    # What the bucket holds is what lies here, but for what was printed after the agent's last look.
    here, there = (bench.run("logs", place) for place in (bench.place(), run.store.uri))
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert "saved step 10" in there.stdout
    assert set(there.stdout.splitlines()) <= set(here.stdout.splitlines())
    assert bench.run("logs", run.store.uri, "--tail", "1").stdout == there.stdout.splitlines()[-1] + "\n"
    missing = bench.run("logs", run.store.uri, "--node", "1")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.endswith("has no log of attempt 1 node 1; it has attempt 1 node 0\n")


def test_a_followed_run_is_shown_to_its_end(bench: Bench) -> None:
    manifest = bench.manifest(script=["--steps", "20", "--step-seconds", "0.2", "--fail-at", "15"], spec=ONCE)
    running = bench.start("run", manifest)
    until("an agent that prints", lambda: any(bench.place().glob("work/*/node-0/agent.log")))
    followed = bench.run("logs", bench.place(), "--follow")
    assert running.wait(timeout=60) == 23
    assert followed.returncode == 0, followed.stderr
    assert "went for a walk" in followed.stdout
    assert followed.stdout == bench.run("logs", bench.place()).stdout


def test_s3_that_cannot_be_reached_is_said_before_anything_starts(bench: Bench) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    spec = {"checkpoints": {"storage": {"uri": "s3://models/team", "endpoint": endpoint}}}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    ended = bench.run("run", bench.manifest(spec=spec), **keys)
    assert ended.returncode == 30
    assert endpoint in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert not (bench.place() / "work").exists()


def test_wrong_s3_keys_are_told_without_showing_them(bench: Bench, s3: S3Server) -> None:
    manifest, bucket = on_s3(bench, s3)
    ended = bench.run("run", manifest, **{**s3.environment, "AWS_SECRET_ACCESS_KEY": "not-the-secret"})
    assert ended.returncode == 13
    assert bucket.removeprefix("s3://") in ended.stderr
    assert "not-the-secret" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr

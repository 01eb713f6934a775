"""Keys of storage that are replaced while a run lasts: uploads go on, and nobody reads old or new ones."""

import gzip
import os
from dataclasses import replace

from tests.agent.launching import SCRIPTS, Bench, wait_until
from tests.agent.status_server import Receiver, receiver
from tests.harness.mounted_keys import Guard, session_keys, write_secret
from tests.harness.s3_in_memory import S3InMemory, s3_in_memory
from trainjobs.core.checkpoints.layout import log_key
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

TOKENS = ("token-of-the-morning", "token-of-the-afternoon")


def newest(status: Receiver) -> int:
    latest = [beat.checkpoints.latest.step for beat in status.beats if beat.checkpoints.latest]
    return max(latest, default=0)


def stored(bench: Bench, server: S3InMemory) -> CheckpointStore:
    settings = replace(server.settings, keys=bench.root / "keys")
    return CheckpointStore(open_store(bench.store, settings=settings))


def test_a_token_that_expires_under_a_run_is_replaced_without_a_restart_and_never_shown(bench: Bench):
    guard, keys = Guard(TOKENS[0], names_it=True), bench.root / "keys"
    write_secret(keys, "1", **session_keys(TOKENS[0]))
    bench.command = [str(SCRIPTS / "tells_its_keys.py"), "--steps=20000", "--save-every=10"]
    with s3_in_memory(guard) as server, receiver() as status:
        bench.store = f"{server.make_bucket('runs')}/run"
        bench.environment = {
            **{name: value for name, value in server.environment.items() if "KEY" not in name},
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "TRAINJOBS_STORAGE_KEYS": str(keys),
        }
        with bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
            wait_until(lambda: newest(status) > 0)
            guard.token = TOKENS[1]
            wait_until(lambda: status.beats[-1].sync.reason == "AccessDenied")
            refused, trained = status.beats[-1], newest(status)
            wait_until(lambda: status.beats[-1].progress.step > refused.progress.step + 5)
            write_secret(keys, "2", **session_keys(TOKENS[1]))
            wait_until(lambda: status.beats[-1].sync.healthy and newest(status) > trained)
            agent.terminate()
            output = agent.communicate(timeout=120)[0].decode()
        assert agent.returncode == 143, output
        run = stored(bench, server)
        assert run.newest_attempt() == 1
        assert run.verify() == ()
        log = gzip.decompress(run.store.get(log_key(1, 0))).decode()
    assert "the provided token *** has expired" in refused.sync.message.lower()
    shown = {
        "output": output,
        "log of the node": (bench.workspace() / "node.log").read_text(),
        "stored log": log,
        "record": bench.record_file().read_text(),
        "heartbeats": "".join(beat.model_dump_json() for beat in status.beats),
    }
    for where, text in shown.items():
        assert not any(token in text for token in TOKENS), where
    assert all("AWS_SESSION_TOKEN is ***" in shown[where] for where in ("output", "stored log"))

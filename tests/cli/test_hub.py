"""Runs on one machine from a hub: what the manifest says of the way there, and one cache for all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Bench
from tests.harness.hub import LARGE, Hub, Repository


@pytest.fixture
def hub() -> Iterator[Hub]:
    model = Repository({"config.json": b"{}", "model.safetensors": b"weights " * LARGE})
    with Hub(models={"org/name": model}).serving() as served:
        yield served


def write(bench: Bench, name: str, env: dict[str, str], script: Sequence[str] = (), **policy: int) -> Path:
    """A manifest whose environment leads to the hub."""
    manifest = bench.manifest(
        name,
        script=script,
        spec={
            "baseModel": {"uri": "hf://org/name"},
            "runPolicy": {"maxRestarts": 0, "maxInfrastructureRestarts": 0, **policy},
        },
    )
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["runtime"]["env"] = [{"name": key, "value": value} for key, value in env.items()]
    manifest.write_text(yaml.safe_dump(document))
    return manifest


def test_a_manifest_names_the_mirror_and_every_attempt_and_run_shares_what_is_fetched(
    bench: Bench, hub: Hub
) -> None:
    env = {**hub.environment, "HF_HOME": str(bench.folder / "hub")}
    failing = write(bench, "failing", env, script=["--steps=9", "--fail-at=5"], maxRestarts=1)
    assert bench.run("run", failing).returncode == 23
    status = (bench.place("failing") / "status.json").read_text()
    assert yaml.safe_load(status)["attempt"] == 2
    assert bench.run("run", write(bench, "second", env, script=["--steps=1"])).returncode == 0
    assert hub.downloads("model.safetensors") == 1


def test_a_hub_that_is_away_is_advised_with_a_mirror_and_not_with_storage(bench: Bench) -> None:
    env = {"HF_HOME": str(bench.folder / "hub"), "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    ended = bench.run("run", write(bench, "away", env))
    assert ended.returncode == 32, ended.stderr
    said = ended.stdout + ended.stderr
    assert "spec.baseModel.uri: hf://org/name: the hub at http://127.0.0.1:9 cannot be reached" in said
    assert "Name a mirror in HF_ENDPOINT or a proxy in HTTPS_PROXY" in said
    assert "spec.checkpoints.storage" not in said

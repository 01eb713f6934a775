"""`trainjobs checkpoints` on a folder and on a real S3 server, as people start it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.harness.versitygw import S3Server, s3, s3_environment  # noqa: F401
from trainjobs.api.runs import RewardModelRun
from trainjobs.cli.app import app
from trainjobs.core.checkpoints.resume import Resume
from trainjobs.core.recipe.resolve import resolve
from trainjobs.core.settings import Settings
from trainjobs.errors import TrainjobsError
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

UID = "1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"


@dataclass
class Place:
    """A run in storage, and where its bytes really lie."""

    uri: str
    folder: Path
    store: CheckpointStore

    def flip(self, key: str) -> None:
        path = self.folder / key
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A run with three checkpoints of two attempts, and a model."""
    if request.param == "file":
        folder = tmp_path / "stored" / "ml" / "RewardModelRun" / "ratings-1a2b3c4d"
        uri = folder.as_uri()
    else:
        server: S3Server = request.getfixturevalue("s3_environment")
        bucket = f"b-{uuid4().hex[:12]}"
        uri = f"{server.make_bucket(bucket)}/runs/ml/RewardModelRun/ratings-1a2b3c4d"
        folder = server.folder / bucket / "runs/ml/RewardModelRun/ratings-1a2b3c4d"
    store = CheckpointStore(open_store(uri))
    _fill(store, tmp_path / "source")
    return Place(uri, folder, store)


def _fill(store: CheckpointStore, source: Path) -> None:
    source.mkdir()
    store.begin(1, "job-1", "pod-1", Resume.AUTO)
    recipe = resolve(_run(), Settings(run_store=store.store.uri))
    store.put_recipe(yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True)).encode(), attempt=1)
    for step, pearson in ((100, 0.5), (200, 0.9)):
        (source / "weights.bin").write_bytes(bytes([step % 251]) * 5000)
        store.save(source, step=step, attempt=1, metrics={"eval_pearson": pearson, "eval_loss": 0.1})
    store.begin(2, "job-2", "pod-2", Resume.AUTO)
    store.save(source, step=300, attempt=2, metrics={"eval_pearson": 0.7, "eval_loss": 0.05})
    store.put_artifact("model", source, step=300, attempt=2)


def _run() -> RewardModelRun:
    return RewardModelRun.model_validate(
        {
            "metadata": {"name": "ratings", "namespace": "ml", "uid": UID},
            "spec": {
                "baseModel": {"uri": "file:///models/base"},
                "dataset": {"train": "file:///data/train.jsonl"},
                "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "sentiment"}]}},
                "checkpoints": {
                    "keepLatest": 1,
                    "keepBest": {"metric": "eval_pearson", "direction": "Higher"},
                },
            },
        }
    )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["checkpoints", *arguments])


def answer(*arguments: str) -> dict:
    result = run(*arguments, "--output", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments: str) -> TrainjobsError:
    result = run(*arguments)
    assert isinstance(result.exception, TrainjobsError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


def test_list_says_which_is_latest_best_and_resumed_from(place: Place) -> None:
    found = answer("list", place.uri)

    assert [(one["step"], one["attempt"]) for one in found["checkpoints"]] == [(100, 1), (200, 1), (300, 2)]
    assert [one["step"] for one in found["checkpoints"] if one["best"]] == [200]
    assert [one["step"] for one in found["checkpoints"] if one["latest"]] == [300]
    assert [one["step"] for one in found["checkpoints"] if one["resume"]] == [300]
    assert found["checkpoints"][0]["bytes"] == 5000
    assert found["bestBy"] == {"metric": "eval_pearson", "direction": "Higher"}
    assert found["artifacts"] == ["model"]


def test_the_best_is_chosen_by_another_metric_when_asked(place: Place) -> None:
    found = answer("list", place.uri, "--metric", "eval_loss", "--direction", "Lower")

    assert [one["step"] for one in found["checkpoints"] if one["best"]] == [300]


def test_list_shows_people_a_table(place: Place) -> None:
    text = run("list", place.uri).stdout

    assert "STEP" in text
    assert "eval_pearson=0.9" in text
    assert "latest resume" in text
    assert "artifacts: model" in text


@pytest.mark.parametrize(
    ("which", "step"),
    [([], 300), (["--step", "100"], 100), (["--best"], 200), (["--artifact", "model"], 300)],
)
def test_pull_brings_the_files_home_verified(
    place: Place, tmp_path: Path, which: list[str], step: int
) -> None:
    found = answer("pull", place.uri, "--to", str(tmp_path / "home"), *which)

    content = (tmp_path / "home" / "weights.bin").read_bytes()
    assert (found["step"], found["files"], found["bytes"]) == (step, 1, 5000)
    assert content == bytes([min(step, 200) % 251]) * 5000


def test_a_pull_may_be_repeated_but_never_mixes_with_other_files(place: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    answer("pull", place.uri, "--to", str(home))
    answer("pull", place.uri, "--to", str(home))
    (home / "other.txt").write_text("mine")

    error = refusal("pull", place.uri, "--to", str(home))

    assert (error.exit_code, "other.txt" in str(error)) == (2, True)


def test_a_pull_of_a_damaged_checkpoint_is_refused_and_names_the_file(place: Place, tmp_path: Path) -> None:
    place.flip("checkpoints/step-00000300-a0002/weights.bin")

    error = refusal("pull", place.uri, "--to", str(tmp_path / "home"))

    assert error.exit_code == 30
    assert "weights.bin" in str(error)
    assert not (tmp_path / "home" / "weights.bin").exists()


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (["--step", "150"], "no complete checkpoint of step 150; the newest are of 100, 200, 300"),
        (["--artifact", "adapter"], "has no artifact adapter; it has model"),
        (["--best", "--metric", "eval_mae"], "no checkpoint has the metric eval_mae"),
        (["--best", "--step", "100"], "exclude each other"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(place: Place, which: list[str], words: str) -> None:
    error = refusal("pull", place.uri, *which)

    assert error.exit_code == 2
    assert words in str(error)


def test_verify_passes_what_is_whole(place: Place) -> None:
    assert answer("verify", place.uri) == {"uri": place.uri, "ok": True, "damaged": []}


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("checkpoints/step-00000100-a0001/weights.bin", "checkpoints/step-00000100-a0001"),
        ("checkpoints/step-00000200-a0001/MANIFEST.json", "checkpoints/step-00000200-a0001"),
        ("artifacts/model/weights.bin", "artifacts/model"),
    ],
)
def test_verify_finds_one_flipped_bit(place: Place, key: str, folder: str) -> None:
    place.flip(key)

    result = run("verify", place.uri, "--output", "json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["ok"]) == (30, False)
    assert [one["folder"] for one in found["damaged"]] == [folder]


def test_prune_keeps_the_newest_the_best_and_what_is_resumed_from(place: Place) -> None:
    dry = answer("prune", place.uri, "--dry-run")
    before = [one["step"] for one in answer("list", place.uri)["checkpoints"]]
    done = answer("prune", place.uri)

    after = [one["step"] for one in answer("list", place.uri)["checkpoints"]]
    assert before == [100, 200, 300]
    assert dry["deleted"] == done["deleted"] == ["step-00000100-a0001"]
    assert after == [200, 300]


def test_prune_never_deletes_what_the_newest_attempt_resumed_from(place: Place) -> None:
    answer("prune", place.uri, "--keep-latest", "1", "--keep-best", "0")

    assert [one["step"] for one in answer("list", place.uri)["checkpoints"]] == [200, 300]


def test_a_folder_above_the_run_names_the_runs_in_it(place: Place) -> None:
    error = refusal("list", place.uri.rsplit("/", 2)[0])

    assert error.exit_code == 2
    assert place.uri in str(error)


def test_a_place_without_a_run_is_said_to_be_empty(tmp_path: Path) -> None:
    assert "no run is stored there" in str(refusal("list", str(tmp_path)))
    assert "no such folder" in str(refusal("list", str(tmp_path / "nothing")))


def test_a_run_folder_of_this_machine_leads_to_its_storage(place: Place, tmp_path: Path) -> None:
    run_folder = tmp_path / "runs" / "rewardmodelrun" / "ratings"
    run_folder.mkdir(parents=True)
    body = _run().model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    body["spec"]["checkpoints"]["storage"] = {
        "uri": place.uri.removesuffix("/ml/RewardModelRun/ratings-1a2b3c4d")
    }
    (run_folder / "run.yaml").write_text(yaml.safe_dump(body))

    found = answer("list", str(run_folder))

    assert found["uri"] == place.uri
    assert len(found["checkpoints"]) == 3


def test_wrong_keys_are_one_line_and_exit_13(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: S3Server = request.getfixturevalue("s3_environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    assert refusal("list", f"{server.make_bucket('keys')}/run").exit_code == 13


def test_the_program_prints_one_line_and_exits_with_the_errors_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainjobs", "checkpoints", "list", str(tmp_path / "nothing")],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_listing_imports_no_torch(tmp_path: Path, make_place: Callable[[], str]) -> None:
    program = (
        "import sys; from trainjobs.cli.app import app; "
        f"app(['checkpoints', 'list', {make_place()!r}], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[[], str]:
    """Return a function that fills a run in a folder and returns its path."""

    def make() -> str:
        folder = tmp_path / "run"
        _fill(CheckpointStore(open_store(folder.as_uri())), tmp_path / "source")
        return str(folder)

    return make

"""`trainjobs checkpoints` on a folder and on a real S3 server, as people start it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.stored_runs import Place, fill, rating_run
from tests.cli.verbs import Verb
from tests.harness.versitygw import S3Server
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

VERB = Verb("checkpoints")
run, answer, refusal = VERB.run, VERB.answer, VERB.refusal


def test_list_says_which_is_latest_best_and_resumed_from(place: Place) -> None:
    found = answer("list", place.uri)

    assert [(one["step"], one["attempt"]) for one in found["checkpoints"]] == [(100, 1), (200, 1), (300, 2)]
    assert [one["step"] for one in found["checkpoints"] if one["best"]] == [200]
    assert [one["step"] for one in found["checkpoints"] if one["latest"]] == [300]
    assert [one["step"] for one in found["checkpoints"] if one["resume"]] == [300]
    assert found["checkpoints"][0]["bytes"] == 5000
    assert found["bestBy"] == {"metric": "eval_pearson", "direction": "Higher"}
    assert found["artifacts"] == ["model", "report"]


def test_the_best_is_chosen_by_another_metric_when_asked(place: Place) -> None:
    found = answer("list", place.uri, "--metric", "eval_loss")

    assert [one["step"] for one in found["checkpoints"] if one["best"]] == [300]
    assert found["bestBy"] == {"metric": "eval_loss", "direction": "Lower"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--metric", "eval_loss", "--direction", "Higher"),
            "--direction Higher: of eval_loss lower is better",
        ),
        (("--direction", "Lower"), "--direction Lower: of eval_pearson higher is better; leave it out"),
        (("--metric", "eval_f1"), "--metric eval_f1: no figure of trainjobs; say by --direction whether"),
    ],
)
@pytest.mark.parametrize("verb", [("list",), ("prune", "--keep-latest", "1")], ids=str)
def test_the_worst_is_never_taken_for_the_best(
    place: Place, verb: tuple[str, ...], options: tuple[str, ...], said: str
) -> None:
    before = answer("list", place.uri)["checkpoints"]

    assert str(refusal(verb[0], place.uri, *verb[1:], *options)).startswith(said)
    assert answer("list", place.uri)["checkpoints"] == before


def test_pruning_by_another_metric_keeps_the_best_by_it(place: Place) -> None:
    gone = answer("prune", place.uri, "--metric", "eval_loss", "--keep-latest", "1", "--dry-run")["deleted"]

    assert gone == ["step-00000100-a0001"]


def test_list_shows_people_a_table(place: Place) -> None:
    text = run("list", place.uri).stdout

    assert "STEP" in text
    assert "eval_pearson=0.9" in text
    assert "latest resume" in text
    assert "artifacts: model, report" in text


def test_verify_passes_what_is_whole(place: Place) -> None:
    assert answer("verify", place.uri) == {"uri": place.uri, "ok": True, "damaged": []}


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("checkpoints/step-00000100-a0001/weights.bin", "checkpoints/step-00000100-a0001"),
        ("checkpoints/step-00000200-a0001/MANIFEST.json", "checkpoints/step-00000200-a0001"),
        ("artifacts/model-a0002/weights.bin", "artifacts/model-a0002"),
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


def test_prune_deletes_artifacts_that_the_result_does_not_name(place: Place) -> None:
    store = place.store.store
    store.put("artifacts/model-a0001/weights.bin", b"half")
    assert "artifacts/model-a0001" not in answer("prune", place.uri, "--dry-run")["deleted"]
    store.create("result.json", b'{"artifacts": {"model": "s3://x/artifacts/model-a0002", "report": null}}')

    dry = answer("prune", place.uri, "--dry-run")["deleted"]
    done = answer("prune", place.uri)["deleted"]

    assert dry == done
    assert [name for name in done if name.startswith("artifacts/")] == [
        "artifacts/model-a0001",
        "artifacts/report-a0002",
    ]
    assert answer("list", place.uri)["artifacts"] == ["model"]


def test_prune_never_deletes_what_the_newest_attempt_resumed_from(place: Place) -> None:
    answer("prune", place.uri, "--keep-latest", "1", "--keep-best", "0")

    assert [one["step"] for one in answer("list", place.uri)["checkpoints"]] == [200, 300]


def test_a_folder_above_the_run_names_the_runs_in_it(place: Place) -> None:
    error = refusal("list", place.uri.rsplit("/", 2)[0])

    assert error.exit_code == 2
    assert place.uri in str(error)


@pytest.mark.parametrize("part", ["artifacts/model-a0002", "checkpoints/step-00000300-a0002"])
def test_the_uri_of_a_part_leads_to_its_run(place: Place, part: str) -> None:
    assert answer("list", f"{place.uri}/{part}")["uri"] == place.uri


def test_a_place_without_a_run_is_said_to_be_empty(tmp_path: Path) -> None:
    assert "no run is stored there" in str(refusal("list", str(tmp_path)))
    assert "no such folder" in str(refusal("list", str(tmp_path / "nothing")))


def test_a_run_folder_of_this_machine_leads_to_its_storage(place: Place, tmp_path: Path) -> None:
    run_folder = tmp_path / "runs" / "rewardmodelrun" / "ratings"
    run_folder.mkdir(parents=True)
    body = rating_run().model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
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
        fill(CheckpointStore(open_store(file_uri(folder))), tmp_path / "source")
        return str(folder)

    return make

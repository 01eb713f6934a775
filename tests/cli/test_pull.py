"""`trainjobs pull`: whatever a status or a command prints is a name for what it names."""

from pathlib import Path

import pytest
import yaml

from tests.cli.stored_runs import Place, rating_run
from tests.cli.verbs import Verb

VERB = Verb("pull")
run, answer, refusal = VERB.run, VERB.answer, VERB.refusal


@pytest.mark.parametrize(
    ("part", "which", "step", "file"),
    [
        ("", [], 300, "weights.bin"),
        ("", ["--model"], 300, "weights.bin"),
        ("", ["--report"], 300, "report.html"),
        ("", ["--checkpoint"], 300, "weights.bin"),
        ("", ["--checkpoint", "--step", "100"], 100, "weights.bin"),
        ("", ["--step", "100"], 100, "weights.bin"),
        ("", ["--best"], 200, "weights.bin"),
        ("/artifacts/model-a0002", [], 300, "weights.bin"),
        ("/artifacts/model-a0002/", [], 300, "weights.bin"),
        ("/artifacts/report-a0002", [], 300, "report.html"),
        ("/checkpoints/step-00000100-a0001", [], 100, "weights.bin"),
        ("/artifacts/model-a0002", ["--report"], 300, "report.html"),
    ],
)
def test_what_is_named_comes_home_verified(
    place: Place,
    tmp_path: Path,
    part: str,
    which: list[str],
    step: int,
    file: str,
) -> None:
    found = answer(f"{place.uri}{part}", "--to", str(tmp_path / "home"), *which)

    content = (tmp_path / "home" / file).read_bytes()
    assert (found["step"], found["files"], found["bytes"]) == (step, 1, 5000)
    assert content == bytes([min(step, 200) % 251]) * 5000


def test_without_a_folder_it_takes_the_name_of_what_is_pulled(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer(place.uri)["folder"] == "model"
    assert answer(place.uri, "--report")["folder"] == "report"
    assert answer(f"{place.uri}/checkpoints/step-00000100-a0001")["folder"] == "step-00000100-a0001"


def test_a_run_folder_of_this_machine_leads_to_its_storage(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "rewardmodelrun" / "ratings"
    folder.mkdir(parents=True)
    body = rating_run().model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    body["spec"]["checkpoints"]["storage"] = {
        "uri": place.uri.removesuffix("/ml/RewardModelRun/ratings-1a2b3c4d")
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(body))

    assert (
        answer(str(folder), "--to", str(tmp_path / "home"))["source"] == f"{place.uri}/artifacts/model-a0002"
    )


def test_a_pull_may_be_repeated_but_never_mixes_with_other_files(place: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    answer(place.uri, "--to", str(home))
    answer(place.uri, "--to", str(home))
    (home / "other.txt").write_text("mine")

    error = refusal(place.uri, "--to", str(home))

    assert (error.exit_code, "other.txt" in str(error)) == (2, True)


def test_what_is_damaged_is_refused_and_the_file_is_named(place: Place, tmp_path: Path) -> None:
    place.flip("checkpoints/step-00000300-a0002/weights.bin")

    error = refusal(place.uri, "--checkpoint", "--to", str(tmp_path / "home"))

    assert error.exit_code == 33
    assert "weights.bin" in str(error)
    assert not (tmp_path / "home" / "weights.bin").exists()


@pytest.mark.parametrize(
    ("part", "which", "words"),
    [
        ("", ["--step", "150"], "no complete checkpoint of step 150; the newest are of 100, 200, 300"),
        ("", ["--adapter"], "has no artifact adapter; it has model, report"),
        (
            "/artifacts/model-a0001",
            [],
            "has no artifacts/model-a0001; it has artifacts/model-a0002, artifacts/report-a0002",
        ),
        ("/checkpoints/step-00000150-a0001", [], "has no complete checkpoint step-00000150-a0001"),
        ("", ["--best", "--metric", "eval_mae"], "no checkpoint has the metric eval_mae"),
        ("", ["--best", "--metric", "eval_loss", "--direction", "Higher"], "of eval_loss lower is better"),
        ("", ["--best", "--step", "100"], "exclude each other"),
        ("", ["--model", "--checkpoint"], "exclude each other"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    place: Place,
    part: str,
    which: list[str],
    words: str,
) -> None:
    error = refusal(f"{place.uri}{part}", *which)

    assert error.exit_code == 2
    assert words in str(error)


def test_a_run_that_has_no_model_yet_says_where_its_weights_are(place: Place) -> None:
    place.store.store.delete(["artifacts/model-a0002/MANIFEST.json"])

    assert "has no model yet; its newest checkpoint comes with --checkpoint" in str(refusal(place.uri))


def test_a_volume_of_the_cluster_is_not_looked_for_here() -> None:
    assert "mount it, and give the path there" in str(refusal("pvc://claim/runs/artifacts/model"))

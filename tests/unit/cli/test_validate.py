"""`trainjobs validate` and `trainjobs crds`, as they are typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import trainjobs
from trainjobs.cli import crds, validate
from trainjobs.errors import InvalidRecipe

HEAD = """\
apiVersion: trainjobs.dev/v1alpha1
kind: RewardModelRun
metadata: {name: scores}
spec:
  baseModel: {uri: "file://./model"}
  dataset: {train: "file://./train.jsonl"}
  objective:
    type: Regression
    regression: {dimensions: [{name: accuracy}]}
"""
ROW = {"report": "text", "scores": {"accuracy": 4.5}}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest, with the data and the model that it names beside it."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "train.jsonl").write_text(f"{json.dumps(ROW)}\n")
    path = tmp_path / "rmrun.yaml"
    path.write_text(HEAD)
    return path


def _validate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(validate.app, [str(argument) for argument in arguments])


def _crds(*arguments: str | Path) -> Result:
    return CliRunner().invoke(crds.app, [str(argument) for argument in arguments])


def test_a_good_manifest_is_valid_wherever_it_is_called_from(manifest: Path):
    done = _validate(manifest)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{manifest}: RewardModelRun scores is valid\n"


def test_a_folder_is_searched_and_other_yaml_in_it_passed_over(manifest: Path):
    (manifest.parent / "values.yaml").write_text("image: x\n")
    (manifest.parent / "more").mkdir()
    (manifest.parent / "more" / "bad.yml").write_text(HEAD.replace("accuracy", "a b"))
    done = _validate(manifest.parent)
    assert done.exit_code == 10
    assert "more/bad.yml line 9: spec.objective.regression.dimensions[0].name: 'a b'" in done.stderr
    assert "values.yaml" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("train.jsonl", None, 11, "spec.dataset.train: {0}/train.jsonl is not there"),
        ("train.jsonl", b"", 11, "spec.dataset.train: train.jsonl is empty"),
        (
            "train.jsonl",
            b'{"a": 1}\n{"a": \n',
            11,
            "train.jsonl line 1: neither a column report nor text; name the column in spec.dataset.fields",
        ),
        ("train.jsonl", b'{"text": "a"}\n', 11, "train.jsonl line 1: no column scores"),
        (
            "train.jsonl",
            b'{"text": "a", "scores": {"accuracy": 7}}\n',
            11,
            "train.jsonl line 1: scores.accuracy is 7, outside 0…5 (spec.objective.regression.dimensions[0])",
        ),
        ("train.jsonl", b"\n[1]\n", 11, "train.jsonl line 2: a list, not a JSON object"),
        ("train.jsonl", b"{'a': 1}\n", 11, "train.jsonl line 1 column 2: not JSON ("),
        ("train.jsonl", b'{"a": "\xff"}\n', 11, "train.jsonl line 1: not UTF-8"),
        ("model/config.json", None, 12, "spec.baseModel.uri: {0}/model: there is no config.json"),
        ("rmrun.yaml", b"\xff\xfe", 10, "{0}/rmrun.yaml: not text in UTF-8 (byte 0)"),
        ("rmrun.yaml", b"", 10, "{0}/rmrun.yaml: holds no run"),
    ],
)
def test_what_is_named_has_to_be_there_and_readable(
    manifest: Path, name: str, content: bytes | None, code: int, words: str
):
    target = manifest.parent / name
    target.unlink() if content is None else target.write_bytes(content)
    done = _validate(manifest)
    assert done.exit_code == code
    assert words.format(manifest.parent) in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "row",
    [{"text": "on its own", "scores": {"accuracy": 1}}, {"report": "r", "scores": [{"accuracy": 1}] * 2}],
)
def test_every_layout_that_training_reads_is_valid(manifest: Path, row: dict[str, object]):
    folder = manifest.parent / "rows" / "2026"
    folder.mkdir(parents=True)
    (folder / "june.jsonl").write_text(f"\ufeff{json.dumps(row)}\n\n")
    done = _validate(manifest, "--set", "spec.dataset.train=file://./rows")
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["run#3.jsonl", "rows?.jsonl", "a%41.jsonl", "a b.jsonl", "a%20b.jsonl"])
def test_the_file_that_is_typed_is_the_one_that_is_judged(manifest: Path, name: str):
    for decoy in ("run", "rows", "aA.jsonl", "a b.jsonl"):
        (manifest.parent / decoy).write_text("not the file that is named\n")
    (manifest.parent / name).write_text(f"{json.dumps(ROW)}\n")
    for folder in ("file://.", f"file://{manifest.parent}"):
        done = _validate(manifest, "--set", f"spec.dataset.train={folder}/{name}")
        assert (done.exit_code, done.stderr) == (0, "")


def test_a_space_that_is_typed_encoded_is_explained(manifest: Path):
    done = _validate(manifest, "--set", "spec.dataset.train=file://./my%20rows.jsonl")
    assert done.exit_code == 11
    assert f"{manifest.parent}/my%20rows.jsonl is not there" in done.stderr
    assert "type a space as a space, not as %20" in done.stderr


def test_rows_may_lie_in_a_folder_beside_that_of_the_manifest(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
):
    (manifest.parent / "configs").mkdir()
    moved = manifest.rename(manifest.parent / "configs" / manifest.name)
    monkeypatch.chdir(manifest.parent / "model")
    done = _validate(
        f"../configs/{moved.name}",
        *("--set", "spec.dataset.train=file://./../train.jsonl"),
        *("--set", "spec.baseModel.uri=file://./../model"),
    )
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_folder_whose_name_no_manifest_can_hold_is_refused_as_by_run(manifest: Path):
    odd = manifest.parent / b"x\xff".decode(errors="surrogateescape")
    odd.mkdir()
    done = _validate(manifest.rename(odd / manifest.name))
    assert done.exit_code == 10
    assert "a name in this path is not UTF-8; rename it" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_a_run_goes_on_from_has_to_be_a_checkpoint(manifest: Path):
    resume = "spec.checkpoints.resume={type: From, uri: 'file://./model'}"
    done = _validate(manifest, "--set", resume)
    assert done.exit_code == 10
    where = f"spec.checkpoints.resume.uri: file://{manifest.parent}/model"
    assert f"{where}: is a checkpoint of Hugging Face or another program (config.json)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_tokenizer_of_its_own_has_to_be_there(manifest: Path):
    done = _validate(manifest, "--set", "spec.baseModel.tokenizerUri=file://./words")
    assert done.exit_code == 12
    assert f"spec.baseModel.tokenizerUri: {manifest.parent}/words: there is no such folder" in done.stderr


@pytest.mark.parametrize("name", ["train", "eval", "test"])
def test_a_bad_row_is_found_wherever_it_stands(manifest: Path, name: str):
    for split in ("train", "eval", "test"):
        (manifest.parent / f"{split}.jsonl").write_text(f"{json.dumps(ROW)}\n" * 500)
    held_out = [f"--set=spec.dataset.{split}=file://./{split}.jsonl" for split in ("eval", "test")]
    assert _validate(manifest, *held_out).exit_code == 0
    with (manifest.parent / f"{name}.jsonl").open("a") as rows:
        rows.write('{"report": "text", "scores": {"accuracy": 9}}\n')
    done = _validate(manifest, *held_out)
    assert done.exit_code == 11
    assert f"spec.dataset.{name}: {name}.jsonl line 501: scores.accuracy is 9, outside 0…5" in done.stderr


@pytest.mark.parametrize("name", ["eval", "test"])
@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("rows", 10, "the rows that are learned from; hold out others"),
        ("./rows", 11, "rows/a.jsonl is learned from, too (spec.dataset.train); hold out other rows"),
        ("rows/a.jsonl", 11, "rows/a.jsonl is learned from, too (spec.dataset.train); hold out other rows"),
        ("link.jsonl", 11, "rows/a.jsonl is learned from, too (spec.dataset.train); hold out other rows"),
    ],
)
def test_rows_that_are_learned_from_are_not_judged_on(
    manifest: Path, name: str, place: str, code: int, words: str
):
    (manifest.parent / "rows").mkdir()
    (manifest.parent / "rows" / "a.jsonl").write_text(f"{json.dumps(ROW)}\n")
    (manifest.parent / "link.jsonl").symlink_to("rows/a.jsonl")
    data = ["--set=spec.dataset.train=file://./rows", f"--set=spec.dataset.{name}=file://./{place}"]
    done = _validate(manifest, *data)
    assert done.exit_code == code
    assert f"spec.dataset.{name}: " in done.stderr
    assert words in done.stderr


def test_what_is_asked_for_and_never_measured_is_found(manifest: Path):
    asked = [
        "checkpoints.keepBest={metric: eval_pearsn}",
        "evaluation.thresholds=[{metric: overall.pearsn, minimum: 1}]",
    ]
    done = _validate(manifest, "--set=spec.dataset.evalFraction=0.1", *(f"--set=spec.{one}" for one in asked))
    assert done.exit_code == 10
    assert "keepBest.metric: eval_pearsn is not measured; did you mean eval_pearson?" in done.stderr
    assert (
        "thresholds[0].metric: overall.pearsn is not measured; did you mean overall.pearson?" in done.stderr
    )


def test_what_is_wrong_for_all_data_is_said_once(manifest: Path):
    (manifest.parent / "test.jsonl").write_text(f"{json.dumps(ROW)}\n")
    splits = "spec.dataset={train: 'file://./train.jsonl', test: 'file://./test.jsonl', format: Messages}"
    done = _validate(manifest, "--set", splits)
    assert done.exit_code == 10
    assert done.stderr.count("spec.dataset.format: Messages has no scores") == 1


def test_rows_of_a_users_own_script_may_hold_anything(manifest: Path):
    (manifest.parent / "train.jsonl").write_text("anything\n")
    assert _validate(manifest, "--set", "spec.runtime={command: [train.py]}").exit_code == 0


def test_columns_are_mapped_before_they_are_missed(manifest: Path):
    (manifest.parent / "train.jsonl").write_text('{"body": "text", "meta": {"score": 3}}\n')
    fields = "spec.dataset.fields={report: body, dimensions: {accuracy: meta.score}}"
    assert _validate(manifest, "--set", fields).exit_code == 0


def test_what_cannot_be_trained_is_said_once_and_nothing_else_of_its_files(manifest: Path):
    (manifest.parent / "train.jsonl").unlink()
    manifest.write_text(
        HEAD.replace("RewardModelRun", "SFTRun").partition("  objective:")[0]
        + f"---\n{HEAD.partition('    regression:')[0].replace('Regression', 'Pairwise')}"
    )
    done = _validate(manifest)
    assert done.exit_code == 10
    kind, objective = done.stderr.splitlines()
    assert kind.startswith(f"error: {manifest}: kind: SFTRun is not trained by this version")
    assert objective.startswith(f"error: {manifest}: spec.objective.type: Pairwise is not trained")
    with pytest.raises(InvalidRecipe, match="SFTRun scores: kind: SFTRun"):
        trainjobs.validate(manifest)


BESIDE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: texts}
data: {train.jsonl: "{}"}
---
"""


def test_what_stands_beside_a_run_is_passed_over_with_a_word(manifest: Path):
    manifest.write_text(BESIDE + HEAD)
    done = _validate(manifest)
    assert (done.exit_code, done.stdout) == (0, f"{manifest}: RewardModelRun scores is valid\n")
    words = "is no run and is passed over (its data is read in a cluster only); kubectl apply takes it along"
    assert done.stderr == f"note: {manifest} line 1: ConfigMap texts {words}\n"
    found = json.loads(_validate(manifest, "--output", "json").stdout)
    assert [one["kind"] for one in found["passedOver"]] == ["ConfigMap"]
    assert len(trainjobs.validate(manifest)) == 1
    manifest.write_text(BESIDE)
    words = "holds no run, only ConfigMap; write one, with apiVersion, kind, metadata and spec"
    assert _validate(manifest).stderr.splitlines()[-1] == f"error: {manifest}: {words}"


def test_in_a_folder_only_files_with_a_run_are_read(manifest: Path):
    (manifest.parent / "role.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {labels: {trainjobs.dev/x: y}}\n"
    )
    assert (_validate(manifest.parent).exit_code, _validate(manifest.parent).stderr) == (0, "")


def test_programs_get_every_fault_as_json(manifest: Path):
    (manifest.parent / "train.jsonl").unlink()
    done = _validate(manifest, manifest.parent / "rmrun.yaml", "--output", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["valid"], len(found["faults"])) == (11, False, 1)
    assert found["faults"][0]["path"] == "spec.dataset.train"
    done = _validate(manifest, "--set", "spec.training.epochs=x", "-o", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["faults"]) == (
        10,
        [
            {
                "source": str(manifest),
                "place": "(--set spec.training.epochs=x)",
                "path": "spec.training.epochs",
                "message": "spec.training.epochs: 'x' is not allowed; give a number",
                "exitCode": 10,
            }
        ],
    )


def test_the_definitions_are_written_compared_and_printed(tmp_path: Path):
    folder = str(tmp_path / "crds")
    assert _crds("--output-dir", folder).exit_code == 0
    assert _crds("--output-dir", folder, "--check").exit_code == 0
    (tmp_path / "crds" / "sftruns.yaml").write_text("old")
    stale = _crds("--output-dir", folder, "--check")
    assert (stale.exit_code, "sftruns.yaml is not up to date" in stale.stderr) == (1, True)
    assert len(json.loads(_crds("--output", "json").stdout)) == 4


def test_two_runs_of_one_name_are_refused_as_a_run_would(manifest: Path):
    twin = manifest.with_name("twin.yaml")
    twin.write_text(manifest.read_text())
    ended = _validate(manifest, twin)
    assert ended.exit_code == 10
    assert "stands twice; give each run its own name" in ended.stderr


def test_hidden_copies_of_a_manifest_are_passed_over(manifest: Path):
    (manifest.parent / ".ipynb_checkpoints").mkdir()
    (manifest.parent / ".ipynb_checkpoints" / "rmrun-checkpoint.yaml").write_text(manifest.read_text())
    done = _validate(manifest.parent)
    assert (done.exit_code, done.stdout) == (0, f"{manifest}: RewardModelRun scores is valid\n")

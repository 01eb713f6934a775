"""The name of a run and the paths in its manifest: what they may be, and when they may change."""

import json

from tests.cli.conftest import Bench
from tests.cli.runs import status


def test_another_specification_under_the_same_name_is_refused(bench: Bench) -> None:
    assert bench.run("run", bench.manifest(script=["--steps", "3"])).returncode == 0
    ended = bench.run("run", bench.manifest(script=["--steps", "3"]), "--set", "spec.training.epochs=7")
    assert ended.returncode == 10
    assert "spec.training: cannot change once the run exists" in ended.stderr
    assert "--fresh" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_first_start_that_failed_leaves_the_name_free(bench: Bench) -> None:
    policy = {"runPolicy": {"maxRestarts": 0}}
    wrong = bench.run("run", bench.manifest(spec={"baseModel": {"uri": "file://./nowhere"}}))
    assert wrong.returncode == 12
    failed = bench.run("run", bench.manifest(script=["--fail-at", "2"], spec=policy))
    assert failed.returncode == 23, failed.stderr
    ended = bench.run("run", bench.manifest(script=["--steps", "3"]), "--set", "spec.training.seed=7")
    assert ended.returncode == 0, ended.stderr
    assert status(bench)["attempt"] == 3


def test_storage_that_was_never_there_leaves_the_name_free(bench: Bench) -> None:
    (bench.folder / "file").write_text("")
    wrong = {"checkpoints": {"storage": {"uri": f"file://{bench.folder}/file/runs"}}}
    assert bench.run("run", bench.manifest(script=["--steps", "3"], spec=wrong)).returncode == 36
    ended = bench.run("run", bench.manifest(script=["--steps", "3"]))
    assert ended.returncode == 0, ended.stderr


def test_what_has_a_checkpoint_stays_what_it_is_however_its_paths_are_spelled(bench: Bench) -> None:
    script = ["--steps", "9", "--save-every", "3", "--fail-at", "5"]
    policy = {"runPolicy": {"maxRestarts": 0}}
    assert bench.run("run", bench.manifest(script=script, spec=policy)).returncode == 23
    (bench.folder / "link").symlink_to(bench.folder)
    (bench.folder / "other.jsonl").write_text((bench.folder / "rows.jsonl").read_text())
    manifest = bench.folder / "light.yaml"
    told = bench.run("run", manifest, "--set", "spec.dataset.train=file://./other.jsonl")
    assert told.returncode == 10
    assert "spec.dataset: cannot change once the run exists" in told.stderr
    for train in ("file://./base/../rows.jsonl", f"file://{bench.folder}/link//rows.jsonl"):
        again = bench.run("run", manifest, "--set", f"spec.dataset.train={train}")
        assert again.returncode == 23, again.stderr
    assert status(bench)["attempt"] == 3


def test_manifest_root_and_data_may_be_named_by_way_of_the_folder_above(bench: Bench) -> None:
    for folder in ("configs", "data", "here"):
        (bench.folder / folder).mkdir()
    manifest = bench.manifest(script=["--steps", "3"], file="configs/light.yaml")
    (bench.folder / "rows.jsonl").rename(bench.folder / "data" / "proj#1%41?.jsonl")
    sets = ["spec.dataset.train=file://./../data/proj#1%41?.jsonl", "spec.baseModel.uri=file://./../base"]
    given = ["../configs/light.yaml", *(word for one in sets for word in ("--set", one))]
    here = Bench(bench.folder / "here")
    assert here.run("validate", *given).returncode == 0
    ended = here.run("run", *given, "--root", "../runs of mine#1")
    assert ended.returncode == 0, ended.stderr
    place = bench.folder / "runs of mine#1" / "rewardmodelrun" / "light"
    recipe = json.loads((place / "recipe.yaml").read_text())
    assert recipe["dataset"]["train"] == f"file://{bench.folder}/data/proj#1%41?.jsonl"
    listed = here.run("checkpoints", "list", f"../{place.relative_to(bench.folder)}")
    assert listed.returncode == 0, listed.stderr
    assert manifest.exists()

"""Relative file URIs are seen from the manifest's folder."""

from pathlib import Path

import pytest

from tests.unit.local.conftest import MakeRun
from trainjobs.core.uris import file_uri
from trainjobs.local.relative import with_absolute_paths


@pytest.mark.parametrize(
    ("train", "path"),
    [
        ("file://./data/a b.jsonl", "project/data/a b.jsonl"),
        ("file://./data/a%20b#1?.jsonl", "project/data/a%20b#1?.jsonl"),
        ("file://./../data/rows.jsonl", "data/rows.jsonl"),
        ("file://./a/../../rows.jsonl", "rows.jsonl"),
        # Once read as a path from the root, which is nowhere near the manifest.
        ("file://.//etc/rows.jsonl", "project/etc/rows.jsonl"),
    ],
)
def test_a_relative_path_is_seen_from_the_manifest(
    make_run: MakeRun, tmp_path: Path, train: str, path: str
) -> None:
    run = with_absolute_paths(make_run("r", train=train), tmp_path / "project" / "run.yaml")
    assert run.spec.dataset.train == file_uri(tmp_path / path)
    assert run.spec.base_model.uri == "file:///models/base"


def test_where_the_manifest_lies_does_not_matter(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("project", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = with_absolute_paths(make_run("r", train="file://./rows.jsonl"), Path("../project/run.yaml"))
    assert run.spec.dataset.train == file_uri(tmp_path / "project" / "rows.jsonl")


def test_what_is_spelled_otherwise_is_the_same(make_run: MakeRun, tmp_path: Path) -> None:
    spelled = ["file://./rows.jsonl", f"file://{tmp_path}//rows.jsonl", f"file://{tmp_path}/./rows.jsonl"]
    runs = [with_absolute_paths(make_run("r", train=train), tmp_path / "run.yaml") for train in spelled]
    assert {run.spec.dataset.train for run in runs} == {file_uri(tmp_path / "rows.jsonl")}


def test_text_that_only_looks_like_a_path_stays(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("r")
    runtime = run.spec.runtime.model_copy(update={"command": ["train.py", "file://./rows.jsonl"]})
    run = run.model_copy(update={"spec": run.spec.model_copy(update={"runtime": runtime})})
    assert with_absolute_paths(run, tmp_path / "run.yaml").spec.runtime.command[1] == "file://./rows.jsonl"

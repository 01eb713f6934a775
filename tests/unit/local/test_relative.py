"""Relative file URIs are seen from the manifest's folder."""

from pathlib import Path

import pytest

from tests.unit.local.conftest import MakeRun
from trainjobs.errors import InvalidRecipe
from trainjobs.local.relative import with_absolute_paths


def test_a_relative_path_is_seen_from_the_manifest(make_run: MakeRun, tmp_path: Path) -> None:
    run = with_absolute_paths(make_run("r", train="file://./data/a b.jsonl"), tmp_path)
    assert run.spec.dataset.train == (tmp_path / "data" / "a b.jsonl").as_uri()
    assert run.spec.base_model.uri == "file:///models/base"


@pytest.mark.parametrize("train", ["file://./../secrets", "file://./a/../../secrets"])
def test_a_path_that_leaves_the_folder_is_refused(make_run: MakeRun, tmp_path: Path, train: str) -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.dataset\.train: .* leaves the manifest's folder"):
        with_absolute_paths(make_run("r", train=train), tmp_path)

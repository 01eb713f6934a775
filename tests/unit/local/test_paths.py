"""Every reader of a path reads the same one, whatever stands in it and however it is spelled."""

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from tests.unit.paths import absolute_paths
from trainjobs.agent.places import local_path, volume_uri
from trainjobs.api.base import DataUri, ModelUri, StorageUri
from trainjobs.core.uris import file_path, file_uri
from trainjobs.local.folder import RunFolder
from trainjobs.local.paths import normal, path_here
from trainjobs.storage.opening import open_store

MOUNTS = (Path("/pvc"), Path("/configmaps"))


@given(path=absolute_paths())
def test_manifest_validate_run_agent_and_storage_agree_on_every_path(path: PurePosixPath):
    uri = file_uri(path)
    for type_ in (DataUri, ModelUri, StorageUri):
        assert TypeAdapter(type_).validate_python(uri) == uri
    assert path_here(uri, Path("/elsewhere")) == Path(path)
    assert local_path(uri, *MOUNTS) == Path(path)
    relative = f"file://./{path.relative_to('/')}"
    assert TypeAdapter(DataUri).validate_python(relative) == relative
    assert path_here(relative, Path("/base")) == Path("/base", *path.parts[1:])
    claimed = f"pvc://claim/{path.relative_to('/')}"
    assert TypeAdapter(DataUri).validate_python(claimed) == claimed
    assert local_path(claimed, *MOUNTS) == Path("/pvc/claim", *path.parts[1:])
    assert file_path(volume_uri(claimed, MOUNTS[0])) == PurePosixPath("/pvc/claim", *path.parts[1:])


@given(path=absolute_paths())
def test_storage_and_the_folder_of_a_run_lie_where_they_are_named(
    tmp_path_factory: pytest.TempPathFactory, path: PurePosixPath
):
    below = Path(tmp_path_factory.getbasetemp(), "roots", *path.parts[1:])
    store = open_store(file_uri(below))
    assert store.uri == file_uri(below)
    assert RunFolder.of(below, "SFTRun", "chat").store_uri == file_uri(below / "sftrun" / "chat")


@given(path=absolute_paths())
def test_a_normal_path_stays_as_it_is(path: PurePosixPath):
    assert normal(Path(path)) == Path(path)


def test_every_spelling_of_a_path_is_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    spellings = ["../b/rows", "./../b//rows", "../a/../b/./rows", str(tmp_path / "b" / "rows")]
    assert {normal(Path(spelling)) for spelling in spellings} == {tmp_path / "b" / "rows"}


def test_two_dots_behind_a_link_lead_where_the_file_system_leads(tmp_path: Path):
    (tmp_path / "far" / "folder").mkdir(parents=True)
    (tmp_path / "far" / "rows").write_text("there")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "folder")
    assert normal(tmp_path / "link" / ".." / "rows").read_text() == "there"
    assert path_here("file://./../rows", tmp_path / "link") == tmp_path / "far" / "rows"
    # A link that nothing goes back over keeps its name: what it leads to may change.
    assert normal(tmp_path / "link" / "rows") == tmp_path / "link" / "rows"
    assert os.fspath(normal(tmp_path / "far" / ".." / "link")) == os.fspath(tmp_path / "link")

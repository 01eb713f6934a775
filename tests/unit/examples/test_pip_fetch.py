"""Archives are checked before anything of them is used."""

import io
import tarfile
from pathlib import Path

import pip_fetch
import pytest

from trainjobs.errors import InvalidData, InvalidRecipe, StorageUnavailable


def archive_of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            content = b"ratings" if member.isfile() else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def link_to(target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("link.txt")
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def requirement(folder: Path, line: str) -> Path:
    path = folder / "requirement.txt"
    path.write_text(f"# why\n{line}\n", encoding="utf-8")
    return path


def test_a_wanted_member_is_returned_as_bytes() -> None:
    archive = archive_of(tarfile.TarInfo("data/a.txt"), tarfile.TarInfo("data/b.txt"))
    assert pip_fetch.read_members(archive, ["data/b.txt"]) == {"data/b.txt": b"ratings"}


@pytest.mark.parametrize(
    "name", ["../evil.txt", "data/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:/evil.txt"]
)
def test_an_archive_with_a_member_that_leaves_its_folder_is_refused(name: str) -> None:
    archive = archive_of(tarfile.TarInfo("data/a.txt"), tarfile.TarInfo(name))
    with pytest.raises(InvalidData, match=r"would leave its folder"):
        pip_fetch.read_members(archive, ["data/a.txt"])


def test_an_archive_with_a_link_is_refused() -> None:
    with pytest.raises(InvalidData, match=r"link\.txt.*is a link"):
        pip_fetch.read_members(archive_of(tarfile.TarInfo("a.txt"), link_to("/etc/passwd")), ["a.txt"])


def test_a_missing_member_is_named() -> None:
    with pytest.raises(InvalidData, match=r"b\.txt.*is not there"):
        pip_fetch.read_members(archive_of(tarfile.TarInfo("a.txt")), ["b.txt"])


@pytest.mark.parametrize(
    "line", ["thing==1.0", "thing>=1 --hash=sha256:" + "0" * 64, "", "../x==1 --hash=sha256:00"]
)
def test_a_requirement_without_version_or_hash_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidRecipe, match=r"requirement\.txt.*name==version"):
        pip_fetch.read_pin(requirement(tmp_path, line))


@pytest.fixture
def pinned_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pip_fetch.Pinned:
    """A source distribution that pip finds, whose build script leaves a trace, under another hash's pin."""
    folder = tmp_path / "links" / "thing-1.0"
    folder.mkdir(parents=True)
    trace = tmp_path / "ran"
    script = f"open({str(trace)!r}, 'w').close()\nimport setuptools\nsetuptools.setup(name='thing')\n"
    (folder / "setup.py").write_text(script, encoding="utf-8")
    with tarfile.open(folder.parent / "thing-1.0.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder.parent))
    return pip_fetch.read_pin(requirement(tmp_path, f"thing==1.0 --hash=sha256:{'0' * 64}"))


def test_an_archive_with_another_hash_is_refused_before_its_code_runs(
    pinned_elsewhere: pip_fetch.Pinned, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailable, match=r"could not fetch thing 1\.0: .* DO NOT MATCH THE HASHES"):
        pip_fetch.fetch(pinned_elsewhere, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "ran").exists()


def test_a_cached_archive_whose_bytes_changed_is_not_used(
    pinned_elsewhere: pip_fetch.Pinned, tmp_path: Path
) -> None:
    (tmp_path / "thing-1.0.tar.gz").write_bytes(b"something else")
    with pytest.raises(StorageUnavailable, match="could not fetch thing"):
        pip_fetch.fetch(pinned_elsewhere, tmp_path)


def test_a_pip_that_is_not_there_is_named_with_the_fix(
    pinned_elsewhere: pip_fetch.Pinned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINJOBS_PIP", "/nowhere/pip")
    with pytest.raises(StorageUnavailable, match="set TRAINJOBS_PIP"):
        pip_fetch.fetch(pinned_elsewhere, tmp_path)

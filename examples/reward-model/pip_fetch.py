"""Fetches one hash-pinned source distribution with pip, and reads archives without unpacking them.

pip checks the hash before it looks into the archive, and only then asks the archive's own build
script for its name: the code that runs is the code that the pinned hash names. The archive is
kept in `$XDG_CACHE_HOME/trainjobs` (`~/.cache/trainjobs`), checked again at every use, so a second
run needs no network.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainjobs.errors import InvalidData, InvalidRecipe, StorageUnavailable

_LINE = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Pinned:
    """One line `name==version --hash=sha256:…` of a requirements file."""

    name: str
    version: str
    sha256: str
    requirements: Path

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.tar.gz"


def read_pin(requirements: Path) -> Pinned:
    """Return the one requirement of the file; InvalidRecipe when it is not exactly one with a hash."""
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    matches = [_LINE.match(line) for line in lines if line and not line.startswith("#")]
    if len(matches) != 1 or matches[0] is None:
        raise InvalidRecipe(f"{requirements}: give one line 'name==version --hash=sha256:…'")
    return Pinned(**matches[0].groupdict(), requirements=requirements)


def cache_folder() -> Path:
    """Return the folder for downloads, outside the source tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trainjobs" / "downloads"


def fetch(pin: Pinned, folder: Path) -> Path:
    """Return the verified archive in `folder`, fetched by pip when it is not there yet.

    A cached file whose hash differs is fetched anew. StorageUnavailable when pip cannot fetch it.
    """
    archive = folder / pin.file_name
    if archive.is_file() and _sha256(archive) == pin.sha256:
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        _pip_download(pin, Path(temporary))
        fetched = Path(temporary) / pin.file_name
        if not fetched.is_file() or _sha256(fetched) != pin.sha256:
            raise InvalidData(
                f"{pin.file_name}: pip fetched something else than the hash in {pin.requirements}"
            )
        # A rename, so that two runs at once never see half a file.
        fetched.replace(archive)
    return archive


def read_members(archive: bytes, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return the wanted members of a tar archive as bytes, by name; nothing is unpacked to disk.

    Every name of the archive is checked first, wanted or not. InvalidData when one could leave the
    folder it is unpacked in, when one is a link or a device, or when a wanted one is not there.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
        for member in members:
            _check_member(member)
        by_name = {member.name: member for member in members if member.isfile()}
        missing = [name for name in wanted if name not in by_name]
        if missing:
            raise InvalidData(f"archive: member {missing[0]!r} is not there")
        contents = {}
        for name in wanted:
            stream = tar.extractfile(by_name[name])
            assert stream is not None, "a regular file of a tar archive has a stream"
            contents[name] = stream.read()
        return contents


def _check_member(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in path.parts[0]:
        raise InvalidData(f"archive: member {member.name!r} would leave its folder; use another archive")
    if not (member.isfile() or member.isdir()):
        raise InvalidData(f"archive: member {member.name!r} is a link or a device; use another archive")


def _pip_download(pin: Pinned, folder: Path) -> None:
    command = [*_find_pip(), "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", pin.name, "--require-hashes", "-r", str(pin.requirements), "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        why = errors[0] if errors else done.stderr.strip()[-200:]
        raise StorageUnavailable(f"pip could not fetch {pin.name} {pin.version}: {why}")


def _find_pip() -> list[str]:
    for command in _pip_commands():
        if shutil.which(command[0]) is None:
            continue
        probe = subprocess.run([*command, "--version"], capture_output=True, check=False)
        if probe.returncode == 0:
            return command
    raise StorageUnavailable("no pip was found: set TRAINJOBS_PIP to the path of one")


def _pip_commands() -> Iterator[list[str]]:
    """Yield pips to try: an environment made by uv carries none of its own."""
    named = os.environ.get("TRAINJOBS_PIP")
    if named:
        yield [named]
        return
    yield [sys.executable, "-m", "pip"]
    yield [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "pip"]
    yield ["pip3"]
    yield ["uv", "tool", "run", "pip"]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""The images that a cluster starts with, made here without any registry: pause, and a Debian base."""

import fcntl
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.harness import docker_build
from tests.cluster.harness.node import PAUSE_IMAGE
from tests.cluster.harness.parts import GO
from tests.cluster.harness.sandbox import checked
from tests.harness.go_tools import cache, tool

BASE_IMAGE = "trainjobs.dev/base:bookworm"
DEBOOTSTRAP = ("--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm")
# Left out of the image: lists and packages that apt fetches again.
_NOT_IN_IMAGE = ("var/cache/apt/archives", "var/lib/apt/lists", "var/log")


def pause_archive() -> Path:
    """An image archive with the pause program alone."""
    source = GO / "pause" / "main.go"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    program = tool("pause", ".", digest, module=source.parent)
    return _cached(f"pause-{digest}", lambda layer: _pause_layer(program, layer), PAUSE_IMAGE, ["/pause"])


def base_archive() -> Path:
    """An image archive of a small Debian with Python: the `BASE_IMAGE` of the project's images here.

    Made by debootstrap on first use, in about two minutes; what Debian's mirror then gives is what is in it.
    Docker pulls one where that is not to be had.
    """
    if docker_build.needed():
        return _kept("base-docker", lambda unfinished: docker_build.save_base(unfinished, BASE_IMAGE))
    digest = hashlib.sha256(" ".join(DEBOOTSTRAP).encode()).hexdigest()[:12]
    return _cached(f"base-{digest}", _debian_layer, BASE_IMAGE, ["python3"])


def _cached(name: str, write_layer: Callable[[Path], None], image: str, command: Sequence[str]) -> Path:
    def write(unfinished: Path) -> None:
        layer = unfinished.with_name("layer.tar")
        write_layer(layer)
        write_archive(unfinished, layer, image, command)

    return _kept(name, write)


def _kept(name: str, write: Callable[[Path], None]) -> Path:
    """An archive of the cache, written on first use."""
    folder = cache() / "images"
    folder.mkdir(exist_ok=True)
    archive = folder / f"{name}.tar"
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
                unfinished = Path(scratch, "image.tar")
                write(unfinished)
                unfinished.replace(archive)
    return archive


def _pause_layer(program: Path, layer: Path) -> None:
    with tarfile.open(layer, "w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.mode, entry.size = 0o755, program.stat().st_size
        with program.open("rb") as content:
            tar.addfile(entry, content)


def _debian_layer(layer: Path) -> None:
    root = layer.with_name("root")
    # It mounts /proc, and may leave it: in a mount namespace of its own that ends with it.
    checked(["unshare", "--mount", "nice", "-n", "19", "debootstrap", *DEBOOTSTRAP, str(root)])
    excluded = [f"--exclude=./{path}/*" for path in _NOT_IN_IMAGE]
    checked(
        ["tar", "--numeric-owner", "--sort=name", *excluded, "--directory", str(root), "-cf", str(layer), "."]
    )
    shutil.rmtree(root)


def write_archive(path: Path, layer: Path, image: str, command: Sequence[str]) -> None:
    """Write a docker archive of one layer, as `docker save` does: containerd, buildah and kind read it."""
    with layer.open("rb") as content:
        diff = hashlib.file_digest(content, "sha256").hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {"Cmd": list(command), "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
        # buildah builds on no image whose history does not tell of every layer.
        "history": [{"created_by": "trainjobs tests"}],
    }
    encoded = json.dumps(config).encode()
    name = hashlib.sha256(encoded).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": [image], "Layers": [f"{diff}/layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for member, data in ((f"{name}.json", encoded), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        tar.add(layer, f"{diff}/layer.tar")

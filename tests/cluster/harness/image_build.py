"""Builds the project's images by buildah or Docker, from the same Dockerfiles that a registry build uses."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.harness import docker_build, images
from tests.cluster.harness.sandbox import checked
from tests.harness.go_tools import cache

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def build_image(
    context: Path,
    dockerfile: Path,
    tag: str,
    *,
    arguments: Mapping[str, str] | None = None,
    target: str | None = None,
) -> Path:
    """Build an image and return its archive, for `Cluster.load_image`.

    Unchanged layers come from a cache; a changed image gets a new archive.
    `BASE_IMAGE` is a small Debian with Python unless `arguments` name another. Builds use the machine's
    network and trust its certificate authorities. By buildah, and by Docker where that is not to be had.
    """
    with _locked():
        named, options = dict(arguments or {}), [] if target is None else ["--target", target]
        if authority := os.environ.get("SSL_CERT_FILE"):
            options += ["--secret", f"id=ca,src={authority}"]
            named["SSL_CERT_FILE"] = "/run/secrets/ca"
        if docker_build.needed():
            docker_build.build(context, dockerfile, tag, arguments=named, options=options)
            return _archived(tag, docker_build.identity(tag), docker_build.save)
        named.setdefault("BASE_IMAGE", _pulled_base())
        _build(context, dockerfile, tag, named, options)
        identity = _buildah(["images", "--no-trunc", "--quiet", tag]).strip()
        return _archived(tag, identity, _save)


def _build(
    context: Path, dockerfile: Path, tag: str, arguments: Mapping[str, str], options: Sequence[str]
) -> None:
    # What builds that were killed have left: for the trainer's image that is gigabytes.
    _buildah(["rm", "--all"])
    # In OCI's format: in Docker's, Debian's buildah 1.28 finds none of its layers again.
    own = ["--isolation", "chroot", "--network", "host", "--layers"]
    if _CERTIFICATES.exists():
        own += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
    words = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    _buildah(["bud", *own, *words, *options, "--tag", tag, "--file", str(dockerfile), str(context)])


def _save(tag: str, archive: Path) -> None:
    _buildah(["push", tag, f"docker-archive:{archive}:{tag}"])


@contextmanager
def _locked() -> Iterator[None]:
    folder = cache() / "buildah"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pulled_base() -> str:
    archive = images.base_archive()
    pulled = cache() / "buildah" / archive.with_suffix(".pulled").name
    if not pulled.exists():
        _buildah(["pull", f"docker-archive:{archive}"])
        pulled.touch()
    return images.BASE_IMAGE


def _archived(tag: str, identity: str, save: Callable[[str, Path], None]) -> Path:
    name = re.sub(r"[^A-Za-z0-9.]+", "-", tag)
    archive = cache() / "images" / f"built-{name}-{identity.removeprefix('sha256:')[:12]}.tar"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        for older in archive.parent.glob(f"built-{name}-*.tar"):
            older.unlink()
        unfinished = archive.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        save(tag, unfinished)
        unfinished.replace(archive)
    return archive


def _buildah(arguments: Sequence[str]) -> str:
    store, run = cache() / "buildah" / "store", cache() / "buildah" / "run"
    places = ["--root", str(store), "--runroot", str(run), "--storage-driver", "overlay"]
    return checked(["nice", "-n", "19", "buildah", *places, *arguments])


def forget_images(repository: str, *, kept: int, tags: str = "") -> None:
    """Delete images of a repository, but the newest whose tags begin so, and layers that no image needs.

    Archives stay.
    """
    with _locked():
        if docker_build.needed():
            docker_build.forget(repository, kept=kept, tags=tags)
            return
        listed = json.loads(_buildah(["images", "--json", "--filter", f"reference={repository}"]))
        newest_first = sorted(listed, key=lambda image: str(image["createdatraw"]), reverse=True)
        alike = [image for image in newest_first if f"{repository}:{tags}" in str(image["names"])]
        for image in newest_first:
            if image not in alike[:kept]:
                _buildah(["rmi", *image["names"]])
        # Layers of stages, which a change of the sources leaves behind.
        _buildah(["rmi", "--prune"])


def forget() -> None:
    """Delete the cache of layers."""
    shutil.rmtree(cache() / "buildah", ignore_errors=True)

"""Images by Docker, where that is what people have: their machine need not be a Debian, nor they root."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.harness.sandbox import checked

# What the Dockerfiles build on where nobody names another image.
_BASE = "python:3.11-slim-bookworm"


def needed() -> bool:
    """Whether buildah is not to be had."""
    return os.geteuid() != 0 or shutil.which("buildah") is None


def save_base(archive: Path, image: str) -> None:
    """Write the archive of the base image, which Docker has or pulls, under a name of the tests'."""
    if not checked(["docker", "images", "--quiet", _BASE]):
        checked(["docker", "pull", "--quiet", _BASE])
    checked(["docker", "tag", _BASE, image])
    save(image, archive)


def build(
    context: Path, dockerfile: Path, tag: str, *, arguments: Mapping[str, str], options: Sequence[str]
) -> None:
    """Build an image; unchanged layers come from Docker's cache."""
    words = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    command = ["build", "--network", "host", *words, *options, "--tag", tag, "--file", str(dockerfile)]
    checked(["env", "DOCKER_BUILDKIT=1", "docker", *command, str(context)])


def identity(tag: str) -> str:
    """What is the same for two images only if they are."""
    return checked(["docker", "images", "--no-trunc", "--quiet", tag]).strip()


def save(tag: str, archive: Path) -> None:
    """Write an image's archive."""
    checked(["docker", "save", "--output", str(archive), tag])


def forget(repository: str, *, kept: int, tags: str) -> None:
    """Delete images of a repository, but the newest whose tags begin so."""
    newest_first = checked(["docker", "images", "--format", "{{.Tag}}", repository]).split()
    alike = [tag for tag in newest_first if tag.startswith(tags)]
    for tag in newest_first:
        if tag not in alike[:kept]:
            checked(["docker", "rmi", f"{repository}:{tag}"])

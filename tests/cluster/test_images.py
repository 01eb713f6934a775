"""The project's images as they are built: what is in them, and as whom they run."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.harness.images import base_archive
from tests.cluster.project_images import OPERATOR

LABELS = {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "version")}


def settings(archive: Path) -> dict[str, Any]:
    """The configuration of the one image in a docker archive."""
    with tarfile.open(archive) as tar:
        [image] = json.loads(_read(tar, "manifest.json"))
        return dict(json.loads(_read(tar, image["Config"]))["config"])


def files(archive: Path) -> Iterator[str]:
    """The path of every file in its layers."""
    with tarfile.open(archive) as tar:
        [image] = json.loads(_read(tar, "manifest.json"))
        for layer in image["Layers"]:
            with tarfile.open(fileobj=tar.extractfile(layer)) as inner:
                yield from (member.name for member in inner)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    assert member is not None
    return member.read()


def test_the_operators_image_is_small_has_no_torch_and_is_not_roots(own_cluster):
    archive = OPERATOR.archive(OPERATOR.tag())
    added = archive.stat().st_size - base_archive().stat().st_size
    print(f"the operator's image adds {added / 1e6:.0f} MB to its base")
    assert added < 250e6
    packages = {
        path.split("site-packages/")[1].split("/")[0] for path in files(archive) if "site-packages/" in path
    }
    assert {"trainjobs", "kopf"} <= packages
    assert packages.isdisjoint({"torch", "transformers", "uv"})
    said = settings(archive)
    assert said["User"] == "1000:1000"
    assert set(said["Labels"]) >= LABELS

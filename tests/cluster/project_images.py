"""The project's images for the tests' cluster, named by their content: built when some of that changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.image_build import build_image, forget_images
from tests.cluster.harness.own import OwnCluster
from tests.harness.go_tools import cache

ROOT = Path(__file__).parents[2]
KEPT = 4
_SINGLE = tuple(
    ROOT / name
    for name in (
        "pyproject.toml",
        "uv.lock",
        "README.md",
        "LICENSE",
        ".dockerignore",
        "hack/uv-requirements.txt",
    )
)


@dataclass(frozen=True, slots=True)
class ProjectImage:
    """One folder of `images/`."""

    name: str

    @property
    def repository(self) -> str:
        """The image's name without its tag."""
        return f"trainjobs.dev/{self.name}"

    @property
    def dockerfile(self) -> Path:
        """What it is built from; the context is the repository's root."""
        return ROOT / "images" / self.name / "Dockerfile"

    def tag(self) -> str:
        """A tag that is the same as long as everything that the Dockerfile copies is."""
        digest = hashlib.sha256()
        sources = sorted(
            path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc"
        )
        for path in (self.dockerfile, *_SINGLE, *sources):
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:12]

    def archive(self, tag: str) -> Path:
        """The image's archive; builds it where there is none of this tag, and lets go of old ones."""
        name = self.repository.replace("/", "-")
        folder = cache() / "images"
        for archive in folder.glob(f"built-{name}-{tag}-*.tar"):
            return archive
        built = build_image(ROOT, self.dockerfile, f"{self.repository}:{tag}")
        # Several, since several checkouts share the cache.
        for old in sorted(folder.glob(f"built-{name}-*.tar"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
        forget_images(self.repository, kept=KEPT)
        return built

    def load(self, cluster: OwnCluster, nodes: Sequence[str]) -> str:
        """Give nodes the image, and return its name.

        It may be large: older versions go before it is built, its layers before the import, then the archive.
        """
        tag = self.tag()
        image = f"{self.repository}:{tag}"
        missing = [node for node in nodes if image not in cluster.nodes[node].images()]
        if missing:
            for node in missing:
                cluster.nodes[node].forget_images(self.repository)
            archive = self.archive(tag)
            forget_images(self.repository, kept=0)
            cluster.load_image(archive, nodes=missing)
            archive.unlink()
        return image


OPERATOR = ProjectImage("operator")
TRAINER = ProjectImage("trainer")

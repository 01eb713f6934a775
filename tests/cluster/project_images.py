"""The project's images for the tests' cluster, named by their content: built when some of that changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.image_build import build_image, forget_images
from tests.cluster.harness.own import OwnCluster
from tests.harness.go_tools import cache

ROOT = Path(__file__).parents[2]
_OF_LIBRARIES = tuple(ROOT / name for name in ("uv.lock", "hack/uv-requirements.txt"))
_BESIDE = tuple(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"))


@dataclass(frozen=True, slots=True)
class ProjectImage:
    """One folder of `images/`."""

    name: str
    kept: int
    """Versions that stay in the cache of layers."""

    @property
    def repository(self) -> str:
        """The image's name without its tag."""
        return f"trainjobs.dev/{self.name}"

    @property
    def dockerfile(self) -> Path:
        """What it is built from; the context is the repository's root."""
        return ROOT / "images" / self.name / "Dockerfile"

    def libraries(self) -> str:
        """What its layers below our own code are made of: the beginning of its tag."""
        return _digest(self.dockerfile, *_OF_LIBRARIES)

    def tag(self) -> str:
        """A tag that is the same as long as everything that the Dockerfile copies is."""
        sources = (path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")
        return f"{self.libraries()}-{_digest(*_BESIDE, *sorted(sources))}"

    def archive(self, tag: str) -> Path:
        """The image's archive; builds it where there is none of this tag, and lets go of old ones."""
        name = self.repository.replace("/", "-")
        folder = cache() / "images"
        for archive in folder.glob(f"built-{name}-{tag}-*.tar"):
            return archive
        # Other libraries go before the build: they may be gigabytes.
        forget_images(self.repository, kept=self.kept, tags=self.libraries())
        built = build_image(ROOT, self.dockerfile, f"{self.repository}:{tag}")
        archives = sorted(folder.glob(f"built-{name}-*.tar"), key=lambda path: path.stat().st_mtime)
        for old in archives[: -self.kept]:
            old.unlink()
        forget_images(self.repository, kept=self.kept, tags=self.libraries())
        return built

    def load(self, cluster: OwnCluster, nodes: Sequence[str]) -> str:
        """Give nodes the image, and return its name.

        It may be large: versions with other libraries go before it is built, and what it shares with the last
        one is neither built nor unpacked again.
        """
        tag = self.tag()
        image = f"{self.repository}:{tag}"
        missing = [node for node in nodes if image not in cluster.nodes[node].images()]
        for node in missing:
            cluster.nodes[node].forget_images(self.repository, but=f"{self.repository}:{self.libraries()}")
        if missing:
            archive = self.archive(tag)
            cluster.load_image(archive, nodes=missing)
            archive.unlink()
        for node in missing:
            cluster.nodes[node].forget_images(self.repository, but=image)
        return image


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:8]


# Several of the operator's, since several checkouts share the cache.
OPERATOR = ProjectImage("operator", kept=4)
TRAINER = ProjectImage("trainer", kept=1)

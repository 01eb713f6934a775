"""The project's images for the tests' cluster, named by their content: built when some of that changes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.given import GivenCluster
from tests.cluster.harness.image_build import build_image, forget_images
from tests.cluster.harness.kind import KindCluster
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

    def on(self, cluster: Cluster) -> str:
        """The image's name with its tag, as pods of a cluster name it."""
        return (
            cluster.image(self.name)
            if isinstance(cluster, GivenCluster)
            else f"{self.repository}:{self.tag()}"
        )

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

    def load(self, cluster: Cluster) -> None:
        """Give every node the image, where they do not pull it."""
        if not isinstance(cluster, GivenCluster):
            cluster.load_image(self.archive(self.tag()))

    def place(self, cluster: Cluster) -> tuple[str, dict[str, str]]:
        """Give one node a large image, where it is not pulled; its name, and the nodeSelector of its pods."""
        image = self.on(cluster)
        if isinstance(cluster, GivenCluster):
            return image, {}
        name = cluster.ready_nodes()[0]
        if isinstance(cluster, OwnCluster):
            self._replace(cluster, name)
        elif isinstance(cluster, KindCluster) and image not in cluster.images(name):
            self._hand_over(cluster, name)
        return image, {"kubernetes.io/hostname": name}

    def _replace(self, cluster: OwnCluster, name: str) -> None:
        """Give a node the image, unless it has it, and leave it no other of this repository.

        Versions with other libraries go before it is built, and what it shares with the last one is neither
        built nor unpacked again.
        """
        node, image = cluster.nodes[name], self.on(cluster)
        if image not in node.images():
            node.forget_images(self.repository, but=f"{self.repository}:{self.libraries()}")
            self._hand_over(cluster, name)
            node.forget_images(self.repository, but=image)

    def _hand_over(self, cluster: Cluster, node: str) -> None:
        archive = self.archive(self.tag())
        cluster.load_image(archive, nodes=[node])
        archive.unlink()


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:8]


# Several of the operator's, since several checkouts share the cache.
OPERATOR = ProjectImage("operator", kept=4)
TRAINER = ProjectImage("trainer", kept=1)

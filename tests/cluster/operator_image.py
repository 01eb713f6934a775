"""The operator's image for the tests' cluster, named by its content: built when some of that changes."""

import hashlib
from pathlib import Path

from tests.cluster.harness.image_build import build_image
from tests.harness.go_tools import cache

ROOT = Path(__file__).parents[2]
REPOSITORY = "trainjobs.dev/operator"
_DOCKERFILE = ROOT / "images" / "operator" / "Dockerfile"
_SINGLE = (
    _DOCKERFILE,
    *(ROOT / name for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE", ".dockerignore")),
    ROOT / "hack" / "uv-requirements.txt",
)


def operator_tag() -> str:
    """A tag that is the same as long as everything that the Dockerfile copies is."""
    digest = hashlib.sha256()
    sources = sorted(path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in (*_SINGLE, *sources):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def operator_archive(tag: str) -> Path:
    """The image's archive; builds it where there is none of this tag, and lets go of older ones."""
    name = REPOSITORY.replace("/", "-")
    folder = cache() / "images"
    for archive in folder.glob(f"built-{name}-{tag}-*.tar"):
        return archive
    built = build_image(ROOT, _DOCKERFILE, f"{REPOSITORY}:{tag}")
    for older in folder.glob(f"built-{name}-*.tar"):
        if older != built:
            older.unlink()
    return built

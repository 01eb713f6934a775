"""Where the URIs of a recipe lie on this node: volumes and ConfigMaps are mounted, files used in place."""

import os
from pathlib import Path

from trainjobs.core.uris import Scheme, file_path, file_uri, parse_uri
from trainjobs.errors import InvalidRecipe


def volume_uri(uri: str, pvc_root: os.PathLike[str]) -> str:
    """Return `pvc://claim/path` as the `file://` URI of its mount, any other URI unchanged."""
    if not uri.startswith(f"{Scheme.CLAIM}://"):
        return uri
    return file_uri(local_path(uri, Path(pvc_root), Path("/")))


def local_path(uri: str, pvc_root: Path, config_map_root: Path) -> Path:
    """Return the path of a `file://`, `pvc://` or `configMap://` URI.

    Raises:
        InvalidRecipe: the path is relative or leaves its volume, or it is another kind of URI.
    """
    parts = parse_uri(uri)
    roots = {Scheme.CLAIM: pvc_root, Scheme.CONFIG_MAP: config_map_root}
    if parts.scheme in roots:
        return roots[parts.scheme] / parts.place / parts.path.lstrip("/")
    path = file_path(uri)
    if path is None:
        raise InvalidRecipe(f"{uri!r:.200}: give an absolute path, as in file:///data/train.jsonl")
    return Path(path)

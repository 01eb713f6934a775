"""Where the URIs of a recipe lie on this node: volumes and ConfigMaps are mounted, files used in place."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trainjobs.errors import InvalidRecipe


def volume_uri(uri: str, pvc_root: os.PathLike[str]) -> str:
    """Return `pvc://claim/path` as the `file://` URI of its mount, any other URI unchanged."""
    if not uri.startswith("pvc://"):
        return uri
    return local_path(uri, Path(pvc_root), Path("/")).as_uri()


def local_path(uri: str, pvc_root: Path, config_map_root: Path) -> Path:
    """Return the path of a `file://`, `pvc://` or `configMap://` URI.

    Raises:
        InvalidRecipe: the path is relative or leaves its volume.
    """
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if ".." in Path(path).parts or "\0" in path:
        raise InvalidRecipe(f"{uri!r:.200}: the path must not contain '..'")
    match uri.partition("://")[0]:
        case "file" if parts.netloc in ("", "localhost"):
            return Path(path)
        case "pvc":
            return pvc_root / parts.netloc / path.lstrip("/")
        case "configMap":
            # urlsplit keeps the name's case only in netloc; ConfigMaps' names are lower case anyway.
            return config_map_root / parts.netloc / path.lstrip("/")
    raise InvalidRecipe(f"{uri!r:.200}: give an absolute path, as in file:///data/train.jsonl")

"""Paths that people type, made absolute and normal once: every spelling of a path means one path."""

import os
from pathlib import Path

from trainjobs.core.uris import file_path, parse_uri


def normal(path: Path) -> Path:
    """Return `path` from the root, without `.` and `..`.

    What stands before a `..` is resolved as the file system does, where `link/..` is the folder that the link
    leads into; what follows stays as it is named, links included.
    """
    path = path.absolute()
    up = max((index for index, part in enumerate(path.parts) if part == ".."), default=None)
    if up is None:
        return path
    return Path(os.path.realpath(Path(*path.parts[: up + 1])), *path.parts[up + 1 :])


def path_here(uri: str, base: Path) -> Path | None:
    """Return the path on this machine that a URI of a manifest stands for; None for what is elsewhere.

    Args:
        uri: the URI.
        base: folder of the manifest, which relative ones are seen from.
    """
    parts = parse_uri(uri)
    if parts.is_relative:
        return normal(base / parts.path)
    path = file_path(uri)
    return None if path is None else Path(path)

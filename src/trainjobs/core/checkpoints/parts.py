"""A checkpoint that several nodes write: which file is whose, and what a node needs of the others'. Pure.

Node 0's files lie in the checkpoint's folder itself, those of node 1 below `parts/0001/`, so that files of
one name never meet. Each node writes a manifest of its part last, an empty one where it has nothing that
node 0 has not; node 0 names them all in the checkpoint's.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.errors import InvalidRecipe

PARTS = "parts"
DECLINED = "DECLINED"
"""In a node's folder: it had a part, and has it no more."""
_PART = re.compile(rf"{PARTS}/(\d{{4}})/(.+)")
_SHARD = re.compile(r"zero_pp_rank_(\d+)_[^/]*\.pt")

Needs = Callable[[str], bool]
"""Whether a process of this node reads the file of this path."""


def part_folder(node: int) -> str:
    """Return the folder of a node's part, below the checkpoint's: `parts/0001`.

    Raises:
        ValueError: node 0 has none, and there are no more than 9,999 others.
    """
    if not 1 <= node <= 9999:
        raise ValueError(f"node {node} has no part of its own")
    return f"{PARTS}/{node:04d}"


def split_part(path: str) -> tuple[int, str]:
    """Take a file's path in a checkpoint apart: (the node that wrote it, its path there)."""
    match = _PART.fullmatch(path)
    return (int(match[1]), match[2]) if match else (0, path)


def all_files(own: Iterable[FileEntry], parts: Mapping[int, Manifest]) -> tuple[FileEntry, ...]:
    """Return the files of the whole checkpoint, as its manifest names them.

    Args:
        own: node 0's.
        parts: the other nodes' manifests, by their number.

    Raises:
        InvalidRecipe: node 0 has a file where another node's part lies.
    """
    files = list(own)
    for entry in files if parts else ():
        if entry.path.startswith(f"{PARTS}/"):
            raise InvalidRecipe(
                f"{entry.path}: the folder {PARTS} is kept for what other nodes save: rename it"
            )
    for node, manifest in sorted(parts.items()):
        folder = part_folder(node)
        files += [FileEntry(f"{folder}/{one.path}", one.size, one.sha256) for one in manifest.files]
    return tuple(files)


def files_here(manifest: Manifest, needs: Needs) -> dict[str, FileEntry]:
    """Return what to fetch: path on this machine → file in storage.

    Nodes wrote into folders of one shape; where two wrote the same file, node 0's counts.
    """
    if manifest.nodes == 1:
        return {entry.path: entry for entry in manifest.files if needs(entry.path)}
    here: dict[str, FileEntry] = {}
    for entry in sorted(manifest.files, key=lambda entry: split_part(entry.path)):
        _, path = split_part(entry.path)
        if needs(path):
            here.setdefault(path, entry)
    return here


def everything(_path: str) -> bool:
    """Need every file."""
    return True


def needed_by(ranks: range) -> Needs:
    """Need what these ranks read: of DeepSpeed's shards their own, and everything that is no shard."""

    def needs(path: str) -> bool:
        shard = _SHARD.search(path)
        return shard is None or int(shard[1]) in ranks

    return needs

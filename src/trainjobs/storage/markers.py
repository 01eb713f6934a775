"""Folder markers in object storage, which has no folders: empty objects that consoles and file browsers make.

Their keys end in `/`, and obstore drops that slash: `models/tiny/` is listed like an empty file
`models/tiny`. A file of that name cannot lie beside the files below it, and cannot be read at all where
there are none.
"""

from collections.abc import Callable, Iterator, Sequence

from trainjobs.storage.store import ObjectInfo


def without_markers(
    listed: Sequence[ObjectInfo], folder: str, is_there: Callable[[str], bool]
) -> Iterator[ObjectInfo]:
    """Yield what is no folder marker.

    Args:
        listed: all that a listing of `folder` gave, by keys without their last slash.
        folder: whose own marker may be among it; "" for the root.
        is_there: whether an object of exactly that key exists; asked of empty ones only.
    """
    folders = {folder}
    for info in listed:
        parts = info.key.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    taken = folders.union(info.key for info in listed if info.size > 0)
    for info in listed:
        if info.size > 0:
            yield info
        elif info.key not in taken and is_there(info.key):
            taken.add(info.key)
            yield info

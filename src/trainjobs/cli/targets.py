"""Files that a verb writes: never one that it reads, and whole or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trainjobs.errors import UsageError
from trainjobs.ml.data.files import is_rows
from trainjobs.printing import standard_output


def check_target(option: str, target: Path | None, read: Iterable[Path | str | None]) -> None:
    """Refuse, before any work, a file to write whose folder is not there, or that is read.

    Args:
        option: what the file was given by, for messages.
        target: the file; None writes none.
        read: what is read: files, and folders of them.

    Raises:
        UsageError: it cannot be written, or would take the place of what is read.
    """
    if target is None:
        return
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{option} {target}: its folder is not there; make it, or give another path")
    if target.is_dir():
        raise UsageError(f"{option} {target}: a folder; give a file")
    own = target.resolve()
    for path in (Path(one) for one in read if one is not None):
        among = target.exists() and is_rows(target) and path.resolve() in own.parents
        if _is_same(target, path) or among:
            raise UsageError(f"{option} {target}: it is read, too, and would be replaced; give another path")


def _is_same(target: Path, path: Path) -> bool:
    return target.resolve() == path.resolve() or (target.exists() and path.exists() and target.samefile(path))


@contextmanager
def writing(option: str, path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears whole when all is written."""
    if path is None:
        stream = standard_output()
        yield stream
        stream.flush()
        return
    aside = path.with_name(f".{path.name}.part")
    try:
        with aside.open("wb") as stream:
            yield stream
        aside.replace(path)
    except OSError as problem:
        raise UsageError(f"{option} {path}: {problem.strerror}") from None
    finally:
        aside.unlink(missing_ok=True)

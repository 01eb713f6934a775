"""Manifests on disk: the files that the arguments name, and what they hold."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainjobs.api.labels import GROUP
from trainjobs.api.manifest import Fault, check
from trainjobs.api.objects import PassedOver
from trainjobs.api.runs import Run
from trainjobs.core.recipe.support import check_support
from trainjobs.errors import InvalidRecipe, UsageError
from trainjobs.ml.data.files import is_hidden

_OURS: Final = re.compile(rb"apiVersion[\"']?\s*:\s*[\"']?" + re.escape(f"{GROUP}/".encode()))


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """What one file holds: the runs that are right, all that is wrong, and what is none of ours."""

    path: Path
    runs: tuple[Run, ...]
    faults: tuple[Fault, ...]
    passed_over: tuple[PassedOver, ...] = ()


def files(named: Iterable[Path]) -> list[Path]:
    """Return the manifests among the arguments: files as named, and below a folder those that name our group.

    Hidden ones are passed over: editors and notebooks leave copies there.

    Raises:
        UsageError: a path is not there, or a folder holds no manifest.
    """
    found: list[Path] = []
    for path in named:
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if not is_hidden(file, path) and _names_our_group(file)
            )
            if not inside:
                raise UsageError(f"{path}: there is no manifest in this folder; name one, or its folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file; name a manifest or a folder of manifests")
    return list(dict.fromkeys(found))


def _names_our_group(file: Path) -> bool:
    # What else lies there, values or other objects, is not ours to judge.
    return file.suffix in (".yaml", ".yml") and file.is_file() and bool(_OURS.search(file.read_bytes()))


def checked(named: Iterable[Path], overrides: Sequence[str] = ()) -> Iterator[ManifestFile]:
    """Yield every manifest that the arguments name, judged; errors as of `files` and of overrides."""
    for path in files(named):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            fault = Fault(str(path), "", "", f"not text in UTF-8 (byte {error.start}); save it as UTF-8")
            yield ManifestFile(path, (), (fault,))
            continue
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be read ({error.strerror}); allow it, or name another"
            ) from None
        reading = check(text, str(path), overrides)
        yield ManifestFile(path, reading.runs, reading.faults, reading.passed_over)


def validate(manifest: str | Path, *, overrides: Sequence[str] = ()) -> list[Run]:
    """Return the runs of a manifest, or of a folder of them; the public `trainjobs.validate`.

    Args:
        manifest: the file or the folder.
        overrides: `path=value`, applied to every run.

    Raises:
        InvalidRecipe: something is wrong, or not trained by this version; one line for each such thing.
        UsageError: there is no such file, or an override cannot be applied.
    """
    runs = [run for run, _ in load([Path(manifest)], overrides)]
    check_support(runs)
    return runs


def load(
    named: Iterable[Path], overrides: Sequence[str] = (), tell: Callable[[str], object] = lambda _: None
) -> list[tuple[Run, Path]]:
    """Return every run that the arguments name, each with the file it stands in.

    Args:
        named: files and folders.
        overrides: `path=value`, applied to every run.
        tell: is told, line by line, what is passed over.

    Raises:
        InvalidRecipe: a manifest is wrong; the message has one line for each thing that is.
        UsageError: a file is not there, or an override cannot be applied.
    """
    read = list(checked(named, overrides))
    faults = [fault for file in read for fault in file.faults]
    if faults:
        raise InvalidRecipe("\n".join(map(str, faults)))
    for file in read:
        for other in file.passed_over:
            tell(f"note: {other}")
    return [(run, file.path) for file in read for run in file.runs]

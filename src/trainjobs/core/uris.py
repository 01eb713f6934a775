"""URIs of models, data and storage, taken apart and put together in one way.

    file:///data/my rows#3.jsonl      file://./rows.jsonl, seen from the manifest
    pvc://claim/path                  configMap://name/key
    s3://bucket/path                  hf://organisation/name@revision/path

A path stands in a URI as it is typed: nothing is decoded, and no `?` or `#` cuts it off. So every path that
a file system allows can be written, and is read back as the same path.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath, PurePosixPath
from typing import Final

from trainjobs.errors import InvalidRecipe

_RELATIVE: Final = "./"


class Scheme(StrEnum):
    """What a URI begins with."""

    FILE = "file"
    CLAIM = "pvc"
    CONFIG_MAP = "configMap"
    OBJECTS = "s3"
    HUB = "hf"


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI in its parts."""

    scheme: Scheme
    place: str
    """Name of the claim, ConfigMap, bucket or organisation; empty with `file`."""
    path: str
    """What follows the place, without the slash between; with `file` the whole path, from `/` or `./`."""

    @property
    def is_relative(self) -> bool:
        """Whether it means something only beside the manifest that holds it."""
        return self.scheme is Scheme.FILE and self.path.startswith(_RELATIVE)


def parse_uri(text: str) -> Uri:
    """Take a URI apart.

    Raises:
        InvalidRecipe: it is no URI of ours, no file system has such a path, or `..` leads out of its place.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in tuple(Scheme):
        raise InvalidRecipe(
            f"{text!r:.200}: give file:///path, s3://bucket/path, pvc://claim/path, "
            "hf://organisation/name or configMap://name/key"
        )
    if scheme == Scheme.FILE:
        uri = Uri(Scheme.FILE, "", rest)
        if not rest.startswith(("/", _RELATIVE)):
            raise InvalidRecipe(f"{text!r:.200}: give an absolute path, as in file:///data/train.jsonl")
    else:
        place, _, path = rest.partition("/")
        uri = Uri(Scheme(scheme), place, path)
    if "\0" in rest:
        raise InvalidRecipe(f"{text!r:.200}: a path cannot hold a NUL character; remove it")
    if ".." in uri.path.split("/") and not uri.is_relative:
        raise InvalidRecipe(f"{text!r:.200}: the path must not contain '..'; give the path without it")
    return uri


def file_path(text: str) -> PurePosixPath | None:
    """Return the path of a `file:///` URI, None for what is no file of one machine.

    Raises:
        InvalidRecipe: as of `parse_uri`.
    """
    uri = parse_uri(text)
    if uri.scheme is not Scheme.FILE or uri.is_relative:
        return None
    # Two slashes at the front would stay two, and be another path to all but the file system.
    return PurePosixPath("/" + uri.path.lstrip("/"))


def file_uri(path: PurePath) -> str:
    """Return the URI of an absolute path; `file_path` reads it back.

    Raises:
        InvalidRecipe: a name in it is not text in UTF-8, which no manifest can hold.
    """
    assert path.is_absolute(), path
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode(errors="surrogateescape").decode(errors="replace")
        raise InvalidRecipe(f"{shown}: a name in this path is not UTF-8; rename it") from None
    return f"file:///{text.lstrip('/')}"


def below(uri: str, path: str) -> str:
    """Return the URI of `path` below a folder's URI."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rstrip('/')}/{path}"


def typed_as_it_is(uri: str) -> str:
    """What to say behind "not there" of a URI that looks encoded; empty for any other."""
    return "; a URI holds its path as it is: type a space as a space, not as %20" if "%" in uri else ""

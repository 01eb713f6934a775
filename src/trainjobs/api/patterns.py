"""Which part of a text breaks its pattern: what a refusal says beside what would be right."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from trainjobs.api.base import (
    DATA_URI,
    ENDPOINT,
    FIGURE,
    IDENTIFIER,
    MODEL_URI,
    NAME,
    QUANTITY,
    STORAGE_URI,
    VARIABLE,
)

BUCKET: Final = (3, 63)
"""Characters of the name of a bucket, at least and at most."""
_NUMBER: Final = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*")
_PATHS: Final = ("file", "pvc")
_SUFFIXES: Final = "m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"


def wrong_part(pattern: str, text: str) -> str | None:
    """Return which part of `text` breaks `pattern`, in words; None where nobody can say."""
    say = PARTS.get(pattern)
    return say(text) if say is not None else None


def strange(text: str, what: str, takes: str, character: str) -> str | None:
    """Return the first character of `text` that `what` does not take; None where all are right.

    Args:
        text: what may hold such a character.
        what: its name in the words.
        takes: what it takes, in words.
        character: what it takes, as a pattern of one character.
    """
    for one in text:
        if not re.fullmatch(character, one):
            return f"{what} holds {one!r}, and takes {takes} only"
    return None


def _name(text: str) -> str | None:
    return _dashed(text, "it")


def _dashed(text: str, what: str) -> str | None:
    """Judge a DNS label."""
    if not text:
        return f"{what} is empty"
    found = strange(text, what, "lower-case letters, digits and '-'", "[-a-z0-9]")
    return found or f"{what} may not begin or end with {text[0] if text[0] in '-0123456789' else text[-1]!r}"


def _identifier(text: str) -> str | None:
    if not text:
        return "it is empty"
    found = strange(text, "it", "letters, digits, '_', '.' and '-'", "[A-Za-z0-9_.-]")
    return found or f"it may not begin with {text[0]!r}"


def _figure(text: str) -> str | None:
    if not text:
        return "it is empty"
    for one in text:
        # Letters, what is written above and below them, and digits.
        if one not in "_.-" and unicodedata.category(one)[0] not in "LMN":
            return f"it holds {one!r}, and takes letters, digits, '_', '.' and '-' only"
    return f"it may not begin with {text[0]!r}"


def _variable(text: str) -> str | None:
    if not text:
        return "it is empty"
    found = strange(text, "it", "letters, digits and '_'", "[A-Za-z0-9_]")
    return found or f"it may not begin with {text[0]!r}"


def _quantity(text: str) -> str:
    number = _NUMBER.match(text)
    if text.startswith("-"):
        return "it is negative"
    if number is None:
        return "it does not begin with a number"
    rest = text[number.end() :]
    if rest.startswith("."):
        return "its number has more than one '.'"
    if rest == "K":
        return "the suffix for 1000 is k, for 1024 Ki"
    return f"{rest!r} is no suffix; known are {_SUFFIXES}"


def _endpoint(text: str) -> str:
    scheme, colon, host = text.partition("://")
    if not colon:
        return "it has no scheme"
    if scheme not in ("http", "https"):
        return f"its scheme is {scheme!r}"
    return "it holds a line break" if host else "it names no host"


def _uri(*schemes: str) -> Callable[[str], str | None]:
    def say(text: str) -> str | None:
        scheme, colon, rest = text.partition("://")
        if not colon:
            return "it has no scheme"
        if scheme not in schemes:
            return f"the scheme {scheme!r} is not among {', '.join(schemes)}"
        if scheme in _PATHS and "\x00" in text:
            return "it holds a NUL, which no path may"
        if scheme not in _PATHS and "\n" in text:
            return "it holds a line break"
        return _SCHEMES[scheme](rest)

    return say


def _bucket(rest: str) -> str | None:
    bucket, low, high = rest.partition("/")[0], *BUCKET
    if not bucket:
        return "it names no bucket"
    if not low <= len(bucket) <= high:
        return f"the name of a bucket has {low} to {high} characters, and {bucket} has {len(bucket)}"
    found = strange(bucket, "the name of the bucket", "lower-case letters, digits, '-' and '.'", "[a-z0-9.-]")
    return found or "the name of a bucket begins and ends with a letter or digit"


def _claim(rest: str) -> str | None:
    claim = rest.partition("/")[0]
    return _dashed(claim, "the name of the claim") if claim else "it names no claim"


def _file(rest: str) -> str:
    first = rest.partition("/")[0]
    if not first:
        return "it names no path"
    return f"{first!r} stands where a host would; a path begins with / or ./"


def _hub(rest: str) -> str:
    names = [part.partition("@")[0] for part in rest.split("/")[:2]]
    if not rest or not all(names):
        return "it names no repository"
    for name in names:
        what = f"the name {name} on the hub"
        if found := strange(name, what, "letters, digits, '_', '-' and '.'", "[A-Za-z0-9_.-]"):
            return found
        if not _HUB_NAME.fullmatch(name):
            return f"{what} begins or ends with '-' or '.', or has two of them side by side"
    return "@ and a revision stand behind the name, once"


def _config_map(rest: str) -> str | None:
    name, slash, key = rest.partition("/")
    if not name:
        return "it names no ConfigMap"
    found = strange(
        name, "the name of the ConfigMap", "lower-case letters, digits, '-' and '.'", "[a-z0-9.-]"
    )
    if found:
        return found
    if not slash or not key:
        return "it names no key of the ConfigMap"
    return "the name of a ConfigMap begins with a letter or digit"


_SCHEMES: Final[Mapping[str, Callable[[str], str | None]]] = {
    "s3": _bucket,
    "pvc": _claim,
    "file": _file,
    "hf": _hub,
    "configMap": _config_map,
}

PARTS: Final[Mapping[str, Callable[[str], str | None]]] = {
    NAME: _name,
    IDENTIFIER: _identifier,
    FIGURE: _figure,
    VARIABLE: _variable,
    QUANTITY: _quantity,
    ENDPOINT: _endpoint,
    DATA_URI: _uri("file", "s3", "pvc", "hf", "configMap"),
    MODEL_URI: _uri("file", "s3", "pvc", "hf"),
    STORAGE_URI: _uri("file", "s3", "pvc"),
}
"""Pattern → what says which part of a text breaks it."""

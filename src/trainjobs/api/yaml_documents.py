"""YAML text → plain values, read as kubectl reads it, with the line that every value stands on.

PyYAML's own constructor reads `1e-5` as text, keeps the last of two equal keys, and lets ten short
lines of aliases grow to gigabytes. So only its parser is used: scalars are resolved as Kubernetes'
YAML library does (go-yaml v2, `resolve.go`), equal keys are refused, and size and depth are bounded.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

MAX_CHARACTERS: Final = 1_500_000
"""An API server takes no larger object (etcd's limit on a request)."""
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 64

Path = tuple[str | int, ...]
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER: Final = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LOOSE_UNDERSCORE: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
_TAG: Final = "tag:yaml.org,2002:"


class YamlProblem(Exception):
    """The text is not the YAML that a manifest may be; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        value: what it holds.
        lines: the line of every value, by its path; what came by an alias has none of its own.
        problems: line, path and words of what is wrong though it can be read.
        origins: what set a value that does not come from the file.
    """

    value: Value
    lines: dict[Path, int]
    problems: list[tuple[int, Path, str]] = field(default_factory=list)
    origins: dict[Path, str] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Return the line of the value at `path`, or of what should hold it."""
        lengths = range(len(path), -1, -1)
        return next((self.lines[path[:length]] for length in lengths if path[:length] in self.lines), 0)

    def place(self, path: Path) -> str:
        """Return where the value at `path`, or what should hold it, comes from: `line 12`."""
        origins = (self.origins.get(path[:length]) for length in range(len(path), 0, -1))
        origin = next(filter(None, origins), None)
        return f"({origin})" if origin else f"line {self.line(path)}"


def documents(text: str) -> Iterator[Document]:
    """Yield the documents of `text` that hold anything.

    Raises:
        YamlProblem: the text is not YAML, or larger or deeper than any manifest.
    """
    if len(text) > MAX_CHARACTERS:
        raise YamlProblem(1, f"the file has {len(text)} characters; a manifest has at most {MAX_CHARACTERS}")
    reader = _Reader(text)
    while (document := reader.document()) is not None:
        if document.value is not None:
            yield document


def scalar(text: str) -> Value:
    """Return what an unquoted scalar means.

    Raises:
        ValueError: it is an infinity or no number, which JSON and so Kubernetes cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not a number that can be used; give a finite one")
    if text[0] not in "+-.0123456789" or (text[0] == "." and _LOOSE_UNDERSCORE.search(text)):
        return text
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        digits = plain.lstrip("+-")
        # A leading 0 makes it octal, with or without the letter.
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        whole = int(digits, 8 if octal else 0) * (-1 if plain[0] == "-" else 1)
        return whole if -(2**63) <= whole < 2**64 else float(whole)
    if _FLOAT.fullmatch(plain) and not math.isinf(float(plain)):
        return number(float(plain))
    return text


def number(value: float) -> int | float:
    """Return a number as JSON writes it on the way to an API server: `2.0` becomes `2`."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


class _Reader:
    """Builds values from the parser's events, never from its nodes: bounded before anything is built."""

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = _events(yaml.parse(text, Loader=loader))
        self._reset()

    def _reset(self) -> None:
        self._nodes = 0
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._lines: dict[Path, int] = {}
        self._problems: list[tuple[int, Path, str]] = []

    def document(self) -> Document | None:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._reset()
                value = self._value(next(self._events), ())
                return Document(value, self._lines, self._problems)
        return None

    def _value(self, event: yaml.Event, path: Path) -> Value:
        line = _line(event)
        assert isinstance(event, yaml.NodeEvent)
        self._lines.setdefault(path, line)
        self._count(1, line)
        if len(path) > MAX_DEPTH:
            raise YamlProblem(line, f"more than {MAX_DEPTH} levels of nesting; no manifest is so deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlProblem(
                    line, f"*{event.anchor} stands for nothing; write &{event.anchor} before it"
                )
            value, size = self._anchors[event.anchor]
            self._count(size, line)
            return value
        before = self._nodes
        value = self._built(event, path, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise YamlProblem(line, f"more than {MAX_NODES} values, aliases counted; no manifest is so large")

    def _built(self, event: yaml.NodeEvent, path: Path, line: int) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, line)
        assert isinstance(event, yaml.CollectionStartEvent)
        if event.tag is not None and event.tag not in ("!", f"{_TAG}map", f"{_TAG}seq"):
            self._problems.append((line, path, f"the tag {_short(event.tag)} is not allowed; remove it"))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _scalar(self, event: yaml.ScalarEvent, path: Path, line: int) -> Value:
        plain = event.implicit[0] and event.tag is None
        if not plain and (event.tag is None or event.tag in ("!", f"{_TAG}str")):
            return str(event.value)
        try:
            value = scalar(event.value)
        except ValueError as error:
            self._problems.append((line, path, str(error)))
            return 0
        if event.tag is not None and not _is_tagged_right(event.tag, value):
            self._problems.append((line, path, f"the tag {_short(event.tag)} is not allowed here; remove it"))
        return value

    def _sequence(self, path: Path) -> Value:
        items: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> Value:
        entries: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if _is_merge(event):
                added = self._merged(next(self._events), path, line)
                for key in sorted(added.keys() & entries.keys()):
                    words = "is given here and by the << after it, which kubectl would take; put << first"
                    self._problems.append((self._lines[(*path, key)], (*path, key), words))
                merged |= added
                continue
            key = self._key(event, path)
            if key in entries:
                first = self._lines[(*path, key)]
                self._problems.append(
                    (line, (*path, key), f"stands twice (first on line {first}); remove one")
                )
            self._lines[(*path, key)] = line
            entries[key] = self._value(next(self._events), (*path, key))
        return {**merged, **entries}

    def _merged(self, event: yaml.Event, path: Path, line: int) -> dict[str, Value]:
        """Return what `<<` merges: a mapping, or a list of them, of which earlier ones take precedence."""
        listed = isinstance(event, yaml.SequenceStartEvent)
        value = self._value(event, path)
        sources = value if listed and isinstance(value, list) else [value]
        merged: dict[str, Value] = {}
        for source in sources:
            if not isinstance(source, dict):
                words = "<< merges a mapping, or a list of mappings; give one, or put the key in quotes"
                self._problems.append((line, path, words))
                return {}
            merged = {**source, **merged}
        return merged

    def _key(self, event: yaml.Event, path: Path) -> str:
        line = _line(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise YamlProblem(line, "a key has to be a word; a list or a mapping cannot be one")
        self._count(1, line)
        if not event.implicit[0]:
            return str(event.value)
        value = scalar(event.value) if not _NO_NUMBER.fullmatch(event.value) else event.value
        if value is None:
            self._problems.append((line, path, "a key is empty; give it a name"))
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int) else str(event.value)


def _is_tagged_right(tag: str, value: Value) -> bool:
    fits = {"bool": bool, "int": int, "float": int | float, "null": type(None)}
    wanted = fits.get(tag.removeprefix(_TAG))
    return wanted is not None and isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)


def _is_merge(event: yaml.Event) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return bool(event.implicit[0]) or event.tag == f"{_TAG}merge"


def _events(raw: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    try:
        yield from raw
    except yaml.reader.ReaderError as error:
        raise YamlProblem(1, f"not YAML: a character that YAML forbids (position {error.position})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(
            mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}"
        ) from None


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag

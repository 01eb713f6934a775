"""Reads JSON objects from storage field by field, with errors that name the object and the field."""

import json
from collections.abc import ItemsView, Mapping
from dataclasses import dataclass
from datetime import datetime

from trainjobs.errors import CorruptCheckpoint


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one JSON object; every getter raises CorruptCheckpoint when the type is wrong."""

    values: Mapping[str, object]
    source: str

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Fields":
        """Parse one JSON object; `source` names it in errors."""
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise CorruptCheckpoint(f"{source}: not JSON ({error})") from error
        return cls._of(values, source)

    @classmethod
    def of_format(cls, known: int, data: bytes, source: str) -> "Fields":
        """Parse one JSON object that says its format; another one than `known` is an error."""
        fields = cls.from_json(data, source)
        found = fields.integer("format")
        if found != known:
            raise fields.error(f"format {found} is not known; this version reads format {known}")
        return fields

    @classmethod
    def _of(cls, values: object, source: str) -> "Fields":
        if not isinstance(values, dict):
            raise CorruptCheckpoint(f"{source}: expected a JSON object")
        return cls(values, source)

    def error(self, problem: str) -> CorruptCheckpoint:
        """Return the error that says `problem` about this object."""
        return CorruptCheckpoint(f"{self.source}: {problem}")

    def items(self) -> ItemsView[str, object]:
        """Return every field with its value."""
        return self.values.items()

    def integer(self, name: str) -> int:
        """Return a whole number of at least 0."""
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(f"field {name} must be a whole number of at least 0, not {value!r:.80}")
        return value

    def text(self, name: str) -> str:
        """Return a string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self.error(f"field {name} must be text, not {value!r:.80}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(f"field {name} must be a list of text, not {value!r:.80}")
        return tuple(value)

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers of at least 0."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
            raise self.error(f"field {name} must be a list of whole numbers, not {value!r:.80}")
        return tuple(value)

    def time(self, name: str) -> datetime:
        """Return an ISO 8601 time with a zone."""
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise self.error(f"field {name} must be an ISO 8601 time, not {self.text(name)!r:.80}") from None
        if value.tzinfo is None:
            raise self.error(f"field {name} has no time zone")
        return value

    def optional(self, name: str) -> "Fields | None":
        """Return a nested object, or None when the field is null or absent."""
        value = self.values.get(name)
        return None if value is None else Fields._of(value, f"{self.source}: {name}")

    def objects(self, name: str) -> tuple["Fields", ...]:
        """Return a list of objects."""
        value = self.values.get(name)
        if not isinstance(value, list):
            raise self.error(f"field {name} must be a list, not {value!r:.80}")
        return tuple(Fields._of(item, f"{self.source}: {name}[{index}]") for index, item in enumerate(value))

    def numbers(self, name: str) -> dict[str, float]:
        """Return an object of numbers; NaN and the infinities are written as text."""
        nested = self.optional(name)
        if nested is None:
            raise self.error(f"field {name} is missing")
        return {key: nested.number(key) for key in nested.values}

    def number(self, name: str) -> float:
        """Return a number, `"nan"`, `"inf"` or `"-inf"`."""
        value = self.values.get(name)
        if value in ("nan", "inf", "-inf") or (
            isinstance(value, (int, float)) and not isinstance(value, bool)
        ):
            return float(value)
        raise self.error(f"field {name} must be a number, not {value!r:.80}")

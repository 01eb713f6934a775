"""What programs write for each other, and how it is read when a neighbouring version wrote it.

Writers are strict: a model refuses a field that it has not. Readers are tolerant: operators, agents, training
processes and command lines of two releases work on one run at the same time: during an upgrade, after a
rollback, with an image of last month. What people write is read strictly, by `trainjobs.api.manifest`.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, Literal, Self

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

Beyond = Literal["Refused", "WordsLeftOut", "AllLeftOut"]
Place = tuple[int | str, ...]

# What pydantic says of a choice that this version does not know, and of more than it takes.
_WORDS: Final = frozenset({"literal_error", "enum", "too_long", "string_too_long"})
_NOTHING: Final = object()


class Exchanged(BaseModel):
    """A document that one program writes and another reads, perhaps of a neighbouring version.

    It is read by `from_json` and `from_document`, never by pydantic's own methods. Both pass over fields that
    this version does not know, at any depth.
    """

    beyond: ClassVar[Beyond] = "WordsLeftOut"
    """What becomes of a value that this version cannot take. `WordsLeftOut`: a choice that it does not know
    counts as not there, with as little around it as can be, and what is too long is cut; anything else is
    refused. `AllLeftOut`: anything else counts as not there, too. `Refused`: what is chosen decides what is
    done, and to do something else is worse than to do nothing."""
    unknown: ClassVar[Literal["ignore", "allow"]] = "ignore"
    """`allow`: unknown fields stay in `model_extra`, of a document that is written again."""

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Read JSON.

        Raises:
            ValidationError: it is no JSON, or no such document.
        """
        try:
            return cls.model_validate_json(data, extra=cls.unknown)
        except ValidationError as error:
            if any(one["type"] == "json_invalid" for one in error.errors()):
                raise
            return cls._of_what_is_known(from_json(data), error)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read what was parsed already, from JSON or YAML; raises as `from_json` does."""
        try:
            return cls.model_validate(document, extra=cls.unknown)
        except ValidationError as error:
            return cls._of_what_is_known(document, error)

    @classmethod
    def not_known(cls, document: object) -> tuple[str, ...]:
        """The fields of a document that this version does not know, and passes over when it reads it."""
        try:
            cls.model_validate(document)
        except ValidationError as error:
            found = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
            return tuple(".".join(map(str, place)) for place in found)
        return ()

    @classmethod
    def _of_what_is_known(cls, document: object, first: ValidationError) -> Self:
        """Read a document without what this version cannot take; every round takes something out of it."""
        wrong, tolerated = first.errors(), _WORDS
        while cls.beyond != "Refused":
            if cls.beyond != "AllLeftOut" and any(one["type"] not in tolerated for one in wrong):
                break
            document = _without(document, wrong)
            if document is None:
                break
            try:
                return cls.model_validate(document, extra=cls.unknown)
            except ValidationError as error:
                # What is missing now was taken out, and takes along what cannot be without it.
                wrong, tolerated = error.errors(), _WORDS | {"missing"}
        raise first


def _without(document: object, wrong: Iterable[ErrorDetails]) -> object:
    """`document` without what is wrong, or with less of it; None where nothing is left."""
    gone: set[Place] = set()
    lengths: dict[Place, int] = {}
    for one in wrong:
        place = _found(document, one["loc"])
        longest = one["ctx"]["max_length"] if one["type"] in ("too_long", "string_too_long") else None
        if longest is None or place != one["loc"]:
            gone.add(place)
        else:
            lengths[place] = longest
    return None if () in gone else _pruned(document, (), gone, lengths)


def _found(document: object, place: Place) -> Place:
    """How far a place can be followed in a document: to a value, or to what lacks one."""
    for depth, step in enumerate(place):
        inner = _inside(document, step)
        if inner is _NOTHING:
            return place[:depth]
        document = inner
    return place


def _inside(document: object, step: int | str) -> object:
    if isinstance(document, dict):
        return document.get(step, _NOTHING)
    if isinstance(document, list) and isinstance(step, int) and step < len(document):
        return document[step]
    return _NOTHING


def _pruned(value: object, place: Place, gone: set[Place], lengths: Mapping[Place, int]) -> object:
    most = lengths.get(place)
    if isinstance(value, dict):
        kept = {
            key: _pruned(inner, (*place, key), gone, lengths)
            for key, inner in value.items()
            if (*place, key) not in gone
        }
        return dict(list(kept.items())[:most])
    if isinstance(value, list):
        items = [
            _pruned(inner, (*place, index), gone, lengths)
            for index, inner in enumerate(value)
            if (*place, index) not in gone
        ]
        # The newest stand last.
        return items if most is None else items[-most:]
    return value[:most] if isinstance(value, str) else value

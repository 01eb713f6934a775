"""The rows of a training, each file read once: learned from, validated on, judged in the end."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidData
from trainjobs.ml.data.before import DataBefore
from trainjobs.ml.data.record import DataRecord
from trainjobs.ml.data.repeats import repeats
from trainjobs.ml.data.splits import Split, assign, draw
from trainjobs.ml.data.tables import Column, Cuts, Indices, Part, Read, Table, hold, whole

_log = logging.getLogger("trainjobs.training")
_NAMED = 5
"""Files that a log line names."""


class Source(Protocol):
    """The rows of one file or folder, read as they are asked for."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of each file; known once all rows were read."""

    @property
    def passed_over(self) -> list[str]:
        """Files of the folder that are not read."""

    def __iter__(self) -> Iterator[Read]:
        """Read from the start. InvalidData names file, line and column of a row that cannot be used."""


class Reader(Protocol):
    """How an objective reads rows; those of later files are laid out as those of the first."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """What rows hold."""

    @property
    def max_length(self) -> int:
        """Longest row in tokens."""

    def open(self, path: Path) -> Source:
        """Return the rows of a file or folder; reads nothing yet."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The rows that the final evaluation judges on, in the order of their file."""

    kind: Literal["test", "eval"]
    uri: str
    files: Mapping[str, str]
    """SHA-256 of each file."""
    rows: Part


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that a run reads."""

    train: Part
    validation: Part | None
    """In the order of length, longest first: little padding, and memory runs out at once or never."""
    judged: HeldOut | None
    """The test rows, or the validation rows where there are none."""
    record: DataRecord
    """What goes with every checkpoint."""
    max_length: int
    """Longest row in tokens."""
    cuts: Cuts
    """Of training and validation rows together."""
    learned: frozenset[bytes]
    """Digests of the training rows."""
    repeated: int
    """Validation rows that are among them."""


def read_sides(recipe: Recipe, inputs: Inputs, reader: Reader, before: DataBefore | None) -> Sides:
    """Read and tokenise the rows; `before` are those of the checkpoint that training goes on from.

    InvalidData names file and line of the first row that cannot be used, or the file that has changed
    since the checkpoint was saved.
    """
    dataset = recipe.dataset
    train = _File.read("train", inputs.train, dataset.train, reader)
    given = _File.read("eval", inputs.eval, dataset.eval, reader) if inputs.eval else None
    test = _File.read("test", inputs.test, dataset.test, reader) if inputs.test else None
    before_end = [train, *([given] if given else [])]
    hashes = {name: value for file in before_end for name, value in file.named.items()}
    if before is not None:
        before.check(hashes, recipe)
    for other in (given, test):
        if other is not None:
            other.check_apart(train)
    bounds = _bounds(recipe, inputs, train.table, before)
    chosen, aside = assign(train.table.places, bounds)
    rows = _some(train.table, chosen, "training")
    held_out = given.held_out("eval", whole(given.table)) if given else None
    if given is None and aside is not None:
        held_out = train.held_out("eval", _some(train.table, aside, "validation"))
    validation = held_out.rows.longest_first() if held_out else None
    learned = frozenset(rows.digests())
    return Sides(
        train=rows,
        validation=validation,
        judged=test.held_out("test", whole(test.table)) if test else held_out,
        record=DataRecord.of(recipe.run.uid, hashes, bounds),
        max_length=reader.max_length,
        cuts=sum((whole(file.table).cuts for file in before_end), Cuts()),
        learned=learned,
        repeated=0 if validation is None else repeats(validation.digests(), learned),
    )


def read_rows(path: Path, reader: Reader) -> tuple[Part, Mapping[str, str]]:
    """Read all rows of a file or folder; return them, and the SHA-256 of each file."""
    source = reader.open(path)
    return whole(hold(source, reader.columns, reader.max_length)), source.hashes


@dataclass(frozen=True, slots=True)
class _File:
    """The rows of one field of the manifest."""

    side: str
    uri: str
    table: Table
    hashes: Mapping[str, str]

    @classmethod
    def read(cls, side: str, path: str, uri: str | None, reader: Reader) -> Self:
        source = reader.open(Path(path))
        table = hold(source, reader.columns, reader.max_length)
        _say_passed_over(source.passed_over)
        return cls(side, uri or path, table, source.hashes)

    @property
    def named(self) -> dict[str, str]:
        return {f"{self.side}/{name}": value for name, value in self.hashes.items()}

    def held_out(self, kind: Literal["eval", "test"], rows: Part) -> HeldOut:
        return HeldOut(kind, self.uri, self.hashes, rows)

    def check_apart(self, train: "_File") -> None:
        """InvalidData when one file is learned from and judged on."""
        learned = {value: name for name, value in train.hashes.items()}
        for name, value in self.hashes.items():
            if value in learned:
                raise InvalidData(
                    f"spec.dataset.{self.side}: {name} holds the same rows as {learned[value]} of"
                    " spec.dataset.train; hold out rows that are not learned from"
                )


def _some(table: Table, numbers: Indices, what: str) -> Part:
    """Return the rows with these numbers among all that were read. InvalidData when none of them is left."""
    indices = table.among(numbers)
    if not len(indices):
        raise InvalidData(f"no {what} row is left: every one is longer than spec.dataset.maxLength; raise it")
    return Part(table, indices, dropped=len(numbers) - len(indices))


def _bounds(recipe: Recipe, inputs: Inputs, rows: Table, before: DataBefore | None) -> Split | None:
    """Draw a split, or go on with the one that there is: its validation rows were never learned from."""
    eval_fraction = 0.0 if inputs.eval else recipe.dataset.eval_fraction
    there = before.bounds(eval_fraction) if before else None
    if before is not None and before.own:
        return there
    return draw(
        rows.places,
        eval_fraction=eval_fraction,
        train_fraction=recipe.dataset.train_fraction,
        seed=there.seed if there else recipe.training.seed,
        validated=there.validated if there else None,
    )


def _say_passed_over(names: Sequence[str]) -> None:
    if names:
        _log.info(
            "data: %d files are hidden or not rows by their name, and are not read: %s%s",
            len(names),
            ", ".join(names[:_NAMED]),
            ", …" if len(names) > _NAMED else "",
        )

"""What reports are put together from: a family gives such blocks, a template has one macro for each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture with its heading."""

    title: str
    svg: str
    """Escaped already."""


@dataclass(frozen=True, slots=True)
class Plots:
    """Pictures of one thing, side by side."""

    name: str
    plots: list[Plot]


@dataclass(frozen=True, slots=True)
class Gallery:
    """A section of pictures."""

    title: str
    parts: list[Plots]
    note: str


@dataclass(frozen=True, slots=True)
class Example:
    """One row that is worth looking at."""

    where: str
    cells: list[str]
    """In the order of the columns of `Examples`."""
    excerpt: str


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows that are worth looking at."""

    title: str
    columns: list[str]
    rows: list[Example]

"""Where rows hold their texts: all rows alike, or a model would learn from half of what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from trainjobs.api.dataset import Fields
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.json_values import fault_in, kind_of
from trainjobs.ml.data.jsonl import Line
from trainjobs.ml.data.text import DEFAULT_TEMPLATE, ReportParts, ScoredText, placeholders

Part = Literal["text", "system_prompt", "input_data", "report"]
PARTS: Final[tuple[Part, ...]] = ("system_prompt", "input_data", "report")
"""Of a report."""
MISSING: Final = object()
_SHOWN: Final = 12
"""Names of columns that a message lists."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which parts of a text the rows have, and where; a path is a column, or names joined by dots."""

    paths: dict[Part, str]
    """`text` alone, or those of `system_prompt`, `input_data` and `report` that every row has."""
    unread: tuple[str, ...]
    """Columns that would be a part of the text, and that no row has."""
    like: str
    """Whose columns these are, as messages name them."""

    @property
    def parts(self) -> list[Part]:
        """Names of the parts."""
        return list(self.paths)

    @classmethod
    def known(cls, parts: Sequence[Part], fields: Fields, template: str, like: str) -> "Columns":
        """The columns of rows whose parts are known."""
        paths: dict[Part, str] = {part: getattr(fields, part) or part for part in parts}
        if "text" in paths:
            return cls(paths, () if fields.text else PARTS, like)
        unread = tuple(part for part in PARTS if part not in paths and part in placeholders(template))
        return cls(paths, unread if fields.report else (*unread, "text"), like)


def find_columns(line: Line, fields: Fields, template: str | None) -> Columns:
    """Decide by mapping, template and a first row where texts stand. Raises InvalidData, InvalidRecipe."""
    parts = _parts(line, fields, template)
    if "text" in parts and template is not None:
        raise InvalidRecipe(
            f"spec.dataset.template: it joins the parts of a report, and {line.where} is a text on its own;"
            " remove it, or name the columns of the parts in spec.dataset.fields"
        )
    columns = Columns.known(parts, fields, template or DEFAULT_TEMPLATE, line.where)
    for name in columns.unread:
        if _holds(line.row, name):
            report = "report" if _holds(line.row, "report") else "text"
            beside = report if report != "text" else name
            raise InvalidData(
                f"{line.where}: text stands beside {beside}; say what is scored: spec.dataset.fields.text:"
                f" text (on its own) or spec.dataset.fields.report: {report} (with the parts around it)"
            )
    return columns


def _parts(line: Line, fields: Fields, template: str | None) -> list[Part]:
    if fields.text is not None:
        return ["text"]
    named = {part for part in PARTS if getattr(fields, part) is not None}
    if not named and not _holds(line.row, "report"):
        if "text" in line.row:
            return ["text"]
        if "report" not in line.row:
            raise InvalidData(
                f"{line.where}: neither a column report nor text; name the column in spec.dataset.fields"
                f" ({listed(line.row)})"
            )
    # A template of one's own says which parts it wants; of the default's, rows may have what they like.
    wanted = placeholders(template or DEFAULT_TEMPLATE)
    return [
        part
        for part in PARTS
        if part == "report"
        or (
            part in wanted
            and (part in named or template is not None or look_up(line.row, part) is not MISSING)
        )
    ]


def read_text(line: Line, columns: Columns) -> ScoredText:
    """Read the text of a row, with or without scores beside it.

    Raises:
        InvalidData: it has not the columns that the others have, or one holds no text; names it.
    """
    values = {part: _read(line, part, path, columns) for part, path in columns.paths.items()}
    for name in columns.unread:
        if _holds(line.row, name):
            raise InvalidData(
                f"{line.where}: {name} stands here, and not in {columns.like};"
                ' give every row the same columns ("" where there is nothing)'
            )
    if "text" in values:
        return str(values["text"])
    return ReportParts(
        report=str(values["report"]),
        system_prompt=str(values.get("system_prompt", "")),
        input_data=values.get("input_data", ""),
    )


def _read(line: Line, part: Part, name: str, columns: Columns) -> object:
    value = look_up(line.row, name)
    if value is MISSING:
        empty = "" if part in ("text", "report") else ' ("" where there is nothing)'
        asked = line.where == columns.like
        source = "which spec.dataset asks for" if asked else f"as in {columns.like}"
        raise InvalidData(
            f"{line.where}: no column {name} (spec.dataset.fields.{_yaml_name(part)}), {source};"
            f" give it in every row{empty}; {listed(line.row, name)}"
        )
    if part in ("text", "report"):
        if not isinstance(value, str):
            raise InvalidData(f"{line.where}: {name} is {kind_of(value)}; give a text")
        if not value.strip():
            raise InvalidData(f"{line.where}: {name} is empty; remove the row or give its text")
    elif value is None:
        return ""
    elif part == "system_prompt" and not isinstance(value, str):
        raise InvalidData(f"{line.where}: {name} is {kind_of(value)}; give a text")
    if (fault := fault_in(value, name)) is not None:
        raise InvalidData(f"{line.where}: {fault}")
    return value


def own_name(line: Line) -> object:
    """Return what a row calls itself in a column `id`; None where it has none. InvalidData as for texts."""
    name = line.row.get("id")
    if (fault := fault_in(name, "id")) is not None:
        raise InvalidData(f"{line.where}: {fault}")
    return name


def look_up(row: dict[str, object], path: str) -> object:
    """Return what stands at a path, a column of that very name before names joined by dots; else MISSING."""
    if path in row:
        return row[path]
    value: object = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def listed(row: Mapping[str, object], wanted: str = "") -> str:
    """Say which names an object has, the one that was perhaps meant before all."""
    names = list(row)
    if not names:
        return "it is empty"
    by_fold = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.casefold(), by_fold, n=1)
    meant = f"is {by_fold[close[0]]!r} meant? " if close else ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{meant}it has {', '.join(names[:_SHOWN])}{more}"


def _holds(row: dict[str, object], name: str) -> bool:
    """Whether a row says anything in a column; tables written out as JSON have null everywhere else."""
    return row.get(name) not in (None, "")


def _yaml_name(part: str) -> str:
    first, *rest = part.split("_")
    return first + "".join(word.capitalize() for word in rest)

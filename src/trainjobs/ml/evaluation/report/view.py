"""What the report shows, in the order it is shown: prepared for both templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from pydantic import JsonValue

from trainjobs.api.figures import FigureKind
from trainjobs.core.diagnosis import Finding, diagnose
from trainjobs.core.uris import file_path
from trainjobs.ml.evaluation.facts import facts_of
from trainjobs.ml.evaluation.families.protocol import Family, Verdict
from trainjobs.ml.evaluation.families.registry import family_of
from trainjobs.ml.evaluation.figures import Figure
from trainjobs.ml.evaluation.report.blocks import Examples, Gallery, Plot
from trainjobs.ml.evaluation.report.curves import curves_of
from trainjobs.ml.evaluation.report.notes import cuts_of, repeats_of
from trainjobs.ml.evaluation.report.verdict import judge
from trainjobs.ml.evaluation.results import EvaluationResult, Group
from trainjobs.ml.evaluation.run_files import RunFiles
from trainjobs.ml.evaluation.thresholds import apart, limits, outcome
from trainjobs.ml.scoring.grades import BANDS

LARGE: Final = 10.0
"""From here on, a figure needs fewer digits."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of the table."""

    value: str
    interval: str = ""
    short_interval: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the model, or what it is compared with."""

    name: str
    short_name: str
    cells: list[Cell]
    is_model: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of one group."""

    name: str
    about: str
    rows: list[Row]
    """The model's, then those of what it is compared with."""
    ceiling: str

    @property
    def model(self) -> Row:
        """The model's own figures."""
        return self.rows[0]

    @property
    def others(self) -> list[Row]:
        """What it has to beat."""
        return self.rows[1:]


@dataclass(frozen=True, slots=True)
class Asked:
    """A threshold, as it was asked for and as it was reached."""

    metric: str
    limits: str
    value: str
    outcome: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding with its patch as text."""

    finding: Finding
    patch: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything the templates need."""

    title: str
    verdict: Verdict
    header: list[tuple[str, str]]
    titles: list[str]
    """Of the figures, in the order of the cells."""
    tables: list[Table]
    compared: bool
    """Whether any of them has something to beat."""
    directions: str
    """Which end of which figure is good, in a sentence."""
    thresholds: list[Asked]
    advice: list[Advice]
    curves: list[Plot]
    gallery: Gallery | None
    examples: Examples | None
    cuts: str
    repeated: str
    notes: str
    data_files: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    stats: list[tuple[str, str]]
    recipe: str
    model: str
    """What a user types for the model: the run's folder, or its URI."""
    model_folder: str
    """Its folder on the reader's machine: the same, or what `trainjobs pull` makes of the URI."""
    worth_keeping: str
    """The overall score from which a text has the second best grade."""
    of_parts: bool
    """Whether a text is put together from the parts of a report."""


def build_view(files: RunFiles) -> View:
    """Prepare a run's files."""
    findings = diagnose(facts_of(files))
    result = files.result
    tables = figures_of(result) if result else []
    return View(
        title=files.recipe.run.name if files.recipe else files.folder.resolve().name,
        verdict=judge(files, findings),
        header=_header(files),
        titles=[kind.title for kind in family_of(result).kinds] if result else [],
        tables=tables,
        compared=any(table.others for table in tables),
        directions=_directions(family_of(result).kinds) if result else "",
        thresholds=thresholds_of(result) if result else [],
        advice=[Advice(finding, _patch(finding)) for finding in findings],
        curves=list(curves_of(files)),
        gallery=family_of(result).gallery(files, result) if result else None,
        examples=family_of(result).examples(files) if result else None,
        cuts=cuts_of(files),
        repeated=repeats_of(result) if result else "",
        notes=family_of(result).notes(result) if result else "",
        data_files=_data_files(files),
        environment=[pair for pair in flatten(files.environment) if len(pair[1]) < 400],
        stats=flatten(files.stats),
        recipe=files.recipe_text,
        model=(model := _model(files)),
        model_folder="model" if "://" in model else model,
        worth_keeping=_worth_keeping(result),
        of_parts=files.recipe is None or files.recipe.dataset.fields.text is None,
    )


def figures_of(result: EvaluationResult) -> list[Table]:
    """The figures of every group, beside what they are compared with."""
    family = family_of(result)
    return [_table(family, result, group) for group in result.groups]


def flatten(value: JsonValue | Mapping[str, JsonValue], prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON as pairs of a dotted name and a text."""
    if isinstance(value, Mapping):
        pairs = []
        for name, inner in value.items():
            pairs += flatten(inner, f"{prefix}.{name}" if prefix else name)
        return pairs
    if isinstance(value, list):
        return [(prefix, ", ".join(text for _, text in (pair for item in value for pair in flatten(item))))]
    if isinstance(value, float):
        return [(prefix, f"{value:.6g}")]
    return [(prefix, "—" if value is None else str(value))]


def _directions(kinds: Sequence[FigureKind]) -> str:
    parts = []
    for direction in ("Higher", "Lower"):
        *titles, last = [kind.title for kind in kinds if kind.direction == direction] or [""]
        if last:
            named = f"{', '.join(titles)} and {last}" if titles else last
            parts.append(f"of {named} {direction.lower()} is better")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _header(files: RunFiles) -> list[tuple[str, str]]:
    recipe, result = files.recipe, files.result
    pairs = []
    if recipe is not None:
        training = recipe.training
        length = f"{training.max_steps} steps" if training.max_steps else _epochs(training.epochs or 1.0)
        pairs += [
            ("Kind", f"{recipe.run.kind} · {recipe.task}"),
            ("Base model", recipe.model.uri),
            ("Adapter", recipe.adapter.type),
            (
                "Training",
                f"{length}, batch {recipe.effective_batch_size}, learning rate {training.learning_rate:g}",
            ),
        ]
    if result is not None:
        pairs += [
            ("Judged on", f"{result.data.rows:,} rows ({result.data.split})"),
            ("Evaluated", f"{result.created:%Y-%m-%d %H:%M} UTC"),
        ]
    return pairs


def _epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"


def _table(family: Family, result: EvaluationResult, group: Group) -> Table:
    rows = [
        Row("model", "model", [_cell(group.figures[kind.name], kind) for kind in family.kinds], is_model=True)
    ]
    for key, other in family.others.items():
        if key in group.compared:
            cells = [_cell(group.compared[key][kind.name], kind) for kind in family.kinds]
            rows.append(Row(other.title, other.short, cells, is_model=False))
    return Table(group.name, family.about(result, group), rows, family.ceiling(result, group))


def _cell(figure: Figure, kind: FigureKind) -> Cell:
    if figure.value is None:
        return Cell("—", note=figure.reason or "")
    digits = kind.digits if abs(figure.value) < LARGE else 1
    interval, short = "", ""
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"
        short = f"{figure.low:.{digits - 1}f}…{figure.high:.{digits - 1}f}"
    value = f"{figure.value:.{digits}f}"
    return Cell(value.replace("-", "−"), interval.replace("-", "−"), short.replace("-", "−"))


def thresholds_of(result: EvaluationResult) -> list[Asked]:
    """What was asked of the figures, and what came of it."""
    return [
        Asked(
            one.metric,
            limits(one),
            "—"
            if one.value is None
            else apart(one.value, one.maximum if one.minimum is None else one.minimum),
            outcome(one),
            one.passed,
        )
        for one in result.thresholds
    ]


def _patch(finding: Finding) -> str:
    if finding.patch is None:
        return ""
    text: str = yaml.safe_dump(dict(finding.patch), sort_keys=False, allow_unicode=True)
    return text.strip()


def _data_files(files: RunFiles) -> list[tuple[str, str]]:
    if files.result is None:
        return []
    return list(files.result.data.files.items())


def _worth_keeping(result: EvaluationResult | None) -> str:
    overall = result.details.overall if result else None
    low, high = (overall.minimum, overall.maximum) if overall else (0.0, 5.0)
    keep = next(part for part, letter in BANDS if letter == "B")
    return f"{low + keep * (high - low):g}"


def _model(files: RunFiles) -> str:
    """What a user types for the model: the run's folder, or its URI."""
    if files.recipe is None:
        return "MODEL"
    store = files.recipe.store
    folder = file_path(store)
    return str(folder) if folder is not None else store

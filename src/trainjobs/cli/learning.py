"""What the verbs that load models or render reports have in common."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from trainjobs.errors import UsageError

if TYPE_CHECKING:
    from trainjobs.core.diagnosis import Finding
    from trainjobs.ml.evaluation.report.view import Asked
    from trainjobs.ml.evaluation.results import EvaluationResult

ModelTarget = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run's folder, a model's, or the URI of either (s3://…).")
]
RunTarget = Annotated[
    str,
    typer.Argument(metavar="RUN|URI", help="A run's folder, or the URI of it or of its report (s3://…)."),
]
COLOURS = {"Critical": "red", "Warning": "yellow", "Info": "cyan"}


def need_torch() -> None:
    """Say that torch will be imported: UsageError when it is not installed."""
    need("torch")
    # Threads that wait asleep, as in a training; it counts when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def need(package: str, *, extra: str = "train") -> None:
    """Raise UsageError when `package`, which an extra brings, is not installed."""
    if find_spec(package) is None:
        raise UsageError(f"this needs {package}; install it with: pip install 'trainjobs[{extra}]'")


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table that is drawn on a terminal, plain elsewhere; columns that begin with `>` hold numbers."""
    drawn = sys.stdout.isatty()
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD if drawn else None, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column.startswith(">"),
        )
    return table


def print_evaluation(console: Console, result: "EvaluationResult") -> None:
    """Print every group's figures with intervals and what they are compared with, then the thresholds."""
    from trainjobs.ml.evaluation.families.registry import family_of
    from trainjobs.ml.evaluation.report.notes import notes_of
    from trainjobs.ml.evaluation.report.view import figures_of, thresholds_of

    parts = figures_of(result)
    table = plain_table(
        f"{result.data.rows:,} rows ({result.data.split})",
        *(f">{kind.title}" for kind in family_of(result).kinds),
    )
    for part in parts:
        model, *others = part.rows
        table.add_row(part.name, *(cell.value for cell in model.cells), style="bold")
        if any(cell.interval for cell in model.cells):
            intervals = [cell.short_interval for cell in model.cells]
            table.add_row(f"  {result.interval.confidence:.0%} interval", *intervals, style="dim")
        for row in others:
            table.add_row(f"  {row.short_name}", *(cell.value for cell in row.cells), style="dim")
    console.print(table)
    ceilings = [f"{part.name} {part.ceiling}" for part in parts if part.ceiling]
    if ceilings:
        words = f"Highest Pearson that the annotators' disagreement allows: {', '.join(ceilings)}"
        console.print(words, highlight=False, style="dim")
    for words in notes_of(result):
        console.print(words, highlight=False, style="yellow", soft_wrap=True)
    if thresholds := thresholds_of(result):
        _print_thresholds(console, thresholds)


def _print_thresholds(console: Console, thresholds: "Sequence[Asked]") -> None:
    table = plain_table("Threshold", "asked for", ">reached", "")
    for one in thresholds:
        table.add_row(
            one.metric, one.limits, one.value, one.outcome, style="green" if one.passed else "bold red"
        )
    console.print(table)


def print_findings(console: Console, findings: "Sequence[Finding]") -> None:
    """Print findings with their advice and patches."""
    import yaml

    if not findings:
        console.print("Nothing stands out.")
    for finding in findings:
        console.print(f"[{COLOURS[finding.severity]}]{finding.severity}[/] [bold]{finding.code}[/]")
        console.print(f"  {finding.message}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"  → {finding.advice}", highlight=False, markup=False, soft_wrap=True)
        if finding.patch is not None:
            text = yaml.safe_dump(dict(finding.patch), sort_keys=False, allow_unicode=True)
            for line in text.splitlines():
                console.print(f"      {line}", highlight=False, markup=False, style="dim")

"""Plots as inline SVG whose colours and fonts are the page's own, so that they follow light and dark."""

from collections.abc import Sequence
from typing import Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainjobs.core.diagnosis.curves import Curve
from trainjobs.core.metrics_history import MetricRecord, beginnings
from trainjobs.ml.evaluation.figures import Vector
from trainjobs.ml.evaluation.report.svg import ACCENT, GRID, MUTED, SECOND, inline

MANY: Final = 600
"""More points than this are drawn as a density."""
MANY_EPOCHS: Final = 8
SMOOTH: Final = 60
"""Noisy curves of more points get a smoothed line over the raw one."""
NOISY: Final = ("loss", "grad_norm")
LABELS: Final = {
    "loss": "training",
    "eval_loss": "validation",
}


def curve_plot(history: Sequence[MetricRecord], names: Sequence[str], label: str) -> str:
    """Metrics over the steps of the training, the epochs on top, a mark where an attempt began.

    Args:
        history: the training's records.
        names: metrics that share the axis, the first in the accent colour.
        label: what the picture shows, for readers who do not see it.
    """
    figure, axes = _axes(5.0, 2.9)
    for name, colour in zip(names, (ACCENT, SECOND), strict=False):
        curve = Curve.of(history, name)
        if len(curve):
            _draw_curve(axes, curve, colour, name)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    _mark_epochs(axes, history)
    _mark_attempts(axes, history)
    if len(names) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=MUTED)
    return inline(figure, label)


def agreement_plot(true: Vector, predicted: Vector, limits: tuple[float, float], label: str) -> str:
    """Predicted against true scores, with the line where both are equal."""
    figure, axes = _axes(3.4, 3.2)
    axes.plot(limits, limits, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _draw_points(axes, true, predicted)
    margin = 0.04 * (limits[1] - limits[0])
    axes.set_xlim(limits[0] - margin, limits[1] + margin)
    axes.set_ylim(limits[0] - margin, limits[1] + margin)
    axes.set_xlabel("annotators")
    axes.set_ylabel("model")
    return inline(figure, label)


def residual_plot(true: Vector, predicted: Vector, label: str) -> str:
    """Model minus annotators against the annotators' score, with the mean of each stretch."""
    figure, axes = _axes(3.4, 3.2)
    residuals = predicted - true
    axes.axhline(0.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _draw_points(axes, true, residuals)
    centres, means = binned_means(true, residuals)
    axes.plot(centres, means, color=SECOND, linewidth=1.8, marker="o", markersize=3.5, zorder=4)
    axes.set_xlabel("annotators")
    axes.set_ylabel("model − annotators")
    return inline(figure, label)


def histogram_plot(residuals: Vector, label: str) -> str:
    """How the differences between model and annotators are distributed."""
    figure, axes = _axes(3.4, 3.2)
    axes.hist(residuals, bins=min(40, max(8, int(len(residuals) ** 0.5))), color=ACCENT, alpha=0.75)
    axes.axvline(0.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.axvline(float(residuals.mean()), color=SECOND, linewidth=1.8)
    axes.set_xlabel("model − annotators")
    axes.set_ylabel("rows")
    return inline(figure, label)


def binned_means(true: Vector, residuals: Vector) -> tuple[Vector, Vector]:
    """Centres of up to ten stretches of true scores, and the mean residual of each that holds rows."""
    edges = np.linspace(true.min(), true.max(), min(10, len(np.unique(true))) + 1)
    place = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    sums = np.bincount(place, weights=residuals, minlength=len(edges) - 1)
    filled = counts > 0
    return ((edges[:-1] + edges[1:]) / 2.0)[filled], sums[filled] / counts[filled]


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context({"axes.unicode_minus": True, "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=8, length=3)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_curve(axes: Axes, curve: Curve, colour: str, name: str) -> None:
    steps, values, label = np.array(curve.steps), np.array(curve.values), LABELS.get(name, name)
    if len(values) > SMOOTH and name in NOISY:
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.35)
        axes.plot(steps, _smoothed(values), color=colour, linewidth=1.8, label=label)
    else:
        size = 3.5 if len(values) <= 30 else 0.0
        axes.plot(steps, values, color=colour, linewidth=1.8, marker="o", markersize=size, label=label)


def _smoothed(values: Vector) -> Vector:
    """Running mean over about a twentieth of the curve; the ends use what there is."""
    width = max(3, len(values) // 20)
    sums = np.convolve(values, np.ones(width), mode="same")
    smoothed: Vector = sums / np.convolve(np.ones(len(values)), np.ones(width), mode="same")
    return smoothed


def _draw_points(axes: Axes, x: Vector, y: Vector) -> None:
    if len(x) <= MANY:
        axes.plot(x, y, "o", color=ACCENT, alpha=0.45, markersize=3.2, markeredgewidth=0, zorder=3)
        return
    cells = axes.hexbin(x, y, gridsize=36, mincnt=1, linewidths=0.0, zorder=3)
    counts = np.asarray(cells.get_array(), dtype=np.float64)
    strength = 0.15 + 0.85 * np.log1p(counts) / np.log1p(counts.max())
    cells.set_array(None)
    cells.set_facecolor([(*matplotlib.colors.to_rgb(ACCENT), float(alpha)) for alpha in strength])
    cells.set_edgecolor("none")


def _mark_epochs(axes: Axes, history: Sequence[MetricRecord]) -> None:
    """A second axis on top that counts epochs, as far as steps and epochs go together."""
    last = max(history, key=lambda record: record.step, default=None)
    if last is None or last.step == 0 or last.epoch == 0.0:
        return
    per_step = last.epoch / last.step
    top = axes.secondary_xaxis(
        "top",
        functions=(lambda step: np.asarray(step) * per_step, lambda epoch: np.asarray(epoch) / per_step),
    )
    top.set_xlabel("epoch", fontsize=8, color=MUTED)
    whole = range(int(last.epoch + 1e-6) + 1)
    if 1 < len(whole) <= MANY_EPOCHS:
        top.set_xticks(list(whole))
    top.tick_params(colors=MUTED, labelsize=7, length=2)
    top.spines["top"].set_visible(False)


def _mark_attempts(axes: Axes, history: Sequence[MetricRecord]) -> None:
    """A dashed line where each attempt after the first went on."""
    for attempt, step in sorted(beginnings(history).items())[1:]:
        axes.axvline(step, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        axes.annotate(
            f"attempt {attempt}",
            (step, 0.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=7,
            color=MUTED,
        )

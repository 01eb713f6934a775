"""A run's files → report.md and report.html."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainjobs.api.figures import SCORES
from trainjobs.core import outputs
from trainjobs.core.diagnosis.curves import SCORES_OF_GOODNESS
from trainjobs.ml.evaluation.report.plots import agreement_plot, curve_plot, histogram_plot, residual_plot
from trainjobs.ml.evaluation.report.view import View, build_view
from trainjobs.ml.evaluation.results import write_text
from trainjobs.ml.evaluation.run_files import RunFiles


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture with its heading."""

    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """The pictures of one dimension."""

    name: str
    plots: list[Plot]


def write_report(folder: Path, target: Path | None = None) -> Path:
    """Render the report of the files in `folder` again, into `target` or beside them.

    Returns:
        The path of report.html.

    Raises:
        InvalidData: a file in `folder` is not what training and evaluation write.
    """
    files = RunFiles.read(folder)
    view = build_view(files)
    target = target or folder
    target.mkdir(parents=True, exist_ok=True)
    write_text(target / outputs.REPORT_MARKDOWN, render_markdown(view))
    page = target / outputs.REPORT_HTML
    write_text(page, render_html(view, files))
    return page


def render_markdown(view: View) -> str:
    """The report as Markdown, without pictures."""
    environment = Environment(
        loader=PackageLoader("trainjobs.ml.evaluation.report"),
        autoescape=False,  # noqa: S701  Markdown: `md` below escapes what is not ours
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    return environment.get_template("report.md.j2").render(view=view, titles=[kind.title for kind in SCORES])


def render_html(view: View, files: RunFiles) -> str:
    """The report as one page that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("trainjobs.ml.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    assert environment.loader is not None
    style, _, _ = environment.loader.get_source(environment, "report.css")
    return environment.get_template("report.html.j2").render(
        view=view,
        titles=[kind.title for kind in SCORES],
        style=Markup(style),  # noqa: S704  our own file
        curves=list(_curves(files)),
        scatters=list(_scatters(files)),
    )


def escape_markdown(text: str) -> str:
    """Text that stands in a Markdown table as it is: one line, nothing in it is markup."""
    line = " ".join(str(text).split())
    for character in "\\`*_[]<>|#":
        line = line.replace(character, "\\" + character)
    return line


def _curves(files: RunFiles) -> Iterator[Plot]:
    known = {name for record in files.history for name in record.metrics}
    losses = [name for name in ("loss", "eval_loss") if name in known]
    if losses:
        yield Plot("Loss", curve_plot(files.history, losses, "loss of training and validation"))
    for name in SCORES_OF_GOODNESS:
        if name in known:
            title = name.removeprefix("eval_").title()
            yield Plot(
                f"{title} on validation rows", curve_plot(files.history, [name], f"{title} of validation")
            )
            break
    for name, title in (("learning_rate", "Learning rate"), ("grad_norm", "Gradient norm")):
        if name in known:
            yield Plot(title, curve_plot(files.history, [name], title))


def _scatters(files: RunFiles) -> Iterator[Scatter]:
    if files.result is None or not files.predictions:
        return
    for dimension in files.result.all_dimensions:
        name = dimension.name
        true = np.array([row.true[name] for row in files.predictions])
        predicted = np.array([row.predicted[name] for row in files.predictions])
        limits = (dimension.minimum, dimension.maximum)
        yield Scatter(
            name,
            [
                Plot(
                    "Model against annotators", agreement_plot(true, predicted, limits, f"{name} predicted")
                ),
                Plot("How far off, by score", residual_plot(true, predicted, f"{name} residuals")),
                Plot("How far off, in all", histogram_plot(predicted - true, f"{name} residual histogram")),
            ],
        )

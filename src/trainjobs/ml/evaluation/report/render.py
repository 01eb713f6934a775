"""A run's files → report.md and report.html."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainjobs.core import outputs
from trainjobs.ml.evaluation.report.view import View, build_view
from trainjobs.ml.evaluation.results import write_text
from trainjobs.ml.evaluation.run_files import RunFiles


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
    write_text(page, render_html(view))
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
    return environment.get_template("report.md.j2").render(view=view)


def render_html(view: View) -> str:
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
        style=Markup(style),  # noqa: S704  our own file
    )


def escape_markdown(text: str) -> str:
    """Text that stands in a Markdown table as it is: one line, nothing in it is markup."""
    line = " ".join(str(text).split())
    for character in "\\`*_[]<>|#":
        line = line.replace(character, "\\" + character)
    return line

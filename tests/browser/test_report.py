"""The report stands alone in a browser: no errors, nothing fetched or executed, plots and texts there."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.chromium import Chromium, Opened
from tests.browser.measuring import TOFU, Seen, measure
from tests.browser.run_folder import EXCERPT


@pytest.fixture(scope="module")
def opened(chromium: Chromium, page: Path) -> Opened:
    return chromium.open(page)


class Outline(HTMLParser):
    """Sections, pictures, links and identifiers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_browser_does_log_what_a_broken_page_does(chromium: Chromium, tmp_path: Path) -> None:
    """The two tests below can fail: a page with an error and a request is noticed."""
    broken = tmp_path / "broken.html"
    broken.write_text("<script>console.error('seen')</script><img src='http://127.0.0.1:9/picture.png'>")
    opened = chromium.open(broken)
    assert any("seen" in line for line in opened.console)
    assert "http://127.0.0.1:9/picture.png" in opened.requests


def test_the_console_stays_empty(opened: Opened) -> None:
    assert opened.console == []


def test_nothing_is_requested(opened: Opened) -> None:
    assert [url for url in opened.requests if not url.startswith("data:")] == []


def test_every_section_and_plot_is_rendered(opened: Opened) -> None:
    outline = Outline(opened.dom)
    sections = [attributes.get("id") for tag, attributes in outline.tags if tag == "section"]
    assert sections == ["figures", "findings", "training", "predictions", "worst", "use", "origin"]
    labels = [attributes.get("aria-label") for tag, attributes in outline.tags if tag == "svg"]
    assert len(labels) == 4 + 3 * 4
    assert len(set(labels)) == len(labels)
    drawn = [tag for tag, _ in outline.tags if tag in ("path", "use")]
    assert len(drawn) > 500


def test_no_two_elements_share_an_id_and_every_reference_is_there(opened: Opened) -> None:
    ids = [attributes["id"] for _, attributes in Outline(opened.dom).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    referenced = set(re.findall(r"(?:url\(&quot;#|url\(#|href=\"#)([\w-]+)", opened.dom))
    assert referenced
    assert referenced <= set(ids)


def test_chinese_and_markup_in_the_texts_are_shown_as_they_are(opened: Opened) -> None:
    outline = Outline(opened.dom)
    assert EXCERPT in "".join(outline.texts)
    assert "script" not in {tag for tag, _ in outline.tags}


def test_the_verdict_is_a_sentence_with_its_figures(opened: Opened) -> None:
    texts = " ".join(Outline(opened.dom).texts)
    assert re.search(
        r"On 900 rows it has not seen, its scores correlate with the annotators' by 0\.9\d", texts
    )


def test_the_verdict_names_the_weakest_dimension(opened: Opened) -> None:
    texts = " ".join(Outline(opened.dom).texts)
    assert re.search(r"The weakest dimension is depth_of_analysis, with a correlation of 0\.89\.", texts)


def test_dimensions_are_rows_of_one_table_with_pearson_first(opened: Opened) -> None:
    figures = opened.dom.partition('<section id="figures">')[2].partition("</table>")[0]
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", figures)
    assert heads == ["", "Pearson", "Spearman", "MAE", "RMSE", "MSE"]
    rows = re.findall(r'<tr class="model"><td>([^<]+)<small>', figures)
    assert rows == ["overall", "accuracy", "professionalism", "depth_of_analysis"]


@pytest.fixture(scope="module")
def seen(chromium: Chromium, page: Path) -> Seen:
    return measure(chromium, page, width=400)


def test_at_400_pixels_nothing_is_cut_off_or_has_to_be_scrolled_sideways(seen: Seen) -> None:
    assert seen.elements > 500
    assert seen.width == 400
    assert seen.cut == []


def test_the_measure_does_see_what_is_cut_off(chromium: Chromium, tmp_path: Path) -> None:
    """The test above can fail: a table too wide, and a box that scrolls, are both noticed."""
    broken = tmp_path / "report.html"
    broken.write_text(
        "<!doctype html><table style='width:900px'><tr><td>x</table>"
        "<pre style='width:90px;overflow-x:auto'>scrolls, scrolls, scrolls, scrolls</pre>"
    )
    assert {cut.split(":")[0] for cut in measure(chromium, broken, width=400).cut} >= {"TABLE", "PRE"}


@pytest.mark.parametrize("place", [".excerpt", "h1", ".mono", "pre"])
def test_chinese_is_drawn_with_glyphs_of_its_own(seen: Seen, place: str) -> None:
    """A character without a glyph is a box, and all boxes are alike."""
    drawn = seen.glyphs[place]
    assert len(set(drawn.values())) == len(drawn)
    assert drawn["净"] != drawn[TOFU]


def brightness(picture: Path) -> float:
    return float(np.asarray(Image.open(picture).convert("L")).mean())


def test_it_follows_the_readers_light_or_dark(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    size = "--window-size=1200,3000"
    chromium.screenshot(page, tmp_path / "light.png", size)
    chromium.screenshot(
        page, tmp_path / "dark.png", size, "--force-dark-mode", "--blink-settings=preferredColorScheme=0"
    )
    assert brightness(tmp_path / "light.png") > 200
    assert brightness(tmp_path / "dark.png") < 60


def test_it_prints(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    chromium.print_pdf(page, tmp_path / "report.pdf")
    pages = (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n")
    assert 3 <= pages <= 12

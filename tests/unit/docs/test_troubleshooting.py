"""The documentation of failures covers them all, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from trainjobs.core.failures import TABLE

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ["install.md", "operations.md", "troubleshooting.md", "reference/failures.md"]


def test_every_way_to_fail_has_a_section() -> None:
    sections = re.findall(r"^### (\w+)$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)

    assert {reason.value for reason in TABLE} <= set(sections)
    assert len(sections) == len(set(sections))


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files_and_headings(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text()):
        path, _, heading = target.partition("#")
        file = (DOCS / page).parent / path if path else DOCS / page
        assert file.is_file(), f"{page}: {target}"
        assert not heading or heading in _headings(file), f"{page}: {target}"


def _headings(file: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}

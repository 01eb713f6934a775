"""A run's report, opened in headless Chromium."""

import shutil
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.run_folder import make_run_folder
from trainjobs.ml.evaluation.report.render import write_report


@pytest.fixture(scope="session")
def browser() -> str:
    """The Chromium of this machine."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("tests/browser need Chromium: install Debian's package chromium")
    return found


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with three dimensions and Chinese texts."""
    return write_report(make_run_folder(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="session")
def chromium(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Chromium:
    """Opens pages with a profile of its own."""
    return Chromium(browser, tmp_path_factory.mktemp("profile"))

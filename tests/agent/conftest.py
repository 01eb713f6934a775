"""What the tests with real agents share."""

from pathlib import Path

import pytest

from tests.agent.launching import Bench
from tests.harness.versitygw import pytest_collection_finish  # noqa: F401


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)

"""Helm and the checker are built before the first test, so that no test's time limit has to allow for it."""

import pytest

from tests.charts import objectchecker
from tests.cluster.harness import parts


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the tests ask."""
    if session.items and not session.config.option.collectonly:
        objectchecker.program()
        parts.HELM.binary()

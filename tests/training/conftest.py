"""Tiny models and rows, made once."""

from pathlib import Path

import pytest

from tests.training.tiny import make_bert, make_rows


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder with dropout."""
    return make_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def steady_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without dropout."""
    return make_bert(tmp_path_factory.mktemp("steady-bert"), dropout=0.0)


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 rows: 64 to learn from and 16 to validate on."""
    return make_rows(tmp_path_factory.mktemp("rows") / "train.jsonl", 80)

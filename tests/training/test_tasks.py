"""The training program and the table of what is trained name the same tasks."""

from trainjobs.core.recipe.support import TRAINED
from trainjobs.ml.training.__main__ import TASKS


def test_what_is_said_to_be_trained_is_trained() -> None:
    assert TASKS.keys() == TRAINED.keys()

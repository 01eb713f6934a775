"""What the operator says is trained has an objective, and every objective is said."""

from pathlib import Path

import pytest

from trainjobs.core.recipe.support import TRAINED
from trainjobs.ml import objectives
from trainjobs.ml.objectives.registry import module_of, objective_of


@pytest.mark.parametrize("task", TRAINED)
def test_what_is_trained_has_an_objective(task):
    assert callable(objective_of(task).read)


def test_every_objective_is_trained():
    (folder,) = map(Path, objectives.__path__)
    found = {path.stem for path in folder.glob("*.py") if "Objective:\n" in path.read_text(encoding="utf-8")}
    assert found == {module_of(task) for task in TRAINED}

"""Where the objective of a task is: in a module of its name, imported when it is asked for."""

import re
from importlib import import_module
from typing import cast

from trainjobs.core.recipe.model import Task
from trainjobs.ml.objectives.protocol import Objective


def objective_of(task: Task) -> type[Objective]:
    """Return what is trained for a task of `core.recipe.support.TRAINED`.

    It is the class `<Task>Objective` of the module `<task>`, in small letters with underscores.
    """
    module = import_module(f"trainjobs.ml.objectives.{module_of(task)}")
    return cast(type[Objective], getattr(module, f"{task}Objective"))


def module_of(task: Task) -> str:
    """Return the name of a task's module: `latent_process` of `LatentProcess`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", task).lower()

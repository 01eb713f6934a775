"""What every training has around it: its recipe, its folder, its rank, and how it begins and ends."""

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import ValidationError

from trainjobs.core import outputs
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidRecipe, RendezvousFailed
from trainjobs.ml.training.files import write_text
from trainjobs.ml.training.past import take_along

_FORMAT = "%(asctime)s %(levelname)s %(message)s"


@dataclass(frozen=True, slots=True)
class Session:
    """One process of one training."""

    recipe: Recipe
    inputs: Inputs
    output: Path
    rank: int
    attempt: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the recipe and make the output folder ready. InvalidRecipe names what is wrong."""
        recipe = read_recipe(path)
        if recipe.inputs is None:
            raise InvalidRecipe(f"{path}: inputs is missing; the agent fills it in before training starts")
        output = Path(recipe.inputs.output)
        output.mkdir(parents=True, exist_ok=True)
        session = cls(
            recipe,
            recipe.inputs,
            output,
            rank=int(os.environ.get("RANK", "0")),
            attempt=int(os.environ.get("TRAINJOBS_ATTEMPT", "1")),
        )
        if session.leads:
            for name in (outputs.FAILURE, outputs.DONE):
                (output / name).unlink(missing_ok=True)
            write_text(output / outputs.RECIPE, path.read_text(encoding="utf-8"))
            if recipe.inputs.resume_from:
                take_along(Path(recipe.inputs.resume_from), output)
        return session

    @property
    def leads(self) -> bool:
        """Whether this process writes what a run leaves."""
        return self.rank == 0

    def check_processes(self) -> None:
        """RendezvousFailed when fewer or more processes were started than the recipe says.

        Some launchers ignore their environment and silently train every process alone.
        """
        started, planned = int(os.environ.get("WORLD_SIZE", "1")), self.recipe.processes.world_size
        if started != planned:
            raise RendezvousFailed(f"{started} processes were started, but the recipe is for {planned}")

    def log_to_files(self) -> None:
        """Send log lines to `training.log` and to standard output, from the leading process only."""
        root = logging.getLogger("trainjobs")
        root.setLevel(logging.INFO)
        root.propagate = False
        for handler in list(root.handlers):
            root.removeHandler(handler)
            handler.close()
        if not self.leads:
            root.addHandler(logging.NullHandler())
            return
        handlers: list[logging.Handler] = [
            logging.FileHandler(self.output / outputs.LOG, encoding="utf-8", errors="backslashreplace"),
            logging.StreamHandler(sys.stdout),
        ]
        for handler in handlers:
            handler.setFormatter(logging.Formatter(_FORMAT))
            root.addHandler(handler)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe with its inputs. InvalidRecipe names the file and the field."""
    try:
        return Recipe.from_document(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidRecipe(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InvalidRecipe(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipe(f"{path}: {where}: {first['msg']}") from error

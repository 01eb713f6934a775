"""Reads the recipe an agent was given, and writes the one its training processes read."""

import logging
from pathlib import Path

import yaml
from pydantic import ValidationError

from trainjobs.core.recipe.model import PROTOCOL, Inputs, Recipe
from trainjobs.errors import InvalidRecipe

_log = logging.getLogger(__name__)

KNOWN_PROTOCOLS = frozenset({PROTOCOL, PROTOCOL - 1} - {0})
"""An agent of version N is started by operators of N and N + 1, which write N for it."""


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from JSON or YAML (of which JSON is a part).

    Raises:
        InvalidRecipe: it is not there, not whole, of an unknown protocol, or a field is wrong.
    """
    try:
        document = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506  (a safe loader, either way)
    except OSError as error:
        raise InvalidRecipe(f"{path}: {error.strerror} while reading the recipe") from error
    except yaml.YAMLError as error:
        raise InvalidRecipe(f"{path}: not YAML or JSON ({str(error).splitlines()[0]})") from error
    if not isinstance(document, dict):
        raise InvalidRecipe(f"{path}: expected a recipe, found {type(document).__name__}")
    protocol = document.get("protocol", PROTOCOL)
    if protocol not in KNOWN_PROTOCOLS:
        raise InvalidRecipe(
            f"{path}: protocol {protocol!r} is not known to this agent, which speaks {PROTOCOL}; "
            "use an image of the same release as the operator"
        )
    try:
        recipe = Recipe.from_document(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipe(f"{path}: {field}: {first['msg']}") from error
    if unknown := Recipe.not_known(document):
        _log.warning("%s: passes over what this version does not know: %s", path, ", ".join(unknown))
    return recipe


def write_localised(recipe: Recipe, inputs: Inputs, path: Path) -> None:
    """Write the recipe with the local paths of its inputs: what training processes read."""
    localised = recipe.model_copy(update={"inputs": inputs})
    document = localised.model_dump(mode="json", by_alias=True, exclude_none=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    partial.replace(path)


# The C loader reads a recipe ten times as fast, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

"""`file://./path` in a manifest → `file:///absolute/path`, seen from the manifest's folder."""

from pathlib import Path
from typing import Any

from trainjobs.api.runs import Run
from trainjobs.errors import InvalidRecipe

RELATIVE = "file://./"


def with_absolute_paths(run: Run, base: Path) -> Run:
    """`run` with every relative file URI of its spec resolved against `base`.

    Raises:
        InvalidRecipe: a path leads out of `base`.
    """
    body = run.model_dump(by_alias=True, exclude_none=True, mode="json")
    body["spec"] = _absolute(body["spec"], base.absolute(), "spec")
    return type(run).model_validate(body)


def _absolute(value: Any, base: Path, where: str) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _absolute(inner, base, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_absolute(inner, base, f"{where}[{index}]") for index, inner in enumerate(value)]
    if isinstance(value, str) and value.startswith(RELATIVE):
        path = base / value.removeprefix(RELATIVE)
        if ".." in path.relative_to(base).parts:
            raise InvalidRecipe(f"{where}: {value} leaves the manifest's folder; give the path without '..'")
        return path.as_uri()
    return value

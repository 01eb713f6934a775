"""`--set path=value`: one value of a document replaced before it is judged."""

import json
import re
from typing import Final

from trainjobs.api.problems import dotted
from trainjobs.api.rules import Path
from trainjobs.api.yaml_documents import Document, Value, YamlProblem, documents
from trainjobs.errors import UsageError

_STEP: Final = re.compile(
    r"""\.?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>[0-9]+)\]|\["(?P<quoted>[^"]+)"\]"""
)


def override(document: Document, assignment: str) -> Document:
    """Return the document with one value set: `spec.training.epochs=2`, `spec.resources.limits["cpu"]=4`.

    The value is read as YAML, so that numbers and lists come as such; `null` takes the field away.

    Raises:
        UsageError: the assignment cannot be read, or leads through something that is no mapping or list.
    """
    name, equals, text = assignment.partition("=")
    path = _path(name.strip())
    if not equals or not path:
        raise UsageError(f"--set {assignment}: write it as path=value, for example spec.training.epochs=2")
    # Through text, so that what an alias stands for twice is changed once.
    value: Value = json.loads(json.dumps(document.value))
    _place(value, path, _value(text), assignment)
    origin = f"--set {assignment}"
    return Document(value, document.lines, document.problems, {**document.origins, path: origin})


def _value(text: str) -> Value:
    try:
        read = list(documents(text))
    except YamlProblem:
        return text
    return read[0].value if read else None


def _path(text: str) -> Path | None:
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            return None
        index = step["index"]
        steps.append(int(index) if index is not None else step["name"] or step["quoted"])
        position = step.end()
    return tuple(steps)


def _place(value: Value, path: Path, new: Value, assignment: str) -> None:
    here = value
    for number, step in enumerate(path):
        last = number == len(path) - 1
        if isinstance(here, dict) and isinstance(step, str):
            if last:
                here[step] = new
            elif here.get(step) is None:
                here[step] = {}
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            if last:
                here[step] = new
            here = here[step]
        else:
            raise UsageError(f"--set {assignment}: there is nothing at {dotted(path[: number + 1])} to set")

"""What a recipe has to know of the pod that it will be in: the time to end, and the devices.

Both stand in the pod as it is merged in the end: what `spec.resources` asks for, over what the platform's
template gives, and over both `spec.podTemplate`.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from pydantic import JsonValue

from trainjobs.api import labels
from trainjobs.api.runs import Run
from trainjobs.api.topology import Resources
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe


def grace_seconds(run: Run, settings: Settings) -> int:
    """Between SIGTERM and SIGKILL: the run's own, else what its namespace gives."""
    found = settings.grace_seconds
    for template in (*settings.pod_templates, run.spec.pod_template):
        given = _mapping(template.get("spec")).get("terminationGracePeriodSeconds")
        found = given if isinstance(given, int) else found
    return found


def accelerators(run: Run, settings: Settings) -> int:
    """Accelerators that one node gets: of any name that the platform lists, in limits or requests.

    Raises:
        InvalidRecipe: a number of them is not a whole one.
    """
    resources = container_resources(run, settings)
    asked = {**_mapping(resources.get("requests")), **_mapping(resources.get("limits"))}
    return sum(
        _whole(name, quantity)
        for name, quantity in asked.items()
        if any(fnmatchcase(name, pattern) for pattern in settings.accelerators)
    )


def container_resources(run: Run, settings: Settings) -> Mapping[str, JsonValue]:
    """Resources of the container that trains."""
    layers: list[Mapping[str, JsonValue]] = [
        *(layer for template in settings.pod_templates for layer in _resources(template)),
        asked_resources(run.spec.resources),
        *_resources(run.spec.pod_template),
    ]
    found: Mapping[str, JsonValue] = {}
    for layer in layers:
        found = _over(found, layer)
    return found


def asked_resources(asked: Resources) -> dict[str, JsonValue]:
    """What `spec.resources` asks for, as a container has it."""
    # What is not shared out in parts has to stand among the limits too, or the API server refuses the pod.
    whole = {name: value for name, value in asked.requests.items() if "/" in name}
    found: dict[str, JsonValue] = {"requests": {**asked.requests}, "limits": {**whole, **asked.limits}}
    return {key: value for key, value in found.items() if value}


def _resources(template: Mapping[str, JsonValue]) -> Iterator[Mapping[str, JsonValue]]:
    listed = _mapping(template.get("spec")).get("containers")
    for container in listed if isinstance(listed, list) else []:
        if isinstance(container, dict) and container.get("name") == labels.CONTAINER:
            yield _mapping(container.get("resources"))


def _over(planned: Mapping[str, JsonValue], given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`given` over `planned`: key by key, and null removes (`core.plan.merge` does so with whole pods)."""
    found = dict(planned)
    for key, value in given.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _over(_mapping(found.get(key)), value) if isinstance(value, dict) else value
    return found


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _whole(name: str, quantity: JsonValue) -> int:
    text = str(quantity)
    if isinstance(quantity, bool) or not re.fullmatch("[0-9]{1,9}", text):
        raise InvalidRecipe(
            f"spec.resources.limits[{name}]: {text:.40} is not allowed; give a whole number of accelerators"
        )
    return int(text)

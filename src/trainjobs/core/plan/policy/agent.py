"""The container that trains runs the agent, with what the operator tells it, and nothing that bends it."""

from collections.abc import Iterator

from trainjobs.api import labels
from trainjobs.core.plan.allowlist import RESERVED_ENVIRONMENT
from trainjobs.core.plan.environment import ATTACHED
from trainjobs.core.plan.objects import Object, children, text
from trainjobs.core.plan.pod import ATTACHED_VOLUME
from trainjobs.core.plan.policy.mounts import lies_below, normalised
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation, changed

LAST_WORD = "/dev/termination-log"
"""Where a container leaves its termination message, unless it says where."""
_KEPT = {
    "command": "runs the agent; give your own script as spec.runtime.command",
    "args": "runs the agent; give your own script as spec.runtime.command",
    "terminationMessagePath": "is where the agent leaves its last word; remove it",
    "terminationMessagePolicy": "is how the agent's last word is read; remove it",
}


def agent_container(trusted: Object, final: Object) -> Iterator[Violation]:
    """Whatever could tell the agent something else, or be read as its word, stays as planned."""
    before, after = _agent(trusted), _agent(final)
    field = f"{TEMPLATE}.spec.containers[{labels.CONTAINER}]"
    if before is None or after is None:
        yield Violation(field, "cannot be removed")
        return
    for name, why in _KEPT.items():
        if changed(before, after, name):
            yield Violation(f"{field}.{name}", why)
    yield from _environment(field, before, after)
    yield from _mounts(field, before, after)
    for port in children(before, "ports"):
        if port not in children(after, "ports"):
            yield Violation(f"{field}.ports[{text(port, 'name')}]", "cannot be changed; give another port")


def _agent(spec: Object) -> Object | None:
    found = (one for one in children(spec, "containers") if text(one, "name") == labels.CONTAINER)
    return next(found, None)


def _environment(field: str, before: Object, after: Object) -> Iterator[Violation]:
    told, tells = _told(before), _told(after)
    for name in sorted({*told, *tells}):
        if told.get(name) != tells.get(name):
            yield Violation(f"{field}.env[{name}]", "is set by the operator; remove it")
    planned = children(before, "envFrom")
    for index, source in enumerate(children(after, "envFrom")):
        prefix = text(source, "prefix")
        # A key goes on where its prefix ends.
        begins = prefix.startswith(RESERVED_ENVIRONMENT) or RESERVED_ENVIRONMENT.startswith(prefix)
        if prefix and begins and source not in planned:
            yield Violation(
                f"{field}.envFrom[{index}].prefix",
                f"{prefix} could make names in {RESERVED_ENVIRONMENT}, which are the operator's; "
                "choose another",
            )


def _told(container: Object) -> dict[str, Object]:
    """Variables for the agent; what the manifest's own list gives is judged by `reserved_environment`."""
    return {
        name: variable
        for variable in children(container, "env")
        if (name := text(variable, "name")).startswith(RESERVED_ENVIRONMENT)
    }


def _mounts(field: str, before: Object, after: Object) -> Iterator[Violation]:
    planned, given = children(before, "volumeMounts"), children(after, "volumeMounts")
    for mount in planned:
        if text(mount, "name") == ATTACHED_VOLUME and mount not in given:
            yield Violation(
                f"{field}.volumeMounts", f"what is mounted from {ATTACHED_VOLUME} cannot be changed"
            )
    word = text(before, "terminationMessagePath") or LAST_WORD
    kept = {ATTACHED: "holds what the operator tells the agent", word: "holds the agent's last word"}
    for mount in given:
        path = text(mount, "mountPath")
        for place, why in kept.items():
            if mount not in planned and _hides(normalised(path), place):
                yield Violation(
                    f"{field}.volumeMounts[{path}]", f"would cover {place}, which {why}; choose another path"
                )


def _hides(path: str, place: str) -> bool:
    """Whether something mounted here may hide what is there: above it, at it, or within it."""
    return lies_below(place, path) or lies_below(path, place)

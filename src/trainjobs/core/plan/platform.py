"""The platform's part of a run's pod: what a cluster needs of every pod, and no user has to know.

It is `runs.podTemplate`, `runs.env` and `runs.podSecurityContext` of the chart, trusted as the operator is:

    planned ──▶ over it the platform's part ──▶ what spec.runtime, .resources … ask for ──▶ spec.podTemplate
                                                                        trusted ┘                  final ┘

What a user asks for by a field of its own (an image, a priority, a variable) goes before what the platform
gives; what `spec.podTemplate` makes of all that is judged against it (`policy`).
"""

import json

from pydantic import JsonValue

from trainjobs.api import labels
from trainjobs.api.runtime import Runtime, Workspace
from trainjobs.core.plan.environment import Backend, given_environment
from trainjobs.core.plan.merge import merged
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.pod import pod_template
from trainjobs.core.recipe.pods import asked_resources
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe

FIELD = "runs.podTemplate"
MOST_BYTES = 128 * 1024
"""Of a manifest's own template, as JSON. The API server takes ten times as much; while one of that size is
judged, every other run waits."""
_DISK = "ephemeral-storage"


def trusted_template(plan: Plan, backend: Backend) -> Object:
    """The PodTemplateSpec of the operator and the platform, before `spec.podTemplate` is merged over it.

    Raises:
        InvalidRecipe: the platform's template cannot be merged.
    """
    return merged(with_platform(pod_template(plan, backend), plan.settings), _asked(plan))


def final_template(plan: Plan, trusted: Object) -> Object:
    """The whole PodTemplateSpec, with room on the node's disk for the workspace that is on it.

    Raises:
        InvalidRecipe: `spec.podTemplate` cannot be merged, or is larger than any pod needs.
    """
    size = len(json.dumps(plan.run.spec.pod_template))
    if size > MOST_BYTES:
        raise InvalidRecipe(f"spec.podTemplate: {size} bytes are not allowed; give at most {MOST_BYTES}")
    return _with_disk(merged(trusted, plan.run.spec.pod_template))


def with_platform(planned: Object, settings: Settings) -> Object:
    """A planned PodTemplateSpec with the platform's part over it.

    Raises:
        InvalidRecipe: the platform's template cannot be merged.
    """
    container: Object = {"name": labels.CONTAINER, "env": [*settings.env]}
    found = merged(planned, {"spec": {"containers": [container]}}, "runs")
    if settings.pod_security_context is not None:
        context = dict(settings.pod_security_context)
        found = {**found, "spec": {**child(found, "spec"), "securityContext": context}}
    for template in settings.pod_templates:
        found = merged(found, template, FIELD)
    return found


def _asked(plan: Plan) -> Object:
    """What the run's own fields ask for, in the form of a template: it goes over the platform's."""
    spec = plan.run.spec
    runtime, workspace = spec.runtime, spec.workspace
    container: Object = {
        "image": runtime.image,
        "imagePullPolicy": _unless_default(runtime.image_pull_policy, Runtime, "image_pull_policy"),
        "env": [*given_environment(plan)],
        "resources": asked_resources(spec.resources),
    }
    size = _unless_default(workspace.shared_memory_size, Workspace, "shared_memory_size")
    pod: Object = {
        "containers": [{"name": labels.CONTAINER, **_given(container)}],
        "serviceAccountName": runtime.service_account_name,
        "priorityClassName": spec.run_policy.priority_class_name,
        "schedulerName": spec.run_policy.scheduler_name,
        "volumes": [{"name": "shared-memory", "emptyDir": {"sizeLimit": size}}] if size else None,
    }
    return {"spec": _given(pod)}


def _unless_default(value: JsonValue, section: type[Runtime | Workspace], field: str) -> JsonValue:
    """The API server fills in defaults: a default is what nobody asked for."""
    return None if value == section.model_fields[field].default else value


def _given(fields: Object) -> Object:
    return {name: value for name, value in fields.items() if value}


def _with_disk(template: Object) -> Object:
    """The container asks for the disk that its workspace may fill: no node is chosen that lacks it."""
    spec = child(template, "spec")
    volume = next((one for one in children(spec, "volumes") if text(one, "name") == "workspace"), {})
    directory = child(volume, "emptyDir")
    size = directory.get("sizeLimit")
    if size is None or directory.get("medium"):
        return template
    containers: list[JsonValue] = [
        _asking_for(one, size) if text(one, "name") == labels.CONTAINER else one
        for one in children(spec, "containers")
    ]
    return {**template, "spec": {**spec, "containers": containers}}


def _asking_for(container: Object, size: JsonValue) -> Object:
    asked = child(container, "resources")
    if any(_DISK in child(asked, kind) for kind in ("requests", "limits")):
        return container
    requests = {**child(asked, "requests"), _DISK: size}
    return {**container, "resources": {**asked, "requests": requests}}

"""What a manifest asks of its pods, and which fields it is refused for."""

from typing import Any

from tests.unit.core.plan.builders import PLATFORM, a_plan, a_run
from trainjobs.core.plan.render import rendering
from trainjobs.core.settings import Settings

SAFE = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
SPEC = "spec.podTemplate.spec"
AGENT = f"{SPEC}.containers[pytorch]"


def fields(settings: Settings = PLATFORM, **spec: Any) -> list[str]:
    return [one.field for one in rendering(a_plan(a_run(**spec), settings)).violations]


def of_pod(settings: Settings = PLATFORM, **spec: Any) -> list[str]:
    return fields(settings, podTemplate={"spec": spec})


def of_container(**container: Any) -> list[str]:
    return of_pod(containers=[{"name": "pytorch", **container}])


def of_sidecar(**container: Any) -> list[str]:
    return of_pod(containers=[{"name": "side", "image": "x", **SAFE, **container}])

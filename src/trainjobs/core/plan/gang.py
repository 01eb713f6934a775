"""Gang schedulers: each gives all pods of a group their machines at once, and goes by signs of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from trainjobs.api import labels
from trainjobs.api.policy import GangScheduler
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object


@dataclass(frozen=True, slots=True)
class Gang:
    """What a gang scheduler goes by."""

    api_version: str
    """Of its PodGroups."""
    scheduler_name: str
    """What it is called where it is installed as its own project says."""
    sign: str
    """What a pod carries, to say which PodGroup it belongs to."""
    kind_of_sign: Literal["Label", "Annotation"]
    project: str
    """What has to be installed."""


GANGS: Final[Mapping[GangScheduler, Gang]] = {
    "Coscheduling": Gang(
        "scheduling.x-k8s.io/v1alpha1",
        "scheduler-plugins-scheduler",
        labels.COSCHEDULING_GROUP,
        "Label",
        "scheduler-plugins with its coscheduling plugin",
    ),
    "Volcano": Gang(
        "scheduling.volcano.sh/v1beta1", "volcano", labels.VOLCANO_GROUP, "Annotation", "Volcano"
    ),
}


def gang(plan: Plan) -> Gang | None:
    """Whose PodGroup the plan's pods belong to; None: each is given a machine by itself."""
    asked = plan.run.spec.run_policy.gang_scheduling
    return GANGS[asked.scheduler] if asked is not None else None


def signs(plan: Plan, kind: Literal["Label", "Annotation"]) -> Object:
    """The labels or annotations of a pod that tell its scheduler which PodGroup it belongs to."""
    found = gang(plan)
    return {found.sign: plan.job_name} if found is not None and found.kind_of_sign == kind else {}


def scheduler_name(plan: Plan) -> str | None:
    """The scheduler of the plan's pods; None: the cluster's default one."""
    found = gang(plan)
    return plan.run.spec.run_policy.scheduler_name or (found.scheduler_name if found is not None else None)

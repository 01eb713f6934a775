"""Everything that is not allowed in a final pod."""

from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, child
from trainjobs.core.plan.policy.affinity import affinity
from trainjobs.core.plan.policy.agent import agent_container
from trainjobs.core.plan.policy.containers import containers
from trainjobs.core.plan.policy.metadata import pod_metadata
from trainjobs.core.plan.policy.permissions import (
    gang_scheduler,
    priority_class,
    remote_code,
    reserved_environment,
    service_account,
)
from trainjobs.core.plan.policy.pod import pod_fields, pod_security
from trainjobs.core.plan.policy.violation import Violation
from trainjobs.core.plan.policy.volumes import volumes


def violations(plan: Plan, trusted: Object, final: Object) -> tuple[Violation, ...]:
    """Return everything that is not allowed in `final`, in a stable order.

    Args:
        plan: the attempt; its settings say what the platform allows.
        trusted: the PodTemplateSpec before `spec.podTemplate` was merged over it.
        final: after.
    """
    before, after = child(trusted, "spec"), child(final, "spec")
    return (
        *pod_metadata(plan.settings, trusted, final),
        *pod_fields(trusted, final),
        *affinity(before, after),
        *priority_class(plan.run, plan.settings, before, after),
        *service_account(plan.run, plan.settings, before, after),
        *gang_scheduler(plan),
        *remote_code(plan),
        *reserved_environment(plan),
        *pod_security(before, after),
        *volumes(plan.settings, before, after),
        *containers(before, after),
        *agent_container(before, after),
    )

"""What the platform permits by name: priorities, accounts, gang schedulers, code of models, variables."""

from collections.abc import Iterator

from trainjobs.api.runs import Run
from trainjobs.core.plan.allowlist import ANY, RESERVED_ENVIRONMENT, SYSTEM_PRIORITIES
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, text
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation, changed
from trainjobs.core.settings import Settings


def priority_class(run: Run, settings: Settings, trusted: Object, final: Object) -> Iterator[Violation]:
    """Only PriorityClasses that the platform lists for the namespace, and never those of the system."""
    asked = {"spec.runPolicy.priorityClassName": run.spec.run_policy.priority_class_name}
    if changed(trusted, final, "priorityClassName"):
        asked[f"{TEMPLATE}.spec.priorityClassName"] = text(final, "priorityClassName")
    allowed = settings.priority_classes
    for field, name in asked.items():
        if not name:
            continue
        if name.startswith(SYSTEM_PRIORITIES):
            yield Violation(field, f"{name} is for the system; name a PriorityClass for training")
        elif ANY not in allowed and name not in allowed:
            yield Violation(field, f"{name} is not allowed for runs of this namespace; {_one_of(allowed)}")


def service_account(run: Run, settings: Settings, trusted: Object, final: Object) -> Iterator[Violation]:
    """Only ServiceAccounts that the platform lists for the namespace."""
    asked = {"spec.runtime.serviceAccountName": run.spec.runtime.service_account_name}
    if changed(trusted, final, "serviceAccountName"):
        asked[f"{TEMPLATE}.spec.serviceAccountName"] = text(final, "serviceAccountName")
    allowed = settings.service_accounts
    for field, name in asked.items():
        if name and name != "default" and name not in allowed:
            yield Violation(field, f"{name} is not allowed for runs of this namespace; {_one_of(allowed)}")


def gang_scheduler(plan: Plan) -> Iterator[Violation]:
    """Only gang schedulers whose PodGroups the platform lets the operator make."""
    asked, offered = plan.run.spec.run_policy.gang_scheduling, plan.settings.gang_schedulers
    if asked is None or asked.scheduler in offered:
        return
    others = f"take {' or '.join(sorted(offered))}, or remove it" if offered else "remove it"
    yield Violation(
        "spec.runPolicy.gangScheduling.scheduler",
        f"the operator makes no PodGroups for {asked.scheduler} here; {others} "
        f"(where the cluster has it, the operator's chart allows it by gangSchedulers: [{asked.scheduler}])",
    )


def remote_code(plan: Plan) -> Iterator[Violation]:
    """Code that a model carries runs only where the platform allows it."""
    if plan.settings.trust_remote_code:
        return
    message = "this platform runs no code from model folders; remove it"
    if plan.recipe.model.trust_remote_code:
        yield Violation("spec.baseModel.trustRemoteCode", message)
    algorithm = plan.recipe.algorithm
    if algorithm is None:
        return
    if algorithm.dpo and algorithm.dpo.reference and algorithm.dpo.reference.trust_remote_code:
        yield Violation("spec.algorithm.dpo.reference.trustRemoteCode", message)
    for index, reward in enumerate(algorithm.rewards):
        if reward.model.trust_remote_code:
            yield Violation(f"spec.algorithm.rewards[{index}].model.trustRemoteCode", message)


def reserved_environment(plan: Plan) -> Iterator[Violation]:
    """What the agent is told comes from the operator alone."""
    for index, variable in enumerate(plan.run.spec.runtime.env):
        if variable.name.startswith(RESERVED_ENVIRONMENT):
            yield Violation(
                f"spec.runtime.env[{index}]", f"{variable.name} is set by the operator; remove it"
            )


def _one_of(allowed: list[str]) -> str:
    return f"use one of {', '.join(sorted(allowed))}" if allowed else "none is allowed; remove it"

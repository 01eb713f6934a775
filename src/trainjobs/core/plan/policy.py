"""What a run's pod may be made of: an allowlist, checked on the final pod.

Whoever may create runs gets no more by it than the `restricted` Pod Security Standard grants, also in a
namespace that does not enforce it: fields, volumes and settings that are not listed here are refused. Every
rule is a function over the planned and the final pod that yields what violates it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from trainjobs.api import labels
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.allowlist import (
    CONTAINER_FIELDS,
    CONTAINER_SECURITY_FIELDS,
    POD_FIELDS,
    POD_SECURITY_FIELDS,
    PROJECTED_SOURCES,
    RESERVED_ANNOTATIONS,
    RESERVED_ENVIRONMENT,
    RESERVED_LABELS,
    VOLUME_TYPES,
)
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.pod import ATTACHED_VOLUME

TEMPLATE = "spec.podTemplate"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the operator does not allow: the field that asks for it, and what to do."""

    field: str
    message: str
    reason: Reason = Reason.POLICY_DENIED

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def violations(plan: Plan, planned: Object, final: Object) -> tuple[Violation, ...]:
    """Return everything that is not allowed in `final`, in a stable order.

    Args:
        plan: the attempt; its settings say what the platform allows.
        planned: the PodTemplateSpec before `spec.podTemplate` was merged over it.
        final: after.
    """
    spec = child(final, "spec")
    return (
        *metadata(child(planned, "metadata"), child(final, "metadata")),
        *pod_fields(final),
        *priority_class(plan, spec),
        *service_account(plan, spec),
        *remote_code(plan),
        *reserved_environment(plan),
        *pod_security(spec),
        *volumes(child(planned, "spec"), spec),
        *containers(spec),
        *agent_container(child(planned, "spec"), spec),
    )


def metadata(planned: Object, final: Object) -> Iterator[Violation]:
    """Labels and annotations that others go by are not the manifest's to set."""
    for kind, reserved in (("labels", RESERVED_LABELS), ("annotations", RESERVED_ANNOTATIONS)):
        before, after = child(planned, kind), child(final, kind)
        for name in sorted({*before, *after}):
            if name.startswith(reserved) and before.get(name) != after.get(name):
                yield Violation(f"{TEMPLATE}.metadata.{kind}[{name}]", "is set by the operator; remove it")
    for name in sorted(final.keys() - {"labels", "annotations"}):
        yield Violation(f"{TEMPLATE}.metadata.{name}", "not allowed; only labels and annotations are")


def pod_fields(final: Object) -> Iterator[Violation]:
    """Only the listed fields of a pod: no host namespaces, no nodeName, no runtimeClassName."""
    for name in sorted(final.keys() - {"metadata", "spec"}):
        yield Violation(f"{TEMPLATE}.{name}", "not allowed; only metadata and spec are")
    spec = child(final, "spec")
    yield from _unlisted(f"{TEMPLATE}.spec", spec, POD_FIELDS)
    if spec.get("automountServiceAccountToken") is not False:
        yield Violation(
            f"{TEMPLATE}.spec.automountServiceAccountToken",
            "run pods get no Kubernetes credentials; remove it",
        )


def priority_class(plan: Plan, spec: Object) -> Iterator[Violation]:
    """Priorities of the system are for the system."""
    name = text(spec, "priorityClassName")
    if name.startswith("system-"):
        given = plan.run.spec.run_policy.priority_class_name == name
        field = "spec.runPolicy.priorityClassName" if given else f"{TEMPLATE}.spec.priorityClassName"
        yield Violation(field, f"{name} is for the system; name a PriorityClass for training")


def service_account(plan: Plan, spec: Object) -> Iterator[Violation]:
    """Only ServiceAccounts that the platform lists for the namespace."""
    name = text(spec, "serviceAccountName")
    allowed = plan.settings.service_accounts
    if name and name != "default" and name not in allowed:
        given = plan.run.spec.runtime.service_account_name == name
        field = "spec.runtime.serviceAccountName" if given else f"{TEMPLATE}.spec.serviceAccountName"
        listed = f"use one of {', '.join(sorted(allowed))}" if allowed else "none is allowed; remove it"
        yield Violation(field, f"{name} is not allowed for runs of this namespace; {listed}")


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


def pod_security(spec: Object) -> Iterator[Violation]:
    """The pod runs as a user, not as root, with the runtime's seccomp profile."""
    context, field = child(spec, "securityContext"), f"{TEMPLATE}.spec.securityContext"
    yield from _unlisted(field, context, POD_SECURITY_FIELDS)
    if context.get("runAsNonRoot") is not True:
        yield Violation(f"{field}.runAsNonRoot", "pods do not run as root; remove it or set it to true")
    if "seccompProfile" not in context:
        yield Violation(f"{field}.seccompProfile", "cannot be removed; leave it out of the template")
    yield from _user_and_seccomp(field, context)


def volumes(planned: Object, spec: Object) -> Iterator[Violation]:
    """Volumes of the listed types only, and no tokens for the Kubernetes API among them."""
    attached = {text(one, "name"): one for one in children(planned, "volumes")}.get(ATTACHED_VOLUME)
    names = []
    for volume in children(spec, "volumes"):
        name = text(volume, "name")
        names.append(name)
        field = f"{TEMPLATE}.spec.volumes[{name}]"
        if name == ATTACHED_VOLUME:
            if volume != attached:
                yield Violation(field, "holds what the operator gives the agent; choose another name")
            continue
        for kind in sorted(volume.keys() - {"name"} - VOLUME_TYPES):
            yield Violation(f"{field}.{kind}", f"not allowed; use {', '.join(sorted(VOLUME_TYPES))}")
        for source in children(child(volume, "projected"), "sources"):
            for kind in sorted(source.keys() - PROJECTED_SOURCES):
                yield Violation(
                    f"{field}.projected.{kind}", f"not allowed; use {', '.join(sorted(PROJECTED_SOURCES))}"
                )
    if ATTACHED_VOLUME not in names:
        yield Violation(f"{TEMPLATE}.spec.volumes", f"{ATTACHED_VOLUME} cannot be removed")


def containers(spec: Object) -> Iterator[Violation]:
    """Every container: the listed fields, no host ports, no privileges."""
    for group in ("initContainers", "containers"):
        for container in children(spec, group):
            field = f"{TEMPLATE}.spec.{group}[{text(container, 'name')}]"
            yield from _unlisted(field, container, CONTAINER_FIELDS)
            for port in children(container, "ports"):
                for name in sorted(port.keys() & {"hostPort", "hostIP"}):
                    yield Violation(f"{field}.ports.{name}", "not allowed; pods have addresses of their own")
            yield from _container_security(f"{field}.securityContext", child(container, "securityContext"))


def _container_security(field: str, context: Object) -> Iterator[Violation]:
    yield from _unlisted(field, context, CONTAINER_SECURITY_FIELDS)
    if context.get("allowPrivilegeEscalation") is not False:
        yield Violation(f"{field}.allowPrivilegeEscalation", "must be false")
    capabilities = child(context, "capabilities")
    dropped = capabilities.get("drop")
    if not isinstance(dropped, list) or "ALL" not in dropped:
        yield Violation(f"{field}.capabilities.drop", "must contain ALL")
    if capabilities.get("add"):
        yield Violation(f"{field}.capabilities.add", "not allowed; remove it")
    if "runAsNonRoot" in context and context["runAsNonRoot"] is not True:
        yield Violation(f"{field}.runAsNonRoot", "pods do not run as root; remove it or set it to true")
    yield from _user_and_seccomp(field, context)


def agent_container(planned: Object, spec: Object) -> Iterator[Violation]:
    """The container that trains runs the agent, with what the operator tells it."""
    before, after = _agent(planned), _agent(spec)
    field = f"{TEMPLATE}.spec.containers[{labels.CONTAINER}]"
    if before is None or after is None:
        yield Violation(field, "cannot be removed")
        return
    for name in ("command", "args"):
        if before.get(name) != after.get(name):
            yield Violation(f"{field}.{name}", "runs the agent; give your own script as spec.runtime.command")
    told, tells = _told(before), _told(after)
    for name in sorted({*told, *tells}):
        if told.get(name) != tells.get(name):
            yield Violation(f"{field}.env[{name}]", "is set by the operator; remove it")
    if _attached_mount(before) != _attached_mount(after):
        yield Violation(f"{field}.volumeMounts", f"what is mounted from {ATTACHED_VOLUME} cannot be changed")


def _agent(spec: Object) -> Object | None:
    found = (one for one in children(spec, "containers") if text(one, "name") == labels.CONTAINER)
    return next(found, None)


def _told(container: Object) -> dict[str, Object]:
    """Variables for the agent; what the manifest's own list gives is judged by `reserved_environment`."""
    return {
        name: variable
        for variable in children(container, "env")
        if (name := text(variable, "name")).startswith(RESERVED_ENVIRONMENT)
    }


def _attached_mount(container: Object) -> list[Object]:
    return [one for one in children(container, "volumeMounts") if text(one, "name") == ATTACHED_VOLUME]


def _user_and_seccomp(field: str, context: Object) -> Iterator[Violation]:
    if context.get("runAsUser") == 0:
        yield Violation(f"{field}.runAsUser", "0 is root; give another user")
    profile = context.get("seccompProfile")
    if profile is not None and child(context, "seccompProfile").get("type") not in (
        "RuntimeDefault",
        "Localhost",
    ):
        yield Violation(f"{field}.seccompProfile", "must be of type RuntimeDefault or Localhost")


def _unlisted(field: str, value: Object, allowed: frozenset[str]) -> Iterator[Violation]:
    for name in sorted(value.keys() - allowed):
        yield Violation(f"{field}.{name}", "not allowed in runs; remove it")

"""Every container of a pod: the listed fields, no host ports, no privileges, nobody else's changed."""

from collections.abc import Iterator

from trainjobs.api import labels
from trainjobs.core.plan.allowlist import CONTAINER_FIELDS, CONTAINER_SECURITY_FIELDS
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.policy.mounts import mounts
from trainjobs.core.plan.policy.pod import user_and_seccomp
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation, changed, unlisted

GROUPS = ("initContainers", "containers")


def containers(trusted: Object, final: Object) -> Iterator[Violation]:
    """Judge all but what makes the agent's container the agent's."""
    taken: set[str] = set()
    for group in GROUPS:
        before = {text(one, "name"): one for one in children(trusted, group)}
        names = [text(one, "name") for one in children(final, group)]
        for name in sorted(before.keys() - {*names, labels.CONTAINER}):
            yield Violation(f"{TEMPLATE}.spec.{group}[{name}]", "cannot be removed")
        for name, container in zip(names, children(final, group), strict=True):
            field = f"{TEMPLATE}.spec.{group}[{name}]"
            if name in taken:
                yield Violation(f"{field}.name", "another container has this name; choose one of its own")
            taken.add(name)
            planned = before.get(name, {})
            if planned and name != labels.CONTAINER:
                if container != planned:
                    yield Violation(field, "is the platform's; choose another name")
                continue
            yield from _container(group, field, planned, container)
            yield from mounts(field, planned, container, trusted, final)


def _container(group: str, field: str, before: Object, container: Object) -> Iterator[Violation]:
    yield from unlisted(field, before, container, CONTAINER_FIELDS)
    planned = children(before, "ports")
    for port in children(container, "ports"):
        for name in sorted(port.keys() & {"hostPort", "hostIP"}):
            if port not in planned:
                yield Violation(f"{field}.ports.{name}", "not allowed; pods have addresses of their own")
    if group == "containers" and changed(before, container, "restartPolicy"):
        yield Violation(f"{field}.restartPolicy", "a node that ends is not started again; remove it")
    yield from _container_security(
        f"{field}.securityContext", child(before, "securityContext"), child(container, "securityContext")
    )


def _container_security(field: str, before: Object, context: Object) -> Iterator[Violation]:
    yield from unlisted(field, before, context, CONTAINER_SECURITY_FIELDS)
    escalation = "allowPrivilegeEscalation"
    if context.get(escalation) is not False and _lowered(before, context, escalation):
        yield Violation(f"{field}.{escalation}", "must be false")
    planned, capabilities = child(before, "capabilities"), child(context, "capabilities")
    dropped = capabilities.get("drop")
    if not (isinstance(dropped, list) and "ALL" in dropped) and _lowered(planned, capabilities, "drop"):
        yield Violation(f"{field}.capabilities.drop", "must contain ALL")
    if capabilities.get("add") and changed(planned, capabilities, "add"):
        yield Violation(f"{field}.capabilities.add", "not allowed; remove it")
    root = "runAsNonRoot"
    if root in context and context[root] is not True and changed(before, context, root):
        yield Violation(f"{field}.{root}", "pods do not run as root; remove it or set it to true")
    yield from user_and_seccomp(field, before, context)


def _lowered(before: Object, context: Object, name: str) -> bool:
    """Whether a container keeps what it has to give up, and was not trusted with it."""
    return not before or changed(before, context, name)

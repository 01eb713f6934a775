"""The pod as a whole: its fields, and the user that it runs as."""

from collections.abc import Iterator

from trainjobs.core.plan.allowlist import POD_FIELDS, POD_SECURITY_FIELDS
from trainjobs.core.plan.objects import Object, child
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation, changed, unlisted


def pod_fields(trusted: Object, final: Object) -> Iterator[Violation]:
    """Only the listed fields of a pod: no host namespaces, no nodeName, no runtimeClassName."""
    for name in sorted(final.keys() - {"metadata", "spec"}):
        yield Violation(f"{TEMPLATE}.{name}", "not allowed; only metadata and spec are")
    before, after = child(trusted, "spec"), child(final, "spec")
    yield from unlisted(f"{TEMPLATE}.spec", before, after, POD_FIELDS)
    name = "automountServiceAccountToken"
    if after.get(name) is not False and changed(before, after, name):
        yield Violation(f"{TEMPLATE}.spec.{name}", "run pods get no Kubernetes credentials; remove it")


def pod_security(trusted: Object, final: Object) -> Iterator[Violation]:
    """The pod runs as a user, not as root, with the runtime's seccomp profile."""
    field = f"{TEMPLATE}.spec.securityContext"
    before, after = child(trusted, "securityContext"), child(final, "securityContext")
    yield from unlisted(field, before, after, POD_SECURITY_FIELDS)
    if after.get("runAsNonRoot") is not True and changed(before, after, "runAsNonRoot"):
        yield Violation(f"{field}.runAsNonRoot", "pods do not run as root; remove it or set it to true")
    if "seccompProfile" not in after and "seccompProfile" in before:
        yield Violation(f"{field}.seccompProfile", "cannot be removed; leave it out of the template")
    yield from user_and_seccomp(field, before, after)


def user_and_seccomp(field: str, trusted: Object, final: Object) -> Iterator[Violation]:
    """What pods and containers are judged for alike."""
    if final.get("runAsUser") == 0 and changed(trusted, final, "runAsUser"):
        yield Violation(f"{field}.runAsUser", "0 is root; give another user")
    profile = child(final, "seccompProfile").get("type")
    named = final.get("seccompProfile") is not None
    if named and profile not in ("RuntimeDefault", "Localhost") and changed(trusted, final, "seccompProfile"):
        yield Violation(f"{field}.seccompProfile", "must be of type RuntimeDefault or Localhost")

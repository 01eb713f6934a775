"""Labels and annotations: others go by them, so a manifest sets those alone that are listed."""

from collections.abc import Iterator, Sequence

from trainjobs.core.plan.allowlist import RESERVED_ANNOTATIONS, RESERVED_LABELS, USER_METADATA
from trainjobs.core.plan.objects import Object, child
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation
from trainjobs.core.settings import Settings


def pod_metadata(settings: Settings, trusted: Object, final: Object) -> Iterator[Violation]:
    """A pod's labels decide which Services are its, its annotations what webhooks put into it."""
    before, after = child(trusted, "metadata"), child(final, "metadata")
    yield from metadata(settings, f"{TEMPLATE}.metadata", before, after)


def metadata(settings: Settings, field: str, trusted: Object, final: Object) -> Iterator[Violation]:
    """Judge the metadata of a pod, or of what is made for it."""
    for kind, reserved, listed in (
        ("labels", RESERVED_LABELS, settings.allowed_pod_labels),
        ("annotations", RESERVED_ANNOTATIONS, settings.allowed_pod_annotations),
    ):
        before, after = child(trusted, kind), child(final, kind)
        for name in sorted({*before, *after}):
            if before.get(name) == after.get(name):
                continue
            if name in before or name.startswith(reserved):
                yield Violation(f"{field}.{kind}[{name}]", "is set by the operator; remove it")
            elif not _listed(name, (*USER_METADATA, *listed)):
                yield Violation(f"{field}.{kind}[{name}]", f"not allowed; {_advice(listed)}")
    for name in sorted(final.keys() - {"labels", "annotations"}):
        yield Violation(f"{field}.{name}", "not allowed; only labels and annotations are")


def _listed(name: str, listed: Sequence[str]) -> bool:
    """Whether a name is listed, itself or by a prefix that ends in a slash."""
    return any(name == one or (one.endswith("/") and name.startswith(one)) for one in listed)


def _advice(listed: Sequence[str]) -> str:
    others = f", or one of {', '.join(sorted(listed))}" if listed else ""
    return f"give it a name below {USER_METADATA[0]}{others}"

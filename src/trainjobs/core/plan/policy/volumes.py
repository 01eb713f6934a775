"""Volumes of a pod, and which of them a manifest may mount."""

from collections.abc import Iterator

from trainjobs.api import labels
from trainjobs.core.plan.allowlist import (
    CLAIM_FIELDS,
    CLAIM_TEMPLATE_FIELDS,
    PROJECTED_SOURCES,
    VOLUME_TYPES,
)
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.pod import ATTACHED_VOLUME
from trainjobs.core.plan.policy.metadata import metadata
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation, unlisted
from trainjobs.core.settings import Settings


def volumes(settings: Settings, trusted: Object, final: Object) -> Iterator[Violation]:
    """Volumes of the listed types only, and no tokens for the Kubernetes API among them."""
    before = {text(one, "name"): one for one in children(trusted, "volumes")}
    kept = guarded_volumes(trusted)
    names = set()
    for volume in children(final, "volumes"):
        name = text(volume, "name")
        names.add(name)
        field = f"{TEMPLATE}.spec.volumes[{name}]"
        if volume == before.get(name):
            continue
        if name in kept:
            yield Violation(field, "holds what the operator gives the pod; choose another name")
            continue
        yield from _volume(settings, field, volume)
    for name in sorted(kept - names):
        yield Violation(f"{TEMPLATE}.spec.volumes[{name}]", "cannot be removed")


def guarded_volumes(trusted: Object) -> frozenset[str]:
    """Names of the volumes that stay as they are: of types that no run gets, or for containers of others."""
    return _mounted(trusted, of_agent=False) | unshared_volumes(trusted)


def unshared_volumes(trusted: Object) -> frozenset[str]:
    """Names of the volumes that a manifest may mount nowhere: each is for whom it was planned."""
    odd = (one for one in children(trusted, "volumes") if any(_unlisted_kinds("", one)))
    of_others = _mounted(trusted, of_agent=False) - _mounted(trusted, of_agent=True)
    return frozenset({ATTACHED_VOLUME, *(text(one, "name") for one in odd)}) | of_others


def _mounted(spec: Object, *, of_agent: bool) -> frozenset[str]:
    """Names of the volumes that the agent's container mounts, or that any other does."""
    return frozenset(
        text(mount, "name")
        for group in ("initContainers", "containers")
        for container in children(spec, group)
        if (text(container, "name") == labels.CONTAINER) is of_agent
        for mount in children(container, "volumeMounts")
    )


def _volume(settings: Settings, field: str, volume: Object) -> Iterator[Violation]:
    yield from _unlisted_kinds(field, volume)
    claim = child(child(volume, "ephemeral"), "volumeClaimTemplate")
    where = f"{field}.ephemeral.volumeClaimTemplate"
    yield from unlisted(where, {}, claim, CLAIM_TEMPLATE_FIELDS)
    yield from metadata(settings, f"{where}.metadata", {}, child(claim, "metadata"))
    yield from unlisted(f"{where}.spec", {}, child(claim, "spec"), CLAIM_FIELDS)


def _unlisted_kinds(field: str, volume: Object) -> Iterator[Violation]:
    for kind in sorted(volume.keys() - {"name"} - VOLUME_TYPES):
        yield Violation(f"{field}.{kind}", f"not allowed; use {', '.join(sorted(VOLUME_TYPES))}")
    for source in children(child(volume, "projected"), "sources"):
        for kind in sorted(source.keys() - PROJECTED_SOURCES):
            yield Violation(
                f"{field}.projected.{kind}", f"not allowed; use {', '.join(sorted(PROJECTED_SOURCES))}"
            )

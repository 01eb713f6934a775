"""Where a container mounts what."""

import posixpath
from collections.abc import Iterator

from trainjobs.core.plan.objects import Object, children, text
from trainjobs.core.plan.policy.violation import Violation
from trainjobs.core.plan.policy.volumes import unshared_volumes


def mounts(
    field: str, before: Object, container: Object, trusted: Object, final: Object
) -> Iterator[Violation]:
    """Mounts name volumes of the pod, those that are for a manifest to mount, and each place once.

    A volume that is not there would wait for whoever adds one of that name later: a webhook, on its way in.

    Args:
        field: the container's.
        before: the container as it is trusted; empty for one of the manifest's own.
        container: as it is.
        trusted: the pod's spec.
        final: the same.
    """
    planned = children(before, "volumeMounts")
    there = {text(one, "name") for one in children(final, "volumes")}
    kept = unshared_volumes(trusted)
    places: dict[str, str] = {}
    for mount in children(container, "volumeMounts"):
        name, path = text(mount, "name"), text(mount, "mountPath")
        where = f"{field}.volumeMounts[{path}]"
        if name not in there:
            yield Violation(
                f"{where}.name", f"{name!r:.80} is no volume of this pod; name one of its volumes"
            )
        elif name in kept and mount not in planned:
            yield Violation(f"{where}.name", f"{name} is the operator's alone to mount; name another volume")
        place = normalised(path)
        if places.setdefault(place, path) != path:
            yield Violation(where, f"is the same place as {places[place]}; write it as that")


def normalised(path: str) -> str:
    """The place in a container that a path means, as kubelets read it."""
    return posixpath.normpath(f"/{path.lstrip('/')}")


def lies_below(path: str, place: str) -> bool:
    """Whether a path is a place or lies in it; both are normalised."""
    return f"{path}/".startswith(f"{place.rstrip('/')}/")

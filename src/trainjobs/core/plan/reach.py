"""What a cluster cannot give a run, as its manifest stands: checked before anything is created."""

from collections.abc import Iterator

from trainjobs.api import labels
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.policy.mounts import lies_below, normalised
from trainjobs.core.plan.policy.violation import Violation
from trainjobs.core.plan.sources import CLAIMS, inputs
from trainjobs.core.uris import Scheme, file_path, parse_uri

MAX_ANNOTATIONS = 256 * 1024
"""Bytes of names and values that Kubernetes takes (`TotalAnnotationSizeLimitB`)."""


def unreachable(plan: Plan, final: Object) -> tuple[Violation, ...]:
    """Return what the pods of the plan could not read, write or run."""
    return (*image(plan), *relative_files(plan), *lost_storage(plan, final), *annotations(final))


def image(plan: Plan) -> Iterator[Violation]:
    """There is an image to run."""
    if not plan.run.spec.runtime.image and not plan.settings.image:
        yield _invalid("spec.runtime.image", "none is given here and the platform has no default; give one")


def relative_files(plan: Plan) -> Iterator[Violation]:
    """Paths relative to a manifest mean something only beside that manifest."""
    beside = [source for source in inputs(plan.recipe) if parse_uri(source.uri).is_relative]
    if beside:
        yield _invalid(
            ", ".join(source.field for source in beside),
            f"{beside[0].uri} lies beside the manifest, where a cluster cannot see it; give s3:// or pvc://, "
            "or train here with trainjobs run",
        )


def lost_storage(plan: Plan, final: Object) -> Iterator[Violation]:
    """A folder for checkpoints outlives the pod: a lasting volume lies there, and the one that is named."""
    store = parse_uri(plan.recipe.store)
    if store.scheme is Scheme.CLAIM:
        place = f"{CLAIMS}/{store.place}"
        mount = _nearest(final, f"{place}/{store.path}")
        elsewhere = any(mount.get(name) for name in ("subPath", "subPathExpr"))
        if elsewhere or normalised(text(mount, "mountPath")) != place or _claim(final, mount) != store.place:
            yield _invalid(
                "spec.podTemplate",
                f"mounts something else at {place}, where the checkpoints of {plan.recipe.store} go; choose "
                "another path",
            )
    elif store.scheme is Scheme.FILE:
        path = str(file_path(plan.recipe.store) or store.path)
        if store.is_relative or not _claim(final, _nearest(final, path)):
            yield _invalid(
                "spec.checkpoints.storage.uri",
                f"no lasting volume is mounted at {path}, so checkpoints would go with the pod; give "
                "s3://bucket/prefix or pvc://claim/path",
            )


def annotations(final: Object) -> Iterator[Violation]:
    """The recipe travels in an annotation, whose size Kubernetes bounds."""
    found = child(child(final, "metadata"), "annotations")
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in found.items())
    if size > MAX_ANNOTATIONS:
        yield _invalid(
            "spec",
            f"the recipe and other annotations have {size} bytes, more than the {MAX_ANNOTATIONS} that fit "
            "into a pod; shorten runtime.command, the templates or extraArguments",
        )


def _nearest(final: Object, path: str) -> Object:
    """The mount in which a path of the agent's container lies: the deepest; empty for none."""
    found: list[tuple[str, Object]] = [
        (normalised(text(mount, "mountPath")), mount)
        for container in children(child(final, "spec"), "containers")
        if text(container, "name") == labels.CONTAINER
        for mount in children(container, "volumeMounts")
    ]
    above = [(place, mount) for place, mount in found if lies_below(normalised(path), place)]
    return max(above, key=lambda one: len(one[0]), default=("", {}))[1]


def _claim(final: Object, mount: Object) -> str:
    """The claim that is mounted; empty where it is none."""
    volumes = {text(one, "name"): one for one in children(child(final, "spec"), "volumes")}
    volume = volumes.get(text(mount, "name"), {})
    return text(child(volume, "persistentVolumeClaim"), "claimName")


def _invalid(field: str, message: str) -> Violation:
    return Violation(field, message, Reason.INVALID_SPEC)

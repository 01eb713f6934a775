"""API objects → runs: what people wrote and what the operator said, without Kubernetes' bookkeeping."""

from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import Field, ValidationError

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.metadata import ObjectMeta
from trainjobs.api.policy import RunPolicy
from trainjobs.api.problems import problems
from trainjobs.api.runs import BY_KIND, Run
from trainjobs.api.runtime import PodTemplate, Runtime
from trainjobs.api.status import RunStatus
from trainjobs.api.topology import Topology
from trainjobs.controller.observing import optional_time
from trainjobs.core.plan.objects import Object, child, text

_METADATA: Final = {field.alias for field in ObjectMeta.model_fields.values() if field.alias is not None}
MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that this version cannot take for a run, though the API server did."""

    problems: str
    """What is wrong, field by field."""


def read_run(obj: Object) -> Run | Unreadable:
    """Read a run; a part of its status that cannot be read counts as not there.

    Fields of its spec that this version does not know are passed over, and named by `not_known`: the API
    server writes those that have a default into every run, as soon as a newer version's CRDs are there.
    """
    kind, body = _manifest(obj)
    try:
        run = kind.from_document(body)
    except ValidationError as error:
        wanted = [str(one) for one in problems(error, kind, body)]
        return Unreadable("; ".join(wanted[:MOST_PROBLEMS]))
    return run.model_copy(update={"status": read_status(obj)})


class _Left(Section, Exchanged):
    """The sections of a spec that a deletion looks at; a value that cannot be taken counts as not there."""

    beyond: ClassVar[Beyond] = "AllLeftOut"

    topology: Topology = Field(default_factory=Topology)
    run_policy: RunPolicy = Field(default_factory=RunPolicy)
    runtime: Runtime = Field(default_factory=Runtime)
    pod_template: PodTemplate = Field(default_factory=dict)


def what_is_left(obj: Object) -> Run:
    """What a deletion needs of a run that cannot be read: who it is, its status, some sections of its spec.

    All else of its spec is left out, or holds a default that nobody wrote: no attempt may start from it.
    """
    kind, meta = BY_KIND[str(obj["kind"])], child(obj, "metadata")
    left = _Left.from_document(child(obj, "spec"))
    spec = kind.model_fields["spec"].annotation
    assert isinstance(spec, type), "a spec is a section"
    generation = meta.get("generation")
    metadata = ObjectMeta.model_construct(
        name=text(meta, "name"),
        namespace=text(meta, "namespace"),
        uid=text(meta, "uid"),
        generation=generation if isinstance(generation, int) else 1,
        deletion_timestamp=optional_time(meta, "deletionTimestamp"),
    )
    sections = {name: getattr(left, name) for name in _Left.model_fields}
    return kind.model_construct(
        kind=kind.__name__,
        metadata=metadata,
        spec=spec.model_construct(**sections),
        status=read_status(obj),
    )


def not_known(obj: Object) -> tuple[str, ...]:
    """The fields of a run that this version does not know."""
    kind, body = _manifest(obj)
    return kind.not_known(body)


def _manifest(obj: Object) -> tuple[type[Run], Object]:
    """A run's kind, and what a person could have written of it."""
    meta = {name: value for name, value in child(obj, "metadata").items() if name in _METADATA}
    body = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": meta,
        "spec": obj.get("spec"),
    }
    return BY_KIND[str(obj["kind"])], body


def read_status(obj: Object) -> RunStatus:
    """What the operator said last, as far as this version understands it."""
    try:
        return RunStatus.from_document(child(obj, "status"))
    except ValidationError:
        return RunStatus()

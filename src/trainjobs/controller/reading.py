"""API objects → runs: what people wrote and what the operator said, without Kubernetes' bookkeeping."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from trainjobs.api.metadata import ObjectMeta
from trainjobs.api.problems import problems
from trainjobs.api.runs import BY_KIND, Run
from trainjobs.api.status import RunStatus
from trainjobs.core.plan.objects import Object, child

_METADATA: Final = {field.alias for field in ObjectMeta.model_fields.values() if field.alias is not None}
MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that this version cannot take for a run, though the API server did."""

    problems: str
    """What is wrong, field by field."""


def read_run(obj: Object) -> Run | Unreadable:
    """Read a run; a status, or a part of it, that cannot be read counts as not there."""
    kind = BY_KIND[str(obj["kind"])]
    meta = {name: value for name, value in child(obj, "metadata").items() if name in _METADATA}
    body = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": meta,
        "spec": obj.get("spec"),
    }
    try:
        run = kind.model_validate(body)
    except ValidationError as error:
        found = [str(one) for one in problems(error, kind, body)]
        return Unreadable("; ".join(found[:MOST_PROBLEMS]))
    return run.model_copy(update={"status": read_status(obj)})


def read_status(obj: Object) -> RunStatus:
    """What the operator said last, as far as this version understands it."""
    status = child(obj, "status")
    try:
        return RunStatus.model_validate(status)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
    try:
        return RunStatus.model_validate({name: value for name, value in status.items() if name not in wrong})
    except ValidationError:
        return RunStatus()


def written(status: RunStatus) -> Object:
    """`status` as it is sent to an API server."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)

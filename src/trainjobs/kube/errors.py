"""What a Kubernetes API server answers when it does not do what it was asked.

KubeError
├── NotFound        404    there is no such object, or no such kind
├── AlreadyExists   409    an object of that name is there
├── Conflict        409    the object is another one than was read: read again
├── Gone            410    what was asked for is too old: list again
├── Forbidden       401, 403    the operator may not do that here
│   ├── NamespaceTerminating    nothing can be created in a namespace that is being deleted
│   └── Denied      4xx     a webhook or a policy of the cluster says no
├── Invalid         400, 413, 422    the object breaks a rule of its kind, or is too large
├── Unreachable     no answer, 429 or 5xx, or not ready for that: try again later
└── LeaseLost       not sent: another replica may be the leader by now
"""

import json
import re
from collections.abc import Mapping
from typing import Any


class KubeError(Exception):
    """Base of all; `said` is the API server's own, without the request."""

    def __init__(self, message: str, said: str | None = None) -> None:
        super().__init__(message)
        self.said = message if said is None else said


class NotFound(KubeError):
    """There is no such object, or no such kind."""


class AlreadyExists(KubeError):
    """An object of that name is there."""


class Conflict(KubeError):
    """The object is another one than was read."""


class Gone(KubeError):
    """What was asked for is too old."""


class Forbidden(KubeError):
    """The operator may not do that here."""


class NamespaceTerminating(Forbidden):
    """Nothing can be created in a namespace that is being deleted."""


class Denied(Forbidden):
    """A webhook or a policy of the cluster says no."""


class Invalid(KubeError):
    """The object breaks a rule of its kind, or is too large."""


class Unreachable(KubeError):
    """No answer that counts; the same request may be tried again later."""


class LeaseLost(KubeError):
    """The request was not sent, because another replica may be the leader by now."""


_BY_REASON: Mapping[str, type[KubeError]] = {
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Expired": Gone,
    "Gone": Gone,
}
_BY_STATUS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    422: Invalid,
}

# Where owners are checked (as on OpenShift), a kind that was installed just now is no owner yet: the API
# server looks for new kinds twice a minute, and refuses with 403 until then.
_KIND_NOT_KNOWN_YET = "cannot find RESTMapping"

# Webhooks and policies choose the status of their refusal themselves: only the words tell it from others.
_DENIED = re.compile(
    r"admission webhook \"[^\"]*\" denied the request|ValidatingAdmissionPolicy '[^']*' .*denied request"
)


def error_of(status: int, body: bytes, what: str) -> KubeError:
    """The error that an answer means.

    Args:
        status: the HTTP status.
        body: the answer; an API server's is a `Status` object.
        what: the request, for the message.
    """
    answer = _status_object(body)
    said = str(answer.get("message") or body[:500].decode(errors="replace") or status)
    message = f"{what}: {said}"
    causes = (answer.get("details") or {}).get("causes") or []
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminating(message, said)
    if status == 403 and _KIND_NOT_KNOWN_YET in message:
        return Unreachable(message, said)
    if 400 <= status <= 499 and _DENIED.search(said):
        return Denied(message, said)
    kind = _BY_REASON.get(str(answer.get("reason"))) or _BY_STATUS.get(status, Unreachable)
    return kind(message, said)


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}

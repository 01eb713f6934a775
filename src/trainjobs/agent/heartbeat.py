"""Tells the status server every few seconds how this node does, and hears what it wants."""

import http.client
import logging
import ssl
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from trainjobs.agent.secrets import Secrets
from trainjobs.agent.status import Status
from trainjobs.core.reports import Directive, Heartbeat, HeartbeatAnswer

_log = logging.getLogger(__name__)
_TIMEOUT = 5.0
_MOST_BYTES = 64 * 1024
# An outage is said once, and then about once a minute.
_QUIET = 30


class Heartbeats:
    """Sends the status until it is closed; the last word is sent on closing."""

    def __init__(
        self,
        status: Status,
        on_directive: Callable[[Directive], None],
        secrets: Secrets,
        *,
        url: str,
        ca: Path | None = None,
        token: Path | None = None,
        every_seconds: float = 2.0,
    ) -> None:
        self._status = status
        self._on_directive = on_directive
        self._secrets = secrets
        self._url = url
        self._token = token
        self._every = every_seconds
        self._ca = ca
        self._failures = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say the last word and stop."""
        self._closed.set()
        self._thread.join(timeout=2 * _TIMEOUT)

    def _run(self) -> None:
        while True:
            last = self._closed.is_set()
            self._beat()
            if last:
                return
            self._closed.wait(self._every)

    def _beat(self) -> None:
        body = _hidden(self._status.heartbeat(), self._secrets).model_dump_json(by_alias=True).encode()
        try:
            request = urllib.request.Request(self._url, data=body, headers=self._headers(), method="POST")  # noqa: S310
            with self._opener().open(request, timeout=_TIMEOUT) as answer:
                directive = HeartbeatAnswer.from_json(answer.read(_MOST_BYTES)).directive
        except (OSError, ValueError, http.client.HTTPException, ValidationError) as error:
            self._failed(error)
            return
        if self._failures:
            _log.info("the status server answers again after %d heartbeats", self._failures)
        self._failures = 0
        self._on_directive(directive)

    def _opener(self) -> urllib.request.OpenerDirector:
        # Straight to the server: it is in the cluster or on this machine, never behind a proxy. Made
        # each time, as the token is read: certificates are replaced while the pod runs.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._url.startswith("https:"):
            context = ssl.create_default_context(cafile=str(self._ca) if self._ca else None)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        return urllib.request.build_opener(*handlers)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            # Read each time: a projected token is replaced while the pod runs.
            headers["Authorization"] = f"Bearer {self._token.read_text().strip()}"
        return headers

    def _failed(self, error: Exception) -> None:
        self._status.heartbeat_failures += 1
        if self._failures % _QUIET == 0:
            _log.warning("the status server did not take a heartbeat (%s); training goes on", error)
        self._failures += 1


def _hidden(beat: Heartbeat, secrets: Secrets) -> Heartbeat:
    """What is said in words goes into conditions and events, for more people than logs are for."""
    said = {
        "sync": beat.sync.model_copy(update={"message": secrets.hide(beat.sync.message)}),
        "damaged": [one.model_copy(update={"message": secrets.hide(one.message)}) for one in beat.damaged],
    }
    return beat.model_copy(update=said)

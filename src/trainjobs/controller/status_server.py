"""Where agents report to: a pod speaks for its own run and attempt, and is told what to do.

POST /heartbeat with `Authorization: Bearer TOKEN`, TLS only. The token says which pod asks; which run,
attempt and node that pod is, is known from the API server and from nothing that it says itself.
"""

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from trainjobs.controller.directives import Directives
from trainjobs.controller.heartbeats import Heartbeats
from trainjobs.controller.keys import RunKey
from trainjobs.controller.pods import PodLookup
from trainjobs.controller.runs import RunTable
from trainjobs.controller.settings import StatusServerSettings
from trainjobs.controller.tokens import BadToken, TokenVerifier
from trainjobs.core.reports import Heartbeat, HeartbeatAnswer
from trainjobs.errors import UsageError
from trainjobs.kube.errors import KubeError

_log = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024


class StatusServer:
    """Takes heartbeats in."""

    def __init__(
        self,
        *,
        verifier: TokenVerifier,
        pods: PodLookup,
        table: RunTable,
        heartbeats: Heartbeats,
        directives: Directives,
        wake: Callable[[RunKey], None],
        heard: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._verifier = verifier
        self._pods = pods
        self._table = table
        self._heartbeats = heartbeats
        self._directives = directives
        self._wake = wake
        self._heard = heard
        self._clock = clock

    @contextlib.asynccontextmanager
    async def serving(self, settings: StatusServerSettings) -> AsyncIterator[int]:
        """Serve for the length of a block; the port.

        Raises:
            UsageError: the certificate cannot be used, or the port is taken.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, settings)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/heartbeat", self._handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        reloading = asyncio.create_task(_reload(context, settings), name="certificate")
        try:
            site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
            try:
                await site.start()
            except OSError as error:
                raise UsageError(
                    f"statusServer.port: cannot listen on {settings.host}:{settings.port} ({error.strerror})"
                ) from None
            yield int(runner.addresses[0][1])
        finally:
            reloading.cancel()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self._refuse(401, "Unauthenticated", "show the pod's token: Authorization: Bearer …")
        try:
            claims = await self._verifier.verify(token.strip())
        except BadToken as error:
            return self._refuse(401, "Unauthenticated", str(error))
        except KubeError as error:
            _log.warning("heartbeats cannot be checked: %s", error)
            return self._refuse(503, "Unavailable", "the cluster's keys cannot be had; try again")
        try:
            beat = Heartbeat.from_json(await request.read())
        except ValidationError:
            return self._refuse(400, "Malformed", "not a heartbeat that this version understands")
        try:
            node = await self._pods.identify(claims)
        except KubeError:
            return self._refuse(503, "Unavailable", "the API server does not answer; try again")
        if node is None:
            return self._refuse(403, "Forbidden", "this pod belongs to no run")
        if (node.run_uid, node.attempt, node.node_rank) != (beat.run_uid, beat.attempt, beat.node_rank):
            return self._refuse(403, "Forbidden", "a pod speaks for its own run, attempt and node only")
        # Also of a run that is gone already: the look that this asks for forgets it again.
        self._table.met(node.key, node.run_uid)
        if self._heartbeats.hear(beat, self._clock()):
            self._wake(node.key)
        self._heard("Taken")
        answer = HeartbeatAnswer(directive=self._directives.directive(node, beat))
        return web.json_response(answer.model_dump(by_alias=True, mode="json"))

    def _refuse(self, status: int, outcome: str, message: str) -> web.Response:
        self._heard(outcome)
        return web.json_response({"error": message}, status=status)


def _load(context: ssl.SSLContext, settings: StatusServerSettings) -> None:
    try:
        context.load_cert_chain(settings.certificate, settings.key or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"statusServer.certificate: {settings.certificate} cannot be used ({error})"
        ) from None


async def _reload(context: ssl.SSLContext, settings: StatusServerSettings) -> None:
    """Take up a renewed certificate, once agents know who signed it; connections from then on get it."""
    file = Path(settings.certificate)
    used = seen = file.stat().st_mtime_ns
    since = monotonic()
    while True:
        await asyncio.sleep(min(settings.reload_seconds, settings.handover_seconds or math.inf))
        try:
            found = file.stat().st_mtime_ns
            if found != seen:
                seen, since = found, monotonic()
            if seen != used and monotonic() >= since + settings.handover_seconds:
                # On one of its own first: half of a pair would leave the other without a key.
                _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
                _load(context, settings)
                used = seen
                _log.info("the status server shows its new certificate")
        except (OSError, UsageError) as error:
            _log.warning("the old certificate is kept: %s", error)

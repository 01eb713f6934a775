"""/healthz, /readyz and /metrics: whether this replica works, could work, and what it has done."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web

from trainjobs.errors import UsageError

LONGEST_WORK: Final = 180.0
"""Seconds that one look at a run may take; it is given up well before."""
LONGEST_WAIT: Final = 600.0
"""Seconds that a run may wait for a worker."""


class Health:
    """What is said of this replica. That it answers at all says that its event loop runs."""

    def __init__(self) -> None:
        self.ready_problem: Callable[[], str] = lambda: "is starting"
        self.live_problem: Callable[[], str] = lambda: ""

    @contextlib.asynccontextmanager
    async def serving(self, host: str, port: int, metrics: Callable[[], bytes]) -> AsyncIterator[int]:
        """Serve for the length of a block; the port.

        Raises:
            UsageError: the port is taken.
        """

        async def live(_: web.Request) -> web.Response:
            return _answer(self.live_problem())

        async def ready(_: web.Request) -> web.Response:
            return _answer(self.live_problem() or self.ready_problem())

        async def text(_: web.Request) -> web.Response:
            content = "text/plain; version=0.0.4; charset=utf-8"
            return web.Response(body=metrics(), headers={"Content-Type": content})

        app = web.Application()
        app.router.add_get("/healthz", live)
        app.router.add_get("/readyz", ready)
        app.router.add_get("/metrics", text)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise UsageError(f"metricsPort: cannot listen on {host}:{port} ({error.strerror})") from None
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


def _answer(problem: str) -> web.Response:
    return web.Response(status=503 if problem else 200, text=(problem or "ok") + "\n")

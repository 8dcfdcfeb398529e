"""The dashboard as an ASGI application: the table of pages, the files they need, safe headers.

No page loads anything from elsewhere, and the headers forbid it: there may be no internet, and
nobody outside shall learn that somebody looked.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware.base.dashboard.pages import PAGES
from firmware.base.dashboard.passwords import Passwords
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import endpoint
from firmware.base.settings import BaseSettings

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


def make_app(settings: BaseSettings, now_s: Callable[[], float], passwords: Passwords) -> Starlette:
    """The application; its lifespan opens and closes the books."""
    site = Site(settings, now_s, passwords)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await site.open()
        watching = asyncio.create_task(site.watch.run())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await site.close()

    async def plain_error(request: Request, problem: Exception) -> Response:
        status = problem.status_code if isinstance(problem, HTTPException) else 500
        return Response(f"{status}\n", status, media_type="text/plain")

    app = Starlette(
        routes=[
            *(Route(page.path, endpoint(site, page), methods=[page.method]) for page in PAGES),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: plain_error},
    )
    app.router.redirect_slashes = False  # it would believe the Host header
    app.add_middleware(SafeHeaders)
    return app


class SafeHeaders:
    """Puts HEADERS on every answer, and keeps pages out of caches unless they say otherwise; files
    without secrets may be kept, and are asked for each time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                static = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
            await send(message)

        await self._app(scope, receive, safe if scope["type"] == "http" else send)

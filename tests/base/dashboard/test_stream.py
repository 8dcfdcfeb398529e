"""`/live` through the whole application: what a browser's EventSource gets."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from firmware.base.dashboard.accounts import Accounts
from firmware.base.dashboard.app import make_app
from firmware.base.dashboard.passwords import Passwords
from tests.base.dashboard.conftest import CHEAP, NOW_S, Base, make_settings
from tests.base.survey.survey_store import put, seen

Messages = asyncio.Queue[MutableMapping[str, Any]]


async def listen(
    data_dir: Path, token: str, work: Callable[[Messages], Awaitable[None]], query: bytes = b""
) -> None:
    """Open the stream on an application of its own, and close it after `work`."""
    app = make_app(make_settings(data_dir), lambda: NOW_S, Passwords(CHEAP))
    sent: Messages = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "GET", "path": "/live", "raw_path": b"/live", "root_path": "",
        "query_string": query, "scheme": "https", "server": ("base.test", 443),
        "client": ("10.0.0.1", 1), "http_version": "1.1", "asgi": {"version": "3.0"},
        "headers": [(b"cookie", f"__Host-rosette={token}".encode())],
    }  # fmt: skip
    async with app.router.lifespan_context(app), asyncio.timeout(10):
        serving = asyncio.create_task(app(scope, receive, sent.put))
        await work(sent)
        gone.set()
        await serving


def session(base: Base) -> str:
    with Accounts(base.data_dir) as accounts:
        return accounts.begin("viewer", NOW_S)


def test_a_listener_is_told_of_what_it_has_not_seen_and_of_what_comes(base: Base) -> None:
    async def work(sent: Messages) -> None:
        start = await sent.get()
        assert start["status"] == 200
        assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
        assert (await sent.get())["body"] == b"retry: 3000\n\n"
        first = (await sent.get())["body"]
        put(base.data_dir, seen(90, NOW_S))
        second = (await sent.get())["body"]
        assert first.startswith(b"id: 18.") and second.startswith(b"id: 19.")
        assert b"\nevent: changed\n" in second

    asyncio.run(listen(base.data_dir, session(base), work, b"since=1.1"))


def test_without_a_session_there_is_no_stream(base: Base) -> None:
    async def work(sent: Messages) -> None:
        assert (await sent.get())["status"] == 303

    asyncio.run(listen(base.data_dir, "guess", work))

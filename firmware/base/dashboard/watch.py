"""Tells open pages that something new is stored, whichever process stored it.

SQLite says by a number in shared memory whether another connection has committed; it is looked at
twice a second, and only while somebody has a page open. One look serves all of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from firmware.base.store import StoreError

LOOK_S = 0.5
KEEPALIVE_S = 20.0
MOST_LISTENERS = 200

log = logging.getLogger(__name__)


class Watch:
    """`mark` says where the store stands; `run` is the one task that asks it."""

    def __init__(self, mark: Callable[[], Awaitable[str]], look_s: float = LOOK_S) -> None:
        self._mark, self._look_s = mark, look_s
        self._last = ""
        self._news = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._listeners = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                mark = await self._mark()
            except StoreError as error:  # the disk may come back; pages say so themselves
                log.warning("not_watched reason=%s", error)
                mark = self._last
            if mark != self._last:
                async with self._news:
                    self._last = mark
                    self._news.notify_all()
            await asyncio.sleep(self._look_s)

    @property
    def full(self) -> bool:
        """Whether there are as many listeners as a small machine should have."""
        return self._listeners >= MOST_LISTENERS

    async def stream(
        self, seen: str, allowed: Callable[[], Awaitable[bool]], keepalive_s: float = KEEPALIVE_S
    ) -> AsyncIterator[str]:
        """Server-sent events: `changed` with each mark other than the one last seen. Ends when the
        listener is not allowed any more."""
        with self._listening():
            yield "retry: 3000\n\n"
            while True:
                mark = await self._other_than(seen, keepalive_s)
                if not await allowed():
                    return
                if mark is None:
                    yield ": still here\n\n"
                else:
                    seen = mark
                    yield f"id: {mark}\nevent: changed\ndata: {mark}\n\n"

    async def _other_than(self, seen: str, timeout_s: float) -> str | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: self._last not in ("", seen))
                return self._last
        return None

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._wanted.clear()

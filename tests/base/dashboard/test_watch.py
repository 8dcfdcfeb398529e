"""Open pages learn that something came, whichever process stored it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from firmware.base.dashboard.books import Books
from firmware.base.dashboard.watch import Watch
from firmware.base.store import StoreError
from tests.base.dashboard.conftest import NOW_S, Base, make_settings
from tests.base.survey.survey_store import put, seen


async def yes() -> bool:
    return True


async def watching(
    watch: Watch, work: Callable[[AsyncIterator[str]], Awaitable[None]], seen_mark: str = "1.1",
    allowed: Callable[[], Awaitable[bool]] = yes, keepalive_s: float = 20.0,
) -> None:  # fmt: skip
    task = asyncio.create_task(watch.run())
    stream = watch.stream(seen_mark, allowed, keepalive_s)
    try:
        async with asyncio.timeout(5):
            await work(stream)
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
        task.cancel()


def test_a_page_that_is_behind_is_told_at_once_and_then_of_each_change() -> None:
    marks = iter(["2.1", "2.1", "3.1"])
    last = ["3.1"]

    async def mark() -> str:
        last[0] = next(marks, last[0])
        return last[0]

    async def work(stream: AsyncIterator[str]) -> None:
        assert await anext(stream) == "retry: 3000\n\n"
        assert await anext(stream) == "id: 2.1\nevent: changed\ndata: 2.1\n\n"
        assert await anext(stream) == "id: 3.1\nevent: changed\ndata: 3.1\n\n"

    asyncio.run(watching(Watch(mark, look_s=0.001), work))


def test_nobody_is_asked_while_no_page_is_open() -> None:
    asked = []

    async def mark() -> str:
        asked.append(1)
        return "1.1"

    async def main() -> None:
        watch = Watch(mark, look_s=0.0)
        task = asyncio.create_task(watch.run())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not asked
        stream = watch.stream("", yes)
        await anext(stream)
        await anext(stream)
        assert asked
        await stream.aclose()  # type: ignore[attr-defined]
        asked.clear()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(asked) <= 1
        task.cancel()

    asyncio.run(main())


def test_a_session_that_has_ended_hears_nothing_more() -> None:
    async def mark() -> str:
        return "2.1"

    async def no() -> bool:
        return False

    async def work(stream: AsyncIterator[str]) -> None:
        assert [part async for part in stream] == ["retry: 3000\n\n"]

    asyncio.run(watching(Watch(mark), work, allowed=no))


def test_a_quiet_stream_says_that_it_lives() -> None:
    async def mark() -> str:
        return "1.1"

    async def work(stream: AsyncIterator[str]) -> None:
        await anext(stream)
        assert await anext(stream) == ": still here\n\n"

    asyncio.run(watching(Watch(mark), work, keepalive_s=0.01))


def test_a_disk_that_fails_for_a_moment_ends_no_stream() -> None:
    troubles = [StoreError("busy")]

    async def mark() -> str:
        if troubles:
            raise troubles.pop()
        return "2.1"

    async def work(stream: AsyncIterator[str]) -> None:
        await anext(stream)
        assert "2.1" in await anext(stream)

    asyncio.run(watching(Watch(mark, look_s=0.001), work))


def test_the_mark_changes_with_what_another_connection_stores(base: Base) -> None:
    with Books(make_settings(base.data_dir)) as books:
        books.fresh()
        before = books.mark()
        put(base.data_dir, seen(60, NOW_S))
        books.fresh()
        assert books.mark() != before
        rows = books.db.execute("SELECT count(*) FROM observation WHERE sighting = 60").fetchone()
        assert rows == (1,)

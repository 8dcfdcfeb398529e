"""What all pages share: the books on their one thread, the templates, the words, the clock.

Every question to the books goes through `ask`, so that SQLite's connections stay on one thread and
the event loop never waits for a disk.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import jinja2

from firmware.base.dashboard import show
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.passwords import Passwords
from firmware.base.dashboard.rate import Limit
from firmware.base.dashboard.render import Cache
from firmware.base.dashboard.watch import Watch
from firmware.base.dashboard.words import Words, load_words
from firmware.base.settings import BaseSettings

TEMPLATES = Path(__file__).parent / "templates"
LIMIT_WINDOW_S = 900.0
T = TypeVar("T")


class Site:
    """One running dashboard."""

    def __init__(
        self, settings: BaseSettings, now_s: Callable[[], float], passwords: Passwords
    ) -> None:
        self.settings, self.now_s, self.passwords = settings, now_s, passwords
        self.words: Mapping[str, Words] = load_words()
        self.cache = Cache()
        self.by_name, self.by_address = Limit(10, LIMIT_WINDOW_S), Limit(30, LIMIT_WINDOW_S)
        self.watch = Watch(self._mark)
        self._thread = ThreadPoolExecutor(1, "books")
        self._painters = ThreadPoolExecutor(2, "pictures")
        self._books: Books | None = None
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True,
            lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        )  # fmt: skip
        self._templates.filters |= show.FILTERS

    async def open(self) -> None:
        """Open the books. Raises StoreError or AccountError."""
        self._books = await self._run(lambda: Books(self.settings))

    async def close(self) -> None:
        """Close them and end the threads."""
        books = self._books
        if books is not None:
            await self._run(lambda: books.__exit__())
        self._thread.shutdown()
        self._painters.shutdown()

    async def ask(self, work: Callable[[Books], T]) -> T:
        """What `work` finds in the books."""
        books = self._books
        assert books is not None, "the site is not open"
        return await self._run(lambda: work(books))

    async def paint(self, work: Callable[[], T]) -> T:
        """What takes a processor for a while, beside the books' thread."""
        return await asyncio.get_running_loop().run_in_executor(self._painters, work)

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """A page as HTML."""
        return self._templates.get_template(template).render(values)

    async def _mark(self) -> str:
        def work(books: Books) -> str:
            books.fresh()
            return books.mark()

        return await self.ask(work)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

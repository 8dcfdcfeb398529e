"""Everything that pages read and write, opened once. Belongs to one thread (site.py sees to it).

`fresh` reads what other processes have stored since: the receiver's messages are pages' news.
"""

import sqlite3
from contextlib import ExitStack
from typing import Self

from firmware.base.command import BOOK, CommandBook, Issued, list_issued
from firmware.base.dashboard.accounts import Accounts
from firmware.base.settings import BaseSettings
from firmware.base.store import BUSY_TIMEOUT_S, DATABASE
from firmware.base.survey.book import Survey
from firmware.base.survey.reading import Reader


class Books:
    """The open books; a context manager. Raises StoreError or AccountError."""

    def __init__(self, settings: BaseSettings) -> None:
        self._folder = folder = settings.store.data_dir
        with ExitStack() as opened:
            self.survey = opened.enter_context(Survey(folder, settings.survey.independence_s))
            self.accounts = opened.enter_context(Accounts(folder))
            self.commands = opened.enter_context(CommandBook(folder))
            self.reader = opened.enter_context(Reader(folder))
            uri = f"{(folder / DATABASE).resolve().as_uri()}?mode=ro"
            self.db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            opened.callback(self.db.close)
            self._opened = opened.pop_all()
        self._version = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def fresh(self) -> None:
        """Take in what was stored since the last call; costs next to nothing when that is
        nothing."""
        (version,) = self.db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.survey.catch_up()
            self._version = version

    def mark(self) -> str:
        """Changes when anything was stored or said."""
        raw, said = self.db.execute(
            "SELECT (SELECT coalesce(max(seq), 0) FROM raw),"
            " (SELECT coalesce(max(seq), 0) FROM statement)"
        ).fetchone()
        return f"{raw}.{said}"

    def asked(self, unit: str, sighting: int) -> list[Issued]:
        """What the unit was told to send of this sighting."""
        if not (self._folder / BOOK).exists():
            return []
        return [
            one for one in list_issued(self._folder, unit)
            if one.command.action == "frame" and one.command.sighting == sighting
        ]  # fmt: skip

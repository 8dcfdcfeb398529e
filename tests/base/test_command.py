"""Commands at the base: their numbers, what is kept of them, the words of `rosette base command`,
and when the receiver's process says them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.base.command import (
    BOOK,
    WHY,
    BookError,
    CommandBook,
    find_issued,
    list_issued,
)
from firmware.base.command_line import BadWords, arguments, give, seconds, text
from firmware.base.dispatch import AGAIN_S, Dispatcher
from firmware.base.mqtt import Down, Taken, Up
from firmware.base.store import Arrival, Store
from firmware.cli import main
from firmware.wire.commands import REASONS, Action, Command, CommandResult
from firmware.wire.errors import WireError
from firmware.wire.records import Status, load_record
from firmware.wire.topics import command_topic
from tests.base.pictures import health, report_arrival, sighting, sighting_arrival, status_arrival

NOW_S = 1_800_000_000.0
WEEK_S = 7 * 86400.0


def issue(book: CommandBook, unit: str = "T0007", now_s: float = NOW_S, **more: Any) -> Command:
    return book.issue(unit, "unmute", {}, now_s, more.get("valid_s", WEEK_S))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[CommandBook]:
    with CommandBook(tmp_path) as opened:
        yield opened


def test_numbers_rise_for_each_unit_whatever_the_clock_does(book: CommandBook) -> None:
    first = issue(book)
    assert (first.number, first.issued_s, first.expires_s) == (NOW_S, NOW_S, NOW_S + WEEK_S)
    assert issue(book).number == NOW_S + 1
    assert issue(book, now_s=5.0).number == NOW_S + 2
    assert issue(book, now_s=NOW_S + 100).number == NOW_S + 100
    assert issue(book, "T0008", now_s=6.0).number == 6


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=12))
def test_no_number_comes_twice_also_from_processes_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("book")
    numbers = []
    for now_s in times:
        with CommandBook(folder) as book:
            numbers.append(issue(book, now_s=float(now_s)).number)
    assert numbers == sorted(set(numbers))


def test_a_base_with_a_new_disk_goes_on_above(tmp_path: Path) -> None:
    with CommandBook(tmp_path) as book:
        last = [issue(book) for _ in range(3)][-1]
    (tmp_path / "new").mkdir()
    with CommandBook(tmp_path / "new") as book:
        assert issue(book, now_s=NOW_S + 60).number > last.number


def test_what_is_no_command_takes_no_number(book: CommandBook) -> None:
    with pytest.raises(WireError):
        book.issue("T0007", "mute", {"seconds": 0}, NOW_S, WEEK_S)
    with pytest.raises(WireError):
        issue(book, "T0000")
    assert book.open_commands(NOW_S) == []
    assert issue(book).number == NOW_S


def test_a_command_is_open_until_it_is_answered_or_expired(book: CommandBook) -> None:
    one, two = issue(book, valid_s=60.0), issue(book)
    assert book.open_commands(NOW_S) == [one, two]
    book.answered(7, two.number)
    assert book.open_commands(NOW_S) == [one]
    assert book.open_commands(NOW_S + 60) == []


def test_an_answer_of_which_only_the_store_knows_counts(tmp_path: Path) -> None:
    with Store(tmp_path) as store, CommandBook(tmp_path) as book:
        one, two = issue(book), issue(book)
        store.put([report_arrival(CommandResult("T0007", one.number, 5, "done"))])
        assert book.open_commands(NOW_S) == [two]


def test_what_became_of_a_command_can_be_listed(tmp_path: Path) -> None:
    with Store(tmp_path) as store, CommandBook(tmp_path) as book:
        one, two = issue(book), issue(book, "T0008")
        book.taken(7, one.number, NOW_S)
        answer = CommandResult("T0007", one.number, 5, "refused", "stale", expiry_ignored=True)
        store.put([report_arrival(answer)])
        first, second = list_issued(tmp_path)
        assert (first.command, first.taken, first.answer) == (one, True, answer)
        assert (second.command, second.taken, second.answer) == (two, False, None)
        assert [issued.command for issued in list_issued(tmp_path, "T0008")] == [two]
        assert find_issued(tmp_path, two) == second
        assert text(first).endswith(
            "unmute: refused: a later command was there first; give it again"
            " (the unit does not know the time)"
        )
        assert text(second).endswith("unmute: not sent yet")


def test_every_reason_of_a_unit_has_words() -> None:
    assert WHY.keys() == set(REASONS)


def test_a_book_that_cannot_be_used_is_said_by_name(tmp_path: Path) -> None:
    with CommandBook(tmp_path / "missing") as book, pytest.raises(BookError, match="has the base"):
        issue(book)
    (tmp_path / BOOK).write_bytes(b"no database" * 100)
    with CommandBook(tmp_path) as book, pytest.raises(BookError, match=BOOK):
        book.open_commands(NOW_S)
    with pytest.raises(BookError, match=BOOK):
        list_issued(tmp_path)


@pytest.mark.parametrize(
    ("action", "words", "told"),
    [("frame", "123", {"sighting": 123}), ("frame", "T0007-000123", {"sighting": 123}),
     ("frame", "0000123 2", {"sighting": 123, "index": 2}),
     ("threshold", "leopard 0.65", {"label": "leopard", "value": 0.65}),
     ("threshold", "leopard 0.123456", {"label": "leopard", "value": 0.123}),
     ("threshold", "leopard config", {"label": "leopard", "value": None}),
     ("interval", "30m", {"seconds": 1800}), ("interval", "config", {"seconds": None}),
     ("mute", "7d", {"seconds": 604800}), ("reboot", "", {}), ("unmute", "", {})],
)  # fmt: skip
def test_words_make_a_command(action: Action, words: str, told: dict[str, object]) -> None:
    assert arguments(action, tuple(words.split())) == told


@pytest.mark.parametrize(
    ("action", "words"),
    [("frame", ""), ("frame", "x"), ("frame", "1 x"), ("frame", "1 2 3"), ("threshold", "leopard"),
     ("threshold", "leopard much"), ("interval", ""), ("interval", "1w"), ("mute", ""),
     ("mute", "config"), ("mute", "-5"), ("reboot", "now"), ("unmute", "1h")],
)  # fmt: skip
def test_other_words_are_refused(action: Action, words: str) -> None:
    with pytest.raises(BadWords):
        arguments(action, tuple(words.split()))


@pytest.mark.parametrize(
    ("given", "meant"), [("90", 90), ("90s", 90), ("2m", 120), ("2h", 7200), ("1d", 86400)]
)
def test_durations(given: str, meant: int) -> None:
    assert seconds(given) == meant


@pytest.mark.parametrize(
    ("action", "words"),
    [("threshold", "leopard 0.99"), ("threshold", "leopard nan"), ("threshold", "deer 1.5"),
     ("mute", "8d"), ("interval", "59"), ("frame", "5 300"), ("frame", "4294967296")],
)  # fmt: skip
def test_what_every_unit_refuses_is_not_even_given(
    tmp_path: Path, action: Action, words: str
) -> None:
    with pytest.raises((BadWords, WireError)):
        give(tmp_path, "T0007", action, tuple(words.split()), NOW_S, WEEK_S)
    assert not (tmp_path / BOOK).exists()


class NotedLink:
    """A connection that carries nothing."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Command]] = []
        self.unsettled = 0

    def order(self, topic: str, payload: bytes) -> int:
        self.said.append((topic, load_record(payload, Command)))
        self.unsettled += 1
        return len(self.said)

    def settled(self) -> None:
        self.unsettled -= 1

    def numbers(self) -> list[int]:
        return [command.number for _, command in self.said]


class Bench:
    """A dispatcher on a connection that is up, and a book of another process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock_s, self.now_s = folder, 50.0, NOW_S
        self.book = CommandBook(folder)
        self.dispatcher = Dispatcher(CommandBook(folder), lambda: self.now_s, lambda: self.clock_s)
        self.connect()

    def connect(self) -> None:
        self.link = NotedLink()
        self.dispatcher.use(self.link)
        self.dispatcher.step(Up(self.link))

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock_s += 1
            self.now_s += 1
            assert self.dispatcher.step(None) is not None

    def hear(self, arrival: Arrival) -> None:
        self.dispatcher.stored([arrival])
        self.dispatcher.step(None)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Store(tmp_path):
        pass
    made = Bench(tmp_path)
    yield made
    made.book.__exit__()
    made.dispatcher._book.__exit__()


def test_a_command_is_said_soon_after_it_is_given_in_order_and_once(bench: Bench) -> None:
    given = [issue(bench.book) for _ in range(3)]
    bench.run(200)
    assert bench.link.said == [(command_topic(7), command) for command in given]


def test_it_is_said_again_when_the_connection_is_new(bench: Bench) -> None:
    given = issue(bench.book)
    bench.run(2)
    bench.dispatcher.step(Down(bench.link, "gone"))
    assert bench.dispatcher.step(None) is None
    bench.connect()
    assert bench.link.numbers() == [given.number]


def test_it_is_said_again_when_its_unit_is_heard_of_but_not_all_the_time(bench: Bench) -> None:
    given = issue(bench.book)
    bench.run(2)
    bench.hear(status_arrival(Status("T0007", "online", 1.7e9)))
    bench.hear(report_arrival(health()))
    assert len(bench.link.said) == 1
    bench.run(AGAIN_S)
    assert bench.link.numbers() == [given.number] * 2, "the unit came in between"
    bench.run(3600)
    bench.hear(sighting_arrival(sighting(unit="T0008")))
    assert len(bench.link.said) == 2
    bench.hear(sighting_arrival(sighting()))
    assert len(bench.link.said) == 3


def test_an_answer_ends_it_and_so_does_its_time(bench: Bench) -> None:
    one = issue(bench.book)
    issue(bench.book, valid_s=30.0)
    bench.run(1)
    bench.hear(report_arrival(CommandResult("T0007", one.number, 5, "done")))
    bench.run(100)
    bench.hear(report_arrival(health()))
    assert len(bench.link.said) == 2
    assert bench.book.open_commands(NOW_S) != [] == bench.book.open_commands(bench.now_s)
    bench.connect()
    assert bench.link.said == []


def test_what_the_broker_says_of_it_is_kept_or_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = issue(bench.book), issue(bench.book)
    bench.run(1)
    bench.dispatcher.step(Taken(bench.link, 1, None))
    bench.dispatcher.step(Taken(bench.link, 2, "Not authorized"))
    bench.dispatcher.step(Taken(bench.link, 99, None))
    bench.dispatcher.step(Taken(object(), 2, None))
    assert bench.link.unsettled == 0
    taken = {issued.command.number: issued.taken for issued in list_issued(bench.folder)}
    assert taken == {one.number: True, two.number: False}
    assert [r.levelname for r in caplog.records if "command_refused" in r.message] == ["ERROR"]


def test_a_book_that_fails_is_told_once_and_does_not_stop_the_receiver(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / BOOK).write_bytes(b"no database" * 100)
    bench = Bench(tmp_path)
    bench.run(10)
    bench.hear(report_arrival(CommandResult("T0007", 5, 5, "done")))
    assert [r.levelname for r in caplog.records].count("ERROR") == 1
    (tmp_path / BOOK).unlink()
    given = issue(bench.book)
    bench.run(2)
    assert bench.link.numbers() == [given.number]
    bench.book.__exit__()
    bench.dispatcher._book.__exit__()


def rosette(tmp_path: Path, *words: str) -> Result:
    config = tmp_path / "base.toml"
    config.write_text(f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{tmp_path / "data"}"\n')
    return CliRunner().invoke(main, ["base", *words, "--config", str(config)])


@pytest.mark.parametrize(
    "words", ["T0007 mute 8d", "T0007 frame", "T0000 reboot", "T0007 reboot --valid soon"]
)
def test_bad_words_end_the_command_with_status_2_and_one_line(tmp_path: Path, words: str) -> None:
    result = rosette(tmp_path, "command", *words.split())
    assert result.exit_code == 2 and "Error: " in result.stderr


def test_a_base_that_never_ran_is_named(tmp_path: Path) -> None:
    result = rosette(tmp_path, "command", "T0007", "reboot")
    assert result.exit_code == 1 and "has the base run?" in result.stderr


def test_an_answer_decides_the_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.cli.base.BROKER_S", 0.0)
    with Store(tmp_path / "data") as store:
        given = rosette(tmp_path, "command", "T0007", "threshold", "leopard", "0.6")
        assert given.exit_code == 0 and "threshold leopard 0.6: not sent yet" in given.stdout
        assert "is `rosette base run` at work?" in given.stderr
        waited = rosette(tmp_path, "command", "T0007", "unmute", "--wait", "0.1")
        assert waited.exit_code == 1 and "no answer yet" in waited.stderr
        with closing(sqlite3.connect(tmp_path / "data" / BOOK)) as db:
            (number,) = db.execute("SELECT max(number) FROM command").fetchone()
        for later, outcome in ((1, "done"), (2, "expired")):
            store.put([report_arrival(CommandResult("T0007", number + later, 5, outcome))])  # type: ignore[arg-type]
    for status, word in ((0, "done"), (1, "expired")):
        monkeypatch.setattr("time.time", lambda: number - 100.0)
        result = rosette(tmp_path, "command", "T0007", "reboot", "--wait", "5")
        assert (result.exit_code, f"reboot: {word}" in result.stdout) == (status, True)
    listed = rosette(tmp_path, "commands", "T0007")
    assert listed.exit_code == 0 and len(listed.stdout.splitlines()) == 4
    assert rosette(tmp_path, "commands", "T0008").stdout == ""

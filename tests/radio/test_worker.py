"""The thread that owns a radio: every send is answered once, and a radio that fails comes back."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firmware.loop import Events, Stop
from firmware.radio.port import Heard, Radio, RadioBusy, RadioError, RadioGone, Tuning
from firmware.radio.worker import (
    NotSent,
    RadioDown,
    RadioUp,
    RadioWorker,
    Received,
    Sent,
    retry_s,
)
from firmware.sim.radio import EtherRadio
from firmware.wire.airtime import Modulation
from tests.radio.air import QuickAir

SPEED, WAIT_S = 1000.0, 20.0
TUNING = Tuning(868_900_000, Modulation(), 14)


class Bench:
    """A worker with an EtherRadio, and a peer on the same air."""

    def __init__(self, open: Callable[[Radio], Radio] = lambda radio: radio, **how: Any) -> None:
        self.air = QuickAir()
        self.radio = EtherRadio(self.air, "radio", SPEED)
        self.inbox: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.peer = self.air.attach("peer", self.inbox.put)
        self.peer.listen(TUNING.frequency_hz, TUNING.modulation)
        self.events: Events = Events()
        how = {"retry_least_s": 0.01, "retry_most_s": 0.02} | how
        self.worker = RadioWorker(lambda: open(self.radio), TUNING, self.events, **how)

    def next(self) -> Any:
        return self.events.get(timeout=WAIT_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    assert bench.next() == RadioUp()
    yield bench
    bench.worker.close()
    assert bench.events.empty()


def test_it_says_when_it_is_up_then_sends_in_order_and_answers_each(bench: Bench) -> None:
    for token in range(20):
        bench.worker.send(bytes([token]), token)
    assert [bench.next() for _ in range(20)] == [Sent(token) for token in range(20)]
    assert [bench.inbox.get(timeout=WAIT_S).frame[0] for _ in range(20)] == list(range(20))


def test_it_listens_whenever_it_does_not_send(bench: Bench) -> None:
    for number in range(20):
        bench.peer.transmit(b"down%d" % number, TUNING)
        assert bench.next() == Received(Heard(b"down%d" % number, -77.0, 9.0))
        bench.worker.send(b"up", number)
        assert bench.next() == Sent(number)


def test_unplugged_every_send_is_answered_at_once_and_replugged_it_works() -> None:
    bench = Bench(retry_least_s=0.01)
    assert bench.next() == RadioUp()
    bench.radio.unplug()
    assert bench.next() == RadioDown("radio is unplugged")
    bench.worker.send(b"x", 7)
    seen = [bench.next()]
    while not isinstance(seen[-1], NotSent):
        seen.append(bench.next())
    assert seen[-1] == NotSent(7, seen[-1].reason, gone=True)
    bench.radio.plug()
    while bench.next() != RadioUp():
        pass
    bench.worker.send(b"again", 8)
    assert bench.next() == Sent(8)
    bench.worker.close()


class Scripted:
    """A radio whose calls fail as the script says; receives nothing."""

    max_frame_bytes = 250

    def __init__(self, **fails: Exception) -> None:
        self.fails, self.calls = fails, list[str]()
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        error = self.fails.pop(name, None)
        if error is not None:
            raise error

    def tune(self, tuning: Tuning) -> None:
        self._call("tune")

    def send(self, frame: bytes) -> None:
        self._call("send")

    def receive(self, timeout_s: float) -> Heard | None:
        self._call("receive")
        with contextlib.suppress(queue.Empty):
            self._woken.get(timeout=timeout_s)
        return None

    def interrupt(self) -> None:
        self._woken.put(None)

    def close(self) -> None:
        self.calls.append("close")


def started(radio: Radio, **how: Any) -> tuple[RadioWorker, Events]:
    events: Events = Events()
    how = {"retry_least_s": 0.01, "retry_most_s": 0.02} | how
    return RadioWorker(lambda: radio, TUNING, events, **how), events


@pytest.mark.parametrize("error", [RadioBusy("busy"), RadioError("no TX done")])
def test_a_send_that_fails_is_told_and_the_radio_is_kept(error: RadioError) -> None:
    radio = Scripted(send=error)
    worker, events = started(radio)
    assert events.get(timeout=WAIT_S) == RadioUp()
    worker.send(b"x", 1)
    worker.send(b"x", 2)
    assert events.get(timeout=WAIT_S) == NotSent(1, str(error), gone=False)
    assert events.get(timeout=WAIT_S) == Sent(2)
    assert "close" not in radio.calls
    worker.close()
    assert radio.calls[-1] == "close"


def test_a_radio_gone_during_a_send_is_told_and_opened_again() -> None:
    worker, events = started(Scripted(send=RadioGone("pulled out")))
    worker.send(b"x", 1)
    assert [events.get(timeout=WAIT_S) for _ in range(4)] == [
        RadioUp(), NotSent(1, "pulled out", gone=True), RadioDown("pulled out"), RadioUp(),
    ]  # fmt: skip
    worker.send(b"x", 2)
    assert events.get(timeout=WAIT_S) == Sent(2)
    worker.close()


@pytest.mark.parametrize("call", ["tune", "receive"])
def test_a_radio_that_fails_otherwise_is_opened_again_too(call: str) -> None:
    worker, events = started(Scripted(**{call: RadioError("does not answer")}))
    seen = [events.get(timeout=WAIT_S) for _ in range(2 if call == "tune" else 3)]
    assert seen[-2:] == [RadioDown("does not answer"), RadioUp()]
    worker.close()


def test_an_idle_radio_is_set_up_again_from_time_to_time() -> None:
    radio = Scripted()
    worker, events = started(radio, idle_s=0.01)
    assert events.get(timeout=WAIT_S) == RadioUp()
    enough = threading.Event()
    real = radio.tune

    def tune(tuning: Tuning) -> None:
        real(tuning)
        if radio.calls.count("tune") >= 3:
            enough.set()

    radio.tune = tune  # type: ignore[method-assign]
    assert enough.wait(WAIT_S)
    worker.close()
    assert events.empty()


def test_the_waits_between_attempts_double_up_to_the_limit() -> None:
    waits = [retry_s(failures, 1.0, 30.0) for failures in (0, 1, 2, 3, 5, 6, 10**6)]
    assert waits == [1.0, 1.0, 2.0, 4.0, 16.0, 30.0, 30.0]


def test_closing_while_there_is_no_radio_returns_at_once_and_answers_what_waits() -> None:
    events: Events = Events()

    def open() -> Radio:
        raise RadioGone("absent")

    worker = RadioWorker(open, TUNING, events, retry_least_s=3600.0, retry_most_s=3600.0)
    assert events.get(timeout=WAIT_S) == RadioDown("absent")
    worker.send(b"x", 1)
    assert events.get(timeout=WAIT_S) == NotSent(1, "no radio", gone=True)
    worker.close()
    with pytest.raises(RuntimeError, match="has ended"):
        worker.send(b"x", 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_that_no_radio_promises_stops_the_daemons_loop() -> None:
    worker, events = started(Scripted(send=KeyError("a bug")))
    worker.send(b"x", 1)
    assert events.get(timeout=WAIT_S) == RadioUp()
    assert isinstance(events.get(timeout=WAIT_S), Stop)
    worker.close()

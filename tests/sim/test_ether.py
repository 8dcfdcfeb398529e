"""Emulated modems share an air with the channel's rules; no test waits."""

import itertools
import random
import threading

import pytest

from firmware.radio.port import Heard, Tuning
from firmware.sim.channel_loss import LossKind, frame_loss
from firmware.sim.ether import Ether, Station
from firmware.sim.timeline import RealTimeline, Timeline
from firmware.wire.airtime import Modulation, airtime_s

SF9 = Modulation(9)
TUNING = Tuning(868_900_000, SF9, 14)


class Ears:
    """Stations on one virtual air, and what each has heard."""

    def __init__(self, *names: str, loss: float = 0.0, kind: LossKind = "independent") -> None:
        self.timeline = Timeline()
        self.ether = Ether(random.Random(5), loss, kind, timeline=self.timeline)
        self.heard: dict[str, list[Heard]] = {}
        self.stations = {name: self.attach(name) for name in names}

    def attach(self, name: str) -> Station:
        self.heard[name] = []
        return self.ether.attach(name, self.heard[name].append)


def test_a_listener_hears_the_frame_after_its_airtime_and_the_sender_does_not() -> None:
    air = Ears("trap", "base")
    for station in air.stations.values():
        station.listen(TUNING.frequency_hz, SF9)
    airtime = air.stations["trap"].transmit(b"hello", TUNING)
    assert airtime == airtime_s(SF9, 5)
    air.timeline.run_until(airtime - 1e-6)
    assert air.heard == {"trap": [], "base": []}
    air.timeline.run_until(airtime)
    assert [h.frame for h in air.heard["base"]] == [b"hello"] and not air.heard["trap"]


@pytest.mark.parametrize(
    "other", [Tuning(869_100_000, SF9, 14), Tuning(868_900_000, Modulation(7), 14)]
)
def test_who_is_tuned_elsewhere_or_not_at_all_hears_nothing(other: Tuning) -> None:
    air = Ears("trap", "base", "idle")
    air.stations["base"].listen(other.frequency_hz, other.modulation)
    air.stations["idle"].listen(TUNING.frequency_hz, SF9)
    air.stations["idle"].listen(TUNING.frequency_hz, None)
    air.stations["trap"].transmit(b"hello", TUNING)
    air.timeline.run_until(10)
    assert not air.heard["base"] and not air.heard["idle"]


def test_a_station_is_deaf_while_it_sends_and_listens_again_afterwards() -> None:
    air = Ears("one", "two")
    one, two = air.stations.values()
    one.listen(TUNING.frequency_hz, SF9)
    two.listen(TUNING.frequency_hz, SF9)
    one.transmit(b"first", TUNING)
    two.transmit(b"second", TUNING)
    air.timeline.run_until(1)
    assert air.heard == {"one": [], "two": []}
    one.transmit(b"third", TUNING)
    air.timeline.run_until(2)
    assert [h.frame for h in air.heard["two"]] == [b"third"]


def test_a_radio_sends_one_frame_at_a_time() -> None:
    air = Ears("one")
    air.stations["one"].transmit(b"first", TUNING)
    with pytest.raises(ValueError, match="one frame at a time"):
        air.stations["one"].transmit(b"second", TUNING)


def test_a_modulation_that_the_channel_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="SF6"):
        Ears("one").stations["one"].transmit(b"x", Tuning(868_900_000, Modulation(6), 14))


def test_a_concentrator_hears_every_spreading_factor_on_its_channels() -> None:
    air = Ears("a", "b", "c")
    heard: list[Heard] = []
    gateway = air.ether.attach("gateway", heard.append, concentrator=True)
    gateway.listen_all((868_900_000, 869_100_000))
    air.stations["a"].transmit(b"a", Tuning(868_900_000, Modulation(7), 14))
    air.stations["b"].transmit(b"b", Tuning(869_100_000, Modulation(12), 14))
    air.stations["c"].transmit(b"c", Tuning(864_100_000, Modulation(12), 14))
    air.timeline.run_until(5)
    assert [h.frame for h in heard] == [b"a", b"b"]


@pytest.mark.parametrize("kind", ["independent", "bursty"])
def test_the_asked_share_of_frames_is_lost_on_top(kind: LossKind) -> None:
    air = Ears("trap", "base", loss=0.2, kind=kind)
    air.stations["base"].listen(TUNING.frequency_hz, SF9)
    for number in range(4000):
        air.stations["trap"].transmit(b"%d" % number, TUNING)
        air.timeline.run_until(number + 1)
    lost = 1 - len(air.heard["base"]) / 4000
    assert lost == pytest.approx(0.2, abs=0.03)
    assert air.ether.losses("base")["loss"] == 4000 - len(air.heard["base"])


def test_bursty_loss_comes_in_bursts() -> None:
    lost = frame_loss(random.Random(3), 0.3, "bursty")
    fates = [lost() for _ in range(20_000)]
    starts = sum(1 for before, now in itertools.pairwise(fates) if now and not before)
    assert sum(fates) / 20_000 == pytest.approx(0.3, abs=0.02)
    assert sum(fates) / starts == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize(("loss", "kind"), [(1.0, "independent"), (-0.1, "bursty"), (0.1, "odd")])
def test_a_loss_that_makes_no_sense_is_refused_at_once(loss: float, kind: LossKind) -> None:
    with pytest.raises(ValueError, match="loss"):
        Ether(random.Random(1), loss, kind, timeline=Timeline())


def test_in_real_time_a_thread_delivers_and_close_ends_it() -> None:
    ether = Ether(random.Random(1))
    arrived = threading.Event()
    frames: list[bytes] = []

    def hear(heard: Heard) -> None:
        frames.append(heard.frame)
        arrived.set()

    fast = Tuning(868_900_000, Modulation(7, 500_000), 14)
    ether.attach("base", hear).listen(fast.frequency_hz, fast.modulation)
    ether.attach("trap", hear).transmit(b"hello", fast)  # 8 ms
    assert arrived.wait(5)
    ether.close()
    assert frames == [b"hello"]
    assert not [t for t in threading.enumerate() if t.name == "timeline"]


def test_many_threads_may_use_the_real_air_at_once() -> None:
    ether = Ether(random.Random(1))
    heard: list[bytes] = []
    ether.attach("base", lambda h: heard.append(h.frame), concentrator=True).listen_all(
        tuple(868_000_000 + 200_000 * n for n in range(8))
    )
    done = threading.Barrier(9)

    def send(n: int) -> None:
        tuning = Tuning(868_000_000 + 200_000 * n, Modulation(7, 125_000), 14)
        ether.attach(f"trap{n}", lambda _: None).transmit(b"%d" % n, tuning)
        done.wait(5)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    done.wait(5)
    for thread in threads:
        thread.join()
    _wait_until_quiet(ether)
    assert sorted(heard) == [b"%d" % n for n in range(8)]


def _wait_until_quiet(ether: Ether) -> None:
    """The frames of 8 threads are over once a later, longer one has been heard."""
    over = threading.Event()
    last = Tuning(869_900_000, Modulation(8), 14)
    ether.attach("last-ear", lambda heard: over.set()).listen(last.frequency_hz, last.modulation)
    ether.attach("last", lambda heard: None).transmit(b"last", last)
    assert over.wait(5)
    ether.close()


def test_a_timeline_calls_what_is_due_in_order_and_what_that_brings_about() -> None:
    timeline, calls = Timeline(), list[tuple[str, float]]()

    def note(name: str) -> None:
        calls.append((name, timeline.monotonic()))
        if name == "a":
            timeline.at(1.5, lambda: note("c"))

    timeline.at(2.0, lambda: note("b"))
    timeline.at(1.0, lambda: note("a"))
    timeline.at(9.0, lambda: note("never"))
    timeline.run_until(3.0)
    assert calls == [("a", 1.0), ("c", 1.5), ("b", 2.0)]
    assert timeline.monotonic() == 3.0


def test_a_real_timeline_keeps_the_order_of_times() -> None:
    timeline, order, done = RealTimeline(), list[int](), threading.Event()
    now_s = timeline.monotonic()
    timeline.at(now_s + 0.03, done.set)
    timeline.at(now_s + 0.02, lambda: order.append(2))
    timeline.at(now_s + 0.01, lambda: order.append(1))
    assert done.wait(5)
    timeline.close()
    assert order == [1, 2]

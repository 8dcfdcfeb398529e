"""Who hears what: each rule of the channel by itself, and the fast form against the careful one."""

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.sim.channel import Channel, Rules, Signal, Tuned
from firmware.sim.channel_batch import Frames, received
from firmware.sim.channel_models import (
    CROCE,
    FLORA,
    GATEWAY,
    GOURSAUD,
    LORASIM,
    NS3,
    OULU,
    PURE_ALOHA,
    Isolation,
    Links,
    forest,
    orthogonal,
    overlap_hz,
    sensitivity_dbm,
)
from firmware.wire.airtime import Modulation, airtime_s, symbol_s

SF9 = Modulation(9)
AIR_S = airtime_s(SF9, 20)
HERE_HZ = 868_900_000
ALL = Tuned(frozenset((HERE_HZ, 869_100_000)))


@dataclass
class Sky:
    """A concentrator "gw" that hears units at the strengths given."""

    loss_db: dict[str, float]
    rules: Rules | None = None
    demodulators: int = 8

    def __post_init__(self) -> None:
        self.channel = Channel(self._path, random.Random(1), self.rules)
        self.channel.add_ear("gw", GATEWAY, self.demodulators)
        self.channel.listen("gw", 0.0, ALL)

    def _path(self, sender: str, ear: str) -> float:
        return self.loss_db.get(sender if ear == "gw" else ear, 100.0)

    def send(
        self, sender: str, start_s: float, sf: int = 9, frequency_hz: int = HERE_HZ, size: int = 20
    ) -> Signal:
        frame = sender.encode().ljust(size, b".")
        signal = Signal(sender, start_s, frequency_hz, Modulation(sf), 14.0, frame)
        self.channel.send(signal)
        return signal

    def heard(self) -> set[str]:
        return {r.signal.sender for r in self.channel.heard(1e9) if r.ear == "gw"}


@pytest.mark.parametrize(("sf", "limit_dbm"), [(7, -130), (9, -135), (12, -142.5)])
def test_a_frame_must_reach_the_sensitivity_of_its_spreading_factor(
    sf: int, limit_dbm: float
) -> None:
    sky = Sky({"near": 14 - limit_dbm, "far": 14 - limit_dbm + 0.1})
    sky.send("near", 0, sf)
    sky.send("far", 100, sf)
    assert sky.heard() == {"near"}


def test_of_two_alike_both_are_lost_and_of_two_unlike_the_stronger_lives() -> None:
    sky = Sky({"strong": 100, "weak": 102, "as weak": 102.5})
    sky.send("weak", 0)
    sky.send("as weak", 0.01)
    sky.send("strong", 10)
    sky.send("weak", 10.05)
    assert sky.heard() == {"strong"}
    assert sky.channel.losses["gw", "collision"] == 3


@pytest.mark.parametrize(
    ("isolation", "lives"),
    [
        (CROCE, True),
        (GOURSAUD, False),
        (orthogonal(1.0), True),
        (orthogonal(6.0), False),
        (PURE_ALOHA, False),
    ],
)
def test_how_much_stronger_it_must_be_is_the_matrixs_business(
    isolation: Isolation, lives: bool
) -> None:
    sky = Sky({"strong": 100, "weak": 103}, Rules(isolation))
    sky.send("strong", 0)
    sky.send("weak", 0.05)
    assert sky.heard() == ({"strong"} if lives else set())


@pytest.mark.parametrize(
    ("isolation", "over_db", "lives"),
    [(CROCE, -12, True), (CROCE, -14, False), (GOURSAUD, -22, True), (GOURSAUD, -24, False),
     (orthogonal(6.0), -60, True)],
)  # fmt: skip
def test_another_spreading_factor_disturbs_only_when_much_stronger(
    isolation: Isolation, over_db: float, lives: bool
) -> None:
    sky = Sky({"nine": 120, "ten": 120 + over_db}, Rules(isolation))
    sky.send("ten", 0, 10)
    sky.send("nine", 0.01, 9)
    assert ("nine" in sky.heard()) == lives


def test_the_first_preamble_symbols_may_be_lost() -> None:
    spared_s = 3 * symbol_s(SF9)
    for overlap_s, lives in ((spared_s - 1e-4, True), (spared_s + 1e-4, False)):
        sky = Sky({})
        sky.send("one", 0)
        sky.send("two", AIR_S - overlap_s)
        assert ("two" in sky.heard()) == lives


def test_a_late_starter_hurts_from_its_first_symbol_unless_lorasim_is_asked() -> None:
    for rules, lives in ((Rules(), False), (Rules(late_start_hurts=False), True)):
        sky = Sky({}, rules)
        sky.send("one", 0)
        sky.send("two", AIR_S - 2 * symbol_s(SF9))
        assert ("one" in sky.heard()) == lives


def test_other_channels_do_not_disturb() -> None:
    sky = Sky({})
    sky.send("one", 0)
    sky.send("two", 0, frequency_hz=869_100_000)
    sky.send("three", 0, frequency_hz=864_100_000)
    assert sky.heard() == {"one", "two"}


def test_wider_signals_reach_further() -> None:
    assert [overlap_hz(125_000, bw) for bw in (125_000, 250_000, 500_000)] == [
        30_000,
        60_000,
        120_000,
    ]


def test_the_ninth_frame_at_once_finds_no_demodulator() -> None:
    sky = Sky({})
    for n in range(9):
        sky.send(f"{n}", n * 0.001, 7 + n % 6, HERE_HZ if n < 6 else 869_100_000, 40)
    assert sky.channel.losses["gw", "no_demodulator"] == 1
    assert "8" not in sky.heard()


def test_a_modem_follows_the_first_frame_though_a_stronger_one_comes() -> None:
    sky = Sky({"weak": 120, "strong": 100}, demodulators=1)
    sky.send("weak", 0)
    sky.send("strong", 0.05)
    assert sky.heard() == set()


def test_the_gateway_is_deaf_while_it_sends() -> None:
    sky = Sky({})
    sky.send("before", 0)
    sky.send("gw", 0.1)
    sky.send("during", 0.15, frequency_hz=869_100_000)
    sky.send("after", 0.1 + AIR_S)
    assert sky.heard() == {"after"} and sky.channel.losses["gw", "deaf"] == 2


def test_a_unit_hears_only_while_it_listens() -> None:
    sky = Sky({})
    sky.channel.add_ear("unit")
    tuned = Tuned((HERE_HZ,), spreading_factors=(9,))
    sky.channel.listen("unit", 1.0, tuned)
    first = sky.send("gw", 1.1)
    sky.channel.listen("unit", first.end_s + 1, None)
    sky.send("gw", 3)
    heard = [r for r in sky.channel.heard(10) if r.ear == "unit"]
    assert [r.signal for r in heard] == [first]
    assert heard[0].rssi_dbm == 14 - 100 and heard[0].snr_db == 12


def test_who_begins_to_listen_within_the_preamble_still_hears() -> None:
    for late_symbols, hears in ((2.9, True), (3.1, False)):
        sky = Sky({})
        sky.channel.add_ear("unit")
        sky.send("gw", 1)
        sky.channel.listen("unit", 1 + late_symbols * symbol_s(SF9), ALL)
        assert bool([r for r in sky.channel.heard(9) if r.ear == "unit"]) == hears


def test_tuning_anew_loses_what_was_being_received() -> None:
    sky = Sky({})
    sky.send("one", 0)
    sky.channel.listen("gw", 0.05, ALL)
    assert sky.heard() == set() and sky.channel.losses["gw", "deaf"] == 1


def test_fading_is_drawn_for_each_frame_from_the_seed() -> None:
    levels = []
    for _ in range(2):
        sky = Sky({}, Rules(fading_db=3.0))
        for n in range(200):
            sky.send("one", n)
        levels.append([r.rssi_dbm for r in sky.channel.heard(1e9)])
    assert levels[0] == levels[1]
    assert np.std(levels[0]) == pytest.approx(3.0, abs=0.5)
    assert np.mean(levels[0]) == pytest.approx(-86.0, abs=0.7)


def test_shadowing_is_fixed_for_a_link_and_the_same_both_ways() -> None:
    places = {"base": (0.0, 0.0), "a": (500.0, 0.0), "b": (0.0, 500.0)}
    one, two = Links(places, OULU, 7), Links(places, OULU, 7)
    assert one.loss_db("a", "base") == one.loss_db("base", "a")
    assert two.loss_db("base", "b") == one.loss_db("b", "base") != one.loss_db("a", "base")
    assert (
        two.loss_db("a", "base")
        == one.loss_db("a", "base")
        != Links(places, OULU, 8).loss_db("a", "base")
    )


def test_shadowing_has_the_models_deviation() -> None:
    places = {f"u{n}": (500.0, 0.0) for n in range(500)} | {"base": (0.0, 0.0)}
    links = Links(places, OULU, 1)
    losses = [links.loss_db(f"u{n}", "base") for n in range(500)]
    assert np.std(losses) == pytest.approx(7.8, rel=0.1)
    assert np.mean(losses) == pytest.approx(OULU.mean_db(500), abs=1.2)


def test_the_presets_are_their_sources() -> None:
    assert LORASIM.mean_db(40) == 127.41
    assert LORASIM.mean_db(400) == pytest.approx(127.41 + 20.8)
    assert replace(LORASIM, shadowing_db=3.57) == FLORA
    assert OULU.mean_db(1000) == 128.95
    assert NS3.mean_db(1000) == pytest.approx(7.7 + 37.6 * 3)
    assert NS3.mean_db(0.0) == 7.7


def test_in_the_forest_range_is_what_was_measured_and_height_helps() -> None:
    budget_db = 14 + 130
    assert forest(2.5).mean_db(1000) < forest(4).mean_db(1000)
    assert forest().mean_db(1500) < budget_db < forest().mean_db(1750)
    assert forest(base_height_m=20).mean_db(500) == pytest.approx(
        forest().mean_db(500) - 6.02, abs=0.01
    )


def test_what_no_model_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="SF6"):
        sensitivity_dbm(GATEWAY, 6, 125_000)
    with pytest.raises(ValueError, match="SF6"):
        Sky({}).send("one", 0, 6)


def test_two_radios_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="already"):
        Sky({}).channel.add_ear("gw")


frames = st.lists(
    st.tuples(
        st.integers(0, 8000),  # ms
        st.integers(7, 12),
        st.sampled_from([HERE_HZ, HERE_HZ + 25_000, 869_100_000]),
        st.integers(90, 150),  # dB
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(frames, st.sampled_from([CROCE, GOURSAUD, orthogonal(6.0), PURE_ALOHA]), st.booleans())
def test_the_fast_form_decides_as_the_careful_one(
    sent: list[tuple[int, int, int, int]], isolation: Isolation, late: bool
) -> None:
    rules = Rules(isolation, late_start_hurts=late)
    sent = sorted(sent)
    sky = Sky({f"{n}": loss for n, (_, _, _, loss) in enumerate(sent)}, rules, 4)
    channels = frozenset(hz for _, _, hz, _ in sent)
    sky.channel.listen("gw", 0, Tuned(channels))
    for n, (ms, sf, hz, _) in enumerate(sent):
        sky.send(f"{n}", ms / 1000, sf, hz)
    careful = sky.heard()
    modulations = [Modulation(sf) for _, sf, _, _ in sent]
    table = Frames(
        np.array([ms / 1000 for ms, *_ in sent]),
        np.array([airtime_s(m, 20) for m in modulations]),
        np.array([symbol_s(m) for m in modulations]),
        np.array([hz for _, _, hz, _ in sent]),
        np.full(len(sent), 125_000),
        np.array([sf for _, sf, _, _ in sent]),
        np.array([14.0 - loss for *_, loss in sent]),
    )
    fast = {f"{n}" for n in np.flatnonzero(received(table, GATEWAY, rules, 4))}
    assert fast == careful

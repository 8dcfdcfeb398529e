from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from gpiozero import DigitalInputDevice
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from firmware.sim.pir import (
    PirPlayer,
    Pulse,
    Script,
    bounce,
    edges,
    regular,
    sensed,
    wind_storm,
)

MOVES = st.lists(st.builds(Pulse, st.floats(0, 100), st.floats(0.01, 20)), max_size=30)


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    mock = MockFactory()
    yield mock
    mock.reset()


def edges_seen(factory: MockFactory, script: Script) -> int:
    """Plays the script stepwise; how often gpiozero called back for a rising edge."""
    seen: list[int] = []
    with DigitalInputDevice(4, pull_up=False, pin_factory=factory) as pir:
        pir.when_activated = lambda: seen.append(1)
        player = PirPlayer(script, factory.pin(4))
        while (due_s := player.next_edge_s) is not None:
            player.advance_to(due_s)
        pir.when_activated = None
    return len(seen)


def test_every_pulse_reaches_gpiozero_as_one_edge(factory: MockFactory) -> None:
    script = regular(20, 10, np.random.default_rng(1))
    assert edges_seen(factory, script) == 20


def test_hundreds_of_short_wind_pulses_all_reach_gpiozero(factory: MockFactory) -> None:
    script = wind_storm(300, 3600, np.random.default_rng(2))
    assert edges_seen(factory, script) == len(edges(script)) / 2 > 250


def test_a_bouncing_contact_gives_several_edges(factory: MockFactory) -> None:
    assert edges_seen(factory, bounce(1.0, np.random.default_rng(3))) >= 5


def test_a_pin_that_is_high_at_start_gives_no_edge(factory: MockFactory) -> None:
    seen: list[int] = []
    PirPlayer((Pulse(0, 10),), factory.pin(4)).advance_to(0)
    with DigitalInputDevice(4, pull_up=None, active_state=True, pin_factory=factory) as pir:
        pir.when_activated = lambda: seen.append(1)
        assert pir.value and not seen
        pir.when_activated = None


def test_the_thread_plays_the_script_and_has_ended_after_the_block(factory: MockFactory) -> None:
    seen: list[int] = []
    with DigitalInputDevice(4, pull_up=False, pin_factory=factory) as pir:
        pir.when_activated = lambda: seen.append(1)
        script = tuple(Pulse(0.01 * i, 0.004) for i in range(5))
        with PirPlayer(script, factory.pin(4)) as player:
            assert player.wait_done(5)
        pir.when_activated = None
    assert len(seen) == 5
    assert not player._thread.is_alive()


def test_leaving_the_block_early_stops_the_thread(factory: MockFactory) -> None:
    with PirPlayer((Pulse(3600, 1),), factory.pin(4)) as player:
        pass
    assert not player._thread.is_alive()
    assert player.next_edge_s == 3600


def test_motion_while_the_output_is_high_prolongs_it() -> None:
    assert sensed([Pulse(0, 1), Pulse(2, 1)], hold_s=2.5) == (Pulse(0, 5.5),)


def test_motion_in_the_blind_time_is_not_seen() -> None:
    assert sensed([Pulse(0, 0.1), Pulse(3, 0.5)], hold_s=2, blind_s=3) == (Pulse(0, 2.1),)


def test_motion_that_outlasts_the_blind_time_is_seen_at_its_end() -> None:
    _, second = sensed([Pulse(0, 1), Pulse(4, 5)], hold_s=2, blind_s=3)
    assert second == Pulse(6, 5)


@given(MOVES)
def test_the_module_never_breaks_its_hold_and_blind_times(moves: list[Pulse]) -> None:
    out = sensed(moves, hold_s=2, blind_s=3)
    assert all(pulse.high_s >= 2 - 1e-9 for pulse in out)
    for one, other in pairwise(out):
        assert other.at_s >= one.at_s + one.high_s + 3 - 1e-9


@given(MOVES)
def test_levels_alternate_in_order_of_time(moves: list[Pulse]) -> None:
    changes = edges(moves)
    assert [level for _, level in changes] == [True, False] * (len(changes) // 2)
    assert [at for at, _ in changes] == sorted(at for at, _ in changes)

import pytest

from firmware.sim.clock import VirtualClock


def test_waiting_moves_both_clocks_at_once() -> None:
    clock = VirtualClock(1000)
    clock.wait(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)


def test_a_stepped_wall_clock_leaves_the_monotonic_clock_alone() -> None:
    clock = VirtualClock(1000)
    clock.step_wall(-10 * 365 * 86400)
    assert clock.now() < 0
    assert clock.monotonic() == 0


def test_time_cannot_be_advanced_backwards() -> None:
    with pytest.raises(ValueError, match="step_wall"):
        VirtualClock().advance(-1)

"""Every counter is taken once, and the whole counter is found again from its low 16 bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.packet import MAX_COUNTER
from firmware.wire.replay import WIDTH, Replayed, ReplayWindow


@given(st.lists(st.integers(0, 200), max_size=300))
def test_each_counter_is_taken_once_like_by_a_set_that_forgets_the_old(counters: list[int]) -> None:
    window, taken = ReplayWindow(), set[int]()
    for counter in counters:
        old = bool(taken) and counter <= max(taken) - WIDTH
        if counter in taken or old:
            with pytest.raises(Replayed):
                window.accept(counter)
        else:
            window = window.accept(counter)
            taken.add(counter)
    assert window.highest == max(taken, default=-1)
    assert window.seen < 1 << WIDTH


@given(st.integers(0, MAX_COUNTER), st.integers(-WIDTH + 1, 0xFFFF - WIDTH + 1))
def test_a_counter_near_the_highest_is_found_again(highest: int, step: int) -> None:
    counter = highest + step
    window = ReplayWindow().accept(highest)
    if 0 <= counter <= MAX_COUNTER:
        assert window.counter_of(counter & 0xFFFF) == counter


def test_a_gap_of_more_than_sixteen_bits_is_guessed_too_low() -> None:
    window = ReplayWindow().accept(100)
    assert window.counter_of((100 + 65536) & 0xFFFF) == 100


@given(st.integers(-1, MAX_COUNTER), st.integers(0, 15 * 0x10000))
def test_a_counter_far_ahead_is_among_the_guesses(highest: int, step: int) -> None:
    window = ReplayWindow() if highest < 0 else ReplayWindow().accept(highest)
    counter = max(highest, 0) + step
    guesses = list(window.guesses(counter & 0xFFFF))
    assert counter > MAX_COUNTER or counter in guesses
    assert all(guess <= MAX_COUNTER for guess in guesses)


def test_the_first_packet_of_a_unit_may_have_any_counter() -> None:
    assert ReplayWindow().counter_of(0xFFFF) == 0xFFFF
    assert ReplayWindow().accept(1_000_000).highest == 1_000_000


def test_no_counter_is_past_the_last() -> None:
    window = ReplayWindow().accept(MAX_COUNTER)
    assert window.counter_of(0xFFFE) == MAX_COUNTER - 1
    with pytest.raises(WireError, match="new epoch"):
        window.counter_of(0)
    with pytest.raises(WireError):
        window.accept(MAX_COUNTER + 1)


@pytest.mark.parametrize("low16", [-1, 0x10000])
def test_a_low_part_that_is_not_sixteen_bits_is_refused(low16: int) -> None:
    with pytest.raises(WireError):
        ReplayWindow().counter_of(low16)


def test_a_window_survives_being_stored_as_two_numbers() -> None:
    window = ReplayWindow().accept(5).accept(7)
    again = ReplayWindow(window.highest, window.seen)
    with pytest.raises(Replayed):
        again.accept(5)
    assert again.accept(6).highest == 7

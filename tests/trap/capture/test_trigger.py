"""The PIR's policy: bounces, quiet, and the sliding hour."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.trap.capture.trigger import HOUR_S, Trigger
from firmware.trap.settings import Pir


def test_a_first_edge_is_taken_whatever_the_monotonic_clock_says() -> None:
    for at_s in (0.0, 0.001, 1e9):
        assert Trigger(Pir()).edge(at_s) is None


def test_edges_closer_than_the_debounce_are_one() -> None:
    trigger = Trigger(Pir(debounce_s=0.05))
    assert [trigger.edge(at_s) for at_s in (1.0, 1.01, 1.04, 1.08)] == [
        None, "bounce", "bounce", "bounce",
    ]  # fmt: skip
    assert trigger.ignored == {"bounce": 3}


def test_the_quiet_period_runs_from_the_end_of_the_burst() -> None:
    trigger = Trigger(Pir(quiet_s=5))
    trigger.edge(10.0)
    trigger.burst_over(12.0)
    assert trigger.edge(11.0) == "quiet"  # came during the burst, is served after it
    assert trigger.edge(16.9) == "quiet"
    assert trigger.quiet_left_s(16.0) == 1.0 and trigger.quiet_left_s(17.5) == 0.0
    assert trigger.edge(17.0) is None


def test_no_more_bursts_than_allowed_in_any_hour() -> None:
    trigger = Trigger(Pir(quiet_s=0, debounce_s=0, bursts_per_hour=3))
    taken = [at_s for at_s in range(0, 20000, 100) if trigger.edge(float(at_s)) is None]
    assert taken[:4] == [0, 100, 200, 3600]
    assert trigger.ignored["rate"] == 200 - len(taken)


@given(
    st.lists(st.floats(0, 20000), min_size=1, max_size=200).map(sorted),
    st.integers(1, 10),
    st.floats(0, 60),
)
def test_every_edge_is_taken_or_counted_and_every_hour_is_bounded(
    edges: list[float], most: int, quiet_s: float
) -> None:
    trigger = Trigger(Pir(quiet_s=quiet_s, bursts_per_hour=most))
    taken = []
    for at_s in edges:
        if trigger.edge(at_s) is None:
            taken.append(at_s)
            trigger.burst_over(at_s + 1)
    assert len(taken) + trigger.ignored.total() == len(edges)
    for first, past in zip(taken, taken[most:], strict=False):
        assert past - first >= HOUR_S

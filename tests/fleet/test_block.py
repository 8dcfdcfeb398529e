"""Small fleets in virtual time: the same by seed, everything delivered, the law kept."""

import pytest

from firmware.fleet.block import DAY_S, World, simulate_block
from firmware.fleet.law import busiest_hour, violations
from firmware.fleet.outcome import percentile
from firmware.fleet.run import simulate_fleet
from firmware.fleet.scenario import GATEWAY_NAME, Scenario

QUIET = Scenario(units=5, radius_m=500.0, fading_db=0.0, days=1.0)
"""Five units a long way from their limits."""


def test_the_same_seed_gives_the_same_outcome_and_another_one_another() -> None:
    assert simulate_block(QUIET, 0, 1.0) == simulate_block(QUIET, 0, 1.0)
    assert simulate_block(QUIET, 0, 1.0).events != simulate_block(QUIET, 1, 1.0).events


def test_on_a_quiet_channel_everything_arrives_exactly_once_and_soon() -> None:
    outcome = simulate_block(QUIET, 0, 1.0)
    assert len(outcome.events) > 10
    assert (outcome.delivery, outcome.previews, outcome.refinements) == (1.0, 1.0, 1.0)
    assert outcome.conflicts == 0 and not outcome.violations
    assert percentile(outcome.alerts_s, 100) < 1.0


def test_an_alert_at_sf9_in_the_quiet_is_with_the_base_within_a_second() -> None:
    """The other second of the two that it may take is the burst of the camera."""
    outcome = simulate_block(Scenario(units=1, spreading_factor=9, fading_db=0.0), 0, 2.0)
    assert outcome.events and outcome.delivery == 1.0
    assert percentile(outcome.alerts_s, 100) <= 1.02


def test_units_that_want_far_more_than_the_law_allows_come_to_its_edge_and_not_over() -> None:
    scenario = Scenario(units=2, events_per_day=400, spreading_factor=9, days=0.1)
    world = World(scenario, 0, 0.1)
    world.timeline.run_until(0.1 * DAY_S)
    assert violations(scenario.plan, world.frames) == []
    most = [_fullest_s(world, site.name) for site in world.sites]
    assert all(20 < fullest_s <= 36 for fullest_s in most)
    again = [*world.frames, *((r, hz, s + 0.5, air) for r, hz, s, air in world.frames)]
    assert violations(scenario.plan, again)  # the oracle does look


def test_the_gateway_keeps_the_law_too() -> None:
    scenario = Scenario(units=16, events_per_day=400, spreading_factor=12, days=0.06)
    world = World(scenario, 0, 0.06)
    world.timeline.run_until(0.06 * DAY_S)
    assert violations(scenario.plan, world.frames) == []
    assert _fullest_s(world, GATEWAY_NAME) > 50  # of 36 in each of two bands: near the edge
    assert world.gateway.counts["unsaid"]


def test_alerts_still_arrive_when_pictures_would_take_all_the_airtime() -> None:
    outcome = simulate_block(Scenario(units=3, events_per_day=150, spreading_factor=9), 0, 0.1)
    assert outcome.delivery == 1.0 and outcome.refinements < 1.0 and not outcome.violations
    assert percentile(outcome.alerts_s, 95) < 30


@pytest.mark.parametrize("region", ["EU868", "CN470", "KR920", "AS923", "US915"])
def test_every_region_delivers_within_its_law(region: str) -> None:
    outcome = simulate_block(Scenario(units=8, region=region, days=0.25), 0, 0.25)
    assert outcome.events and outcome.delivery == 1.0 and not outcome.violations


def test_units_too_far_for_pictures_send_alerts_alone() -> None:
    outcome = simulate_block(Scenario(units=3, spreading_factor=12), 0, 1.0)
    assert outcome.delivery == 1.0 and not any(event.preview_due for event in outcome.events)


def test_blocks_on_two_processes_are_those_of_one() -> None:
    scenario = Scenario(units=1, days=4.0, radius_m=500.0, events_per_day=2.0)
    one, two = simulate_fleet(scenario, 1), simulate_fleet(scenario, 2)
    assert one == two and one.days == 4.0 and one.events


def test_the_progress_bar_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = Scenario(units=1, days=0.3, radius_m=500.0)
    assert simulate_fleet(scenario, 1, progress=True) == simulate_fleet(scenario)
    assert capsys.readouterr().out == ""


def test_a_block_can_be_ended_from_outside() -> None:
    def tell(days: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        simulate_block(QUIET, 0, 1.0, tell)


def _fullest_s(world: World, radio: str) -> float:
    times = [(s, s + air_s) for who, _, s, air_s in world.frames if who == radio]
    return busiest_hour(sorted(times))[0] if times else 0.0


@pytest.mark.slow
def test_a_hundred_units_at_sf9_have_their_alerts_through_in_half_a_minute() -> None:
    outcome = simulate_fleet(Scenario(units=100, spreading_factor=9, days=2.0), 2)
    assert outcome.delivery == 1.0 and not outcome.violations
    assert percentile(outcome.alerts_s, 95) <= 30
    assert len(outcome.events) > 800

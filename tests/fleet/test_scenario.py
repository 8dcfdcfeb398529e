"""Units stand where they reach the gateway, and send as the law and their link want."""

from collections import Counter

import pytest

from firmware.fleet.energy import radio_wh
from firmware.fleet.scenario import (
    GATEWAY_NAME,
    MARGIN_DB,
    Scenario,
    ScenarioError,
    channels_hz,
    place,
    power_dbm,
    smallest_factor,
)
from firmware.sim.channel_models import NODE, sensitivity_dbm
from firmware.wire.regions import REGIONS, Region

REGION_LIST = list(REGIONS.values())


@pytest.mark.parametrize("region", REGION_LIST, ids=lambda region: region.name)
def test_every_channel_of_the_gateway_is_lawful_and_within_two_receivers(region: Region) -> None:
    channels = sorted(channels_hz(region))
    assert len(set(channels)) == len(channels) == (7 if region.name in ("RU864", "KR920") else 8)
    for channel in channels:
        assert power_dbm(region, channel) + 2 <= region.band_of(channel).max_eirp_dbm
    split = max(range(1, 8), key=lambda n: channels[min(n, len(channels) - 1)] - channels[n - 1])
    low, high = channels[:split], channels[split:]
    if channels[-1] - channels[0] > 1_600_000:
        assert low[-1] - low[0] <= 900_000 and high[-1] - high[0] <= 900_000


def test_the_same_seed_is_the_same_fleet() -> None:
    one, _ = place(Scenario(units=20, seed=4))
    two, _ = place(Scenario(units=20, seed=4))
    other, _ = place(Scenario(units=20, seed=5))
    assert one == two != other


def test_every_unit_has_its_margin_both_ways_at_its_factor_and_not_below() -> None:
    scenario = Scenario(units=80)
    sites, links = place(scenario)
    for site in sites:
        factor = site.tuning.modulation.spreading_factor
        rssi_dbm = site.tuning.power_dbm - links.loss_db(site.name, GATEWAY_NAME)
        assert rssi_dbm >= sensitivity_dbm(NODE, factor, 125_000) + MARGIN_DB
        assert factor == smallest_factor(rssi_dbm, scenario.plan)
    factors = Counter(site.tuning.modulation.spreading_factor for site in sites)
    assert factors[7] and factors[9]


def test_one_spreading_factor_for_all_puts_units_where_it_reaches() -> None:
    sites, links = place(Scenario(units=40, spreading_factor=9))
    assert {site.tuning.modulation.spreading_factor for site in sites} == {9}
    for site in sites:
        rssi_dbm = site.tuning.power_dbm - links.loss_db(site.name, GATEWAY_NAME)
        assert rssi_dbm >= sensitivity_dbm(NODE, 9, 125_000) + MARGIN_DB


def test_a_factor_whose_frames_are_too_long_for_the_law_is_not_chosen() -> None:
    region = REGIONS["AS923"]
    assert smallest_factor(-100, region) == 7
    assert smallest_factor(-131, region) is None


def test_a_disc_that_nothing_reaches_across_is_refused() -> None:
    with pytest.raises(ScenarioError, match="radius"):
        place(Scenario(units=50, radius_m=1e7))


def test_a_modem_that_only_listens_takes_two_thirds_of_a_watt_hour_a_day() -> None:
    assert radio_wh(0, 86_400) == pytest.approx(0.665, abs=0.001)
    assert radio_wh(3600, 3600) == pytest.approx(0.297)

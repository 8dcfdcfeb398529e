"""Regional plans: each channel is legal, each payload limit fits its own dwell."""

import pytest

from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.alert import RECORD_BYTES
from firmware.wire.packet import SIGHTING, overhead_bytes
from firmware.wire.regions import (
    ALERT_FRAME_BYTES,
    REGIONS,
    RU864,
    DataRate,
    Region,
    with_duty_cycle,
)

LORAWAN_BYTES = 13
PAYLOADS = {
    "RU864": (51, 51, 51, 115, 222, 222, 222, None),
    "EU868": (51, 51, 51, 115, 222, 222, 222, None),
    "CN470": (None, 23, 86, 184, 222, 222, 222, None),
    "KR920": (51, 51, 51, 115, 222, 222),
    "AS923": (None, None, 11, 53, 125, 222, 222, None),
    "US915": (11, 53, 125, 222, 222),
}
regions = pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)


def test_there_are_six_regions_by_their_names() -> None:
    assert set(REGIONS) == set(PAYLOADS)
    assert all(region.name == name for name, region in REGIONS.items())


@regions
def test_payload_limits_are_the_published_ones(region: Region) -> None:
    limits = tuple(None if rate is None else rate.max_payload_bytes for rate in region.data_rates)
    assert limits == PAYLOADS[region.name]


@regions
def test_data_rates_get_faster(region: Region) -> None:
    rates = [rate for rate in region.data_rates if rate is not None]
    speeds = [rate.bandwidth_hz / 2**rate.spreading_factor for rate in rates]
    assert speeds == sorted(speeds) and len(set(speeds)) == len(speeds)


@regions
def test_every_channel_lies_in_a_band_with_its_whole_width(region: Region) -> None:
    for channel in (*region.channels_hz, region.rx2_hz):
        band = region.band_of(channel)
        half_hz = (
            250_000 if region.name == "US915" and channel in region.channels_hz[64:] else 62_500
        )
        assert band.low_hz <= channel - half_hz and channel + half_hz <= band.high_hz, channel


@regions
def test_bands_are_in_order_and_do_not_overlap(region: Region) -> None:
    for lower, upper in zip(region.bands, region.bands[1:], strict=False):
        assert lower.low_hz < lower.high_hz <= upper.low_hz < upper.high_hz


@regions
def test_every_data_rate_keeps_the_dwell_limit_with_its_longest_frame(region: Region) -> None:
    dwell_s = region.band_of(region.channels_hz[0]).dwell_s
    for rate in region.data_rates:
        if rate is not None and dwell_s is not None:
            assert airtime_s(_modulation(rate), rate.max_payload_bytes + LORAWAN_BYTES) <= dwell_s


@regions
def test_something_limits_every_band(region: Region) -> None:
    for band in region.bands:
        assert band.duty_cycle or band.dwell_s or band.listen_before_talk, band


def _modulation(rate: DataRate) -> Modulation:
    return Modulation(rate.spreading_factor, rate.bandwidth_hz)


def test_ru864_is_one_per_cent_until_the_operator_says_otherwise() -> None:
    channel = RU864.channels_hz[0]
    assert RU864.band_of(channel).duty_cycle == 0.01
    overridden = with_duty_cycle(RU864, 0.1)
    assert overridden.band_of(channel).duty_cycle == 0.1
    assert overridden.band_of(864_500_000).duty_cycle == 0.001
    assert RU864.band_of(channel).duty_cycle == 0.01


def test_an_override_holds_in_the_band_of_the_frequency_that_is_used() -> None:
    overridden = with_duty_cycle(REGIONS["EU868"], 0.05, 869_525_000)
    assert overridden.band_of(869_525_000).duty_cycle == 0.05
    assert overridden.band_of(868_100_000).duty_cycle == 0.01


@pytest.mark.parametrize("duty_cycle", [0, -0.1, 1.01])
def test_an_impossible_duty_cycle_is_refused(duty_cycle: float) -> None:
    with pytest.raises(ValueError, match="duty cycle"):
        with_duty_cycle(RU864, duty_cycle)


@pytest.mark.parametrize("frequency_hz", [865_500_000, 869_200_000, 863_999_999, 0])
def test_a_frequency_outside_every_band_is_refused(frequency_hz: int) -> None:
    with pytest.raises(ValueError, match="in no band of RU864"):
        RU864.band_of(frequency_hz)


@regions
@pytest.mark.parametrize("spreading_factor", range(7, 13))
def test_the_longest_frame_fits_and_the_next_does_not(
    region: Region, spreading_factor: int
) -> None:
    modulation = Modulation(spreading_factor)
    dwell_s = region.band_of(region.channels_hz[0]).dwell_s
    size = region.p2p_payload_bytes(modulation)
    if dwell_s is None:
        assert size == 250
    else:
        longer = max(size + 1, ALERT_FRAME_BYTES)
        assert size == 0 or airtime_s(modulation, size) <= dwell_s
        assert size == 250 or airtime_s(modulation, longer) > dwell_s


def test_a_modem_with_shorter_frames_is_respected() -> None:
    assert RU864.p2p_payload_bytes(Modulation(7), 222) == 222


def test_a_modulation_that_no_alert_fits_is_not_to_be_used() -> None:
    assert overhead_bytes(SIGHTING) + RECORD_BYTES == ALERT_FRAME_BYTES
    assert REGIONS["CN470"].p2p_payload_bytes(Modulation(12)) == 0
    assert REGIONS["AS923"].p2p_payload_bytes(Modulation(9)) == 66
    assert REGIONS["AS923"].p2p_payload_bytes(Modulation(10)) == 0

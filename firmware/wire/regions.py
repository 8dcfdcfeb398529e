"""Regional plans: where a unit may send, how loud, for how long, and how much fits a frame.

Payload limits are LoRaWAN's N (application bytes without options, repeater-compatible), from
ChirpStack `lrwn/src/region/*.rs` at d77207cd (tables of RP002-1.0.4 and -1.0.5). Channels and
power from brocaar/lorawan `band/*` at a18a1037, LoRaMac-node `Region*.h` at 00518c2b, and the
Regional Parameters 1.0.3revA. The RP002-1.0.4 text and the regulators' originals were not at hand:
have them read by someone who knows before a fleet goes out.

RU864   GKRCh decision 18-46-03-1 of 2018-09-11 (secondary sources): 868.7-869.2 MHz 100 mW and
        10 % or listen before talk; 866-868 MHz 25 mW, 1 %; 864-865 MHz 25 mW, 0.1 %; the last
        two not at airports. LoRaWAN's own text says under 1 % and 16 dBm EIRP, and so does this
        table: an operator who has the regulator's text may set 10 % (`with_duty_cycle`).
EU868   ETSI EN 300 220: 863-865 0.1 %, 865-868.6 1 %, 868.7-869.2 0.1 %, 869.4-869.65 10 % at
        500 mW ERP, 869.7-870 1 %. 14 dBm ERP elsewhere is LoRaWAN's 16 dBm EIRP.
CN470   470-490 MHz up, 500-510 MHz down; no duty cycle, at most 1 s for a frame (inferred: every
        limit of the payload table is the longest frame under 1 s; SF12 has none).
KR920   920.9-923.4 MHz, listen before talk (-65 dBm, 6 ms) instead of a duty cycle; 10 dBm below
        922 MHz, 14 dBm above.
AS923   AS923-1: 400 ms dwell, taken as on until a network says otherwise, and 1 % by LoRaMac's
        band table. Japan asks for listen before talk besides.
US915   FCC 15.247: 400 ms for each 125 kHz channel, with hopping; the 500 kHz channels have no
        dwell limit, and keep it here all the same. A unit that stays on one 125 kHz channel does
        not hop: in the USA use LoRaWAN, or 500 kHz.

Does not listen before it talks, and does not choose a channel.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firmware.wire.airtime import Modulation, airtime_s

MODEM_FRAME_BYTES = 250
ALERT_FRAME_BYTES = 37  # a sighting, sealed: what does not take that is of no use


@dataclass(frozen=True)
class Band:
    """A stretch of spectrum with one rule. `duty_cycle` is a fraction, None for no limit; it is
    kept over every sliding hour. `dwell_s`: the longest frame. `hopping`: nobody may stay on one
    channel."""

    low_hz: int
    high_hz: int
    duty_cycle: float | None
    max_eirp_dbm: float
    dwell_s: float | None = None
    listen_before_talk: bool = False
    hopping: bool = False


@dataclass(frozen=True)
class DataRate:
    """One of LoRaWAN's uplink data rates, and the longest application payload that it takes."""

    spreading_factor: int
    bandwidth_hz: int
    max_payload_bytes: int


@dataclass(frozen=True)
class Region:
    """`channels_hz`: the default uplink channels. `data_rates`: by number, None where it is not
    LoRa or may not be sent."""

    name: str
    channels_hz: tuple[int, ...]
    rx2_hz: int
    bands: tuple[Band, ...]
    data_rates: tuple[DataRate | None, ...]

    def band_of(self, frequency_hz: int) -> Band:
        """The band with this carrier. Raises ValueError where sending is not allowed."""
        for band in self.bands:
            if band.low_hz <= frequency_hz < band.high_hz:
                return band
        raise ValueError(f"{frequency_hz} Hz is in no band of {self.name}")

    def p2p_payload_bytes(self, modulation: Modulation, most: int = MODEM_FRAME_BYTES) -> int:
        """The longest frame point to point, everything counted: as much as the modem takes (250
        with RUI3) and the shortest dwell limit allows. 0 where not even an alert fits (37 bytes):
        do not use this modulation here."""
        dwells = [band.dwell_s for band in self.bands if band.dwell_s is not None]
        if not dwells:
            return most
        sizes = range(most, ALERT_FRAME_BYTES - 1, -1)
        return next((size for size in sizes if airtime_s(modulation, size) <= min(dwells)), 0)


def with_duty_cycle(region: Region, duty_cycle: float, frequency_hz: int | None = None) -> Region:
    """The region with the operator's own limit in the band of `frequency_hz` (None: the bands of
    the default channels): the operator answers for it. Other bands keep theirs."""
    if not 0 < duty_cycle <= 1:
        raise ValueError(f"duty cycle {duty_cycle} is not within 0..1")
    channels = region.channels_hz if frequency_hz is None else (frequency_hz,)
    chosen = {region.band_of(channel) for channel in channels}
    bands = tuple(
        dataclasses.replace(band, duty_cycle=duty_cycle) if band in chosen else band
        for band in region.bands
    )
    return dataclasses.replace(region, bands=bands)


def _spaced(first_hz: int, step_hz: int, count: int) -> tuple[int, ...]:
    return tuple(first_hz + step_hz * n for n in range(count))


def _rates(*payloads: int | None, first: int = 0) -> tuple[DataRate | None, ...]:
    """DR0.. of SF12 (DR0) or SF10 (`first` 2), one spreading factor less for each next one."""
    return tuple(
        None if most is None else DataRate(12 - first - n, 125_000, most)
        for n, most in enumerate(payloads)
    )


_EUROPEAN_RATES = (*_rates(51, 51, 51, 115, 222, 222), DataRate(7, 250_000, 222), None)

RU864 = Region(
    name="RU864",
    channels_hz=(868_900_000, 869_100_000),
    rx2_hz=869_100_000,
    bands=(
        Band(864_000_000, 865_000_000, 0.001, 14),
        Band(866_000_000, 868_000_000, 0.01, 14),
        Band(868_700_000, 869_200_000, 0.01, 16),
    ),
    data_rates=_EUROPEAN_RATES,
)
EU868 = Region(
    name="EU868",
    channels_hz=(868_100_000, 868_300_000, 868_500_000),
    rx2_hz=869_525_000,
    bands=(
        Band(863_000_000, 865_000_000, 0.001, 16),
        Band(865_000_000, 868_600_000, 0.01, 16),
        Band(868_700_000, 869_200_000, 0.001, 16),
        Band(869_400_000, 869_650_000, 0.1, 29),
        Band(869_700_000, 870_000_000, 0.01, 16),
    ),
    data_rates=_EUROPEAN_RATES,
)
CN470 = Region(
    name="CN470",
    channels_hz=_spaced(470_300_000, 200_000, 96),
    rx2_hz=505_300_000,
    bands=(
        Band(470_000_000, 490_000_000, None, 19.15, dwell_s=1.0),
        Band(500_000_000, 510_000_000, None, 19.15, dwell_s=1.0),
    ),
    data_rates=(*_rates(None, 23, 86, 184, 222, 222), DataRate(7, 500_000, 222), None),
)
KR920 = Region(
    name="KR920",
    channels_hz=(922_100_000, 922_300_000, 922_500_000),
    rx2_hz=921_900_000,
    bands=(
        Band(920_800_000, 922_000_000, None, 10, listen_before_talk=True),
        Band(922_000_000, 923_400_000, None, 14, listen_before_talk=True),
    ),
    data_rates=_rates(51, 51, 51, 115, 222, 222),
)
AS923 = Region(
    name="AS923",
    channels_hz=(923_200_000, 923_400_000),
    rx2_hz=923_200_000,
    bands=(Band(920_000_000, 928_000_000, 0.01, 16, dwell_s=0.4),),
    data_rates=(*_rates(None, None, 11, 53, 125, 222), DataRate(7, 250_000, 222), None),
)
US915 = Region(
    name="US915",
    channels_hz=_spaced(902_300_000, 200_000, 64) + _spaced(903_000_000, 1_600_000, 8),
    rx2_hz=923_300_000,
    bands=(Band(902_000_000, 928_000_000, None, 30, dwell_s=0.4, hopping=True),),
    data_rates=(*_rates(11, 53, 125, 222, first=2), DataRate(8, 500_000, 222)),
)

REGIONS: Mapping[str, Region] = MappingProxyType(
    {region.name: region for region in (RU864, EU868, CN470, KR920, AS923, US915)}
)

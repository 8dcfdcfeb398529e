"""A fleet on the map: where the units stand, and on what channel and spreading factor they send.

One gateway in the middle of a disc. A unit is put up where its radio test works: a place from which
no spreading factor reaches the gateway with `MARGIN_DB` to spare, both ways, is given up for
another one. Channel: random of the plan, for good. Spreading factor: the smallest with that margin
(`auto`), or the same for all. All by the seed.

Listening before talking, which KR920 wants, is the modem's business and not simulated; loss is that
of 868 MHz in every region (470 MHz has some 5 dB less).
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from firmware.radio.port import Tuning
from firmware.sim.channel_models import (
    GATEWAY,
    NODE,
    SPREADING_FACTORS,
    Links,
    PathLoss,
    forest,
    sensitivity_dbm,
)
from firmware.wire.airtime import Modulation
from firmware.wire.regions import REGIONS, Region

GATEWAY_NAME = "gateway"
MARGIN_DB = 6.0  # over fading, and for rain on leaves
POWER_DBM = 14
ANTENNA_DBI = 2.0
BANDWIDTH_HZ = 125_000
MOST_PLACES = 1000  # tried for one unit before the disc is called too large
RIDGE_M = 30.0  # the gateway's height over the units around it
UNIT_M = 2.0

# What an 8-channel concentrator listens to: the region's default channels and as many of the law's
# other places as its two receivers of 0.9 MHz reach. RU864: 867.1..867.9 MHz are in the 866-868 MHz
# band (25 mW, 1 %, not at airports), and an eighth channel fits nowhere.
_MORE_CHANNELS_HZ: dict[str, tuple[int, ...]] = {
    "RU864": tuple(867_100_000 + 200_000 * n for n in range(5)),
    "EU868": tuple(867_100_000 + 200_000 * n for n in range(5)),
    "KR920": tuple(922_700_000 + 200_000 * n for n in range(4)),
    "AS923": tuple(922_000_000 + 200_000 * n for n in range(6)),
}
_FIRST_CHANNEL = {"CN470": 0, "US915": 8}  # where the plan has more than eight


class ScenarioError(Exception):
    """No such fleet can be put up: says why, and what to change."""


@dataclass(frozen=True)
class Scenario:
    """What to simulate. `spreading_factor` None: each unit's own."""

    units: int = 100
    events_per_day: float = 5.0
    days: float = 1.0
    region: str = "RU864"
    spreading_factor: int | None = None
    radius_m: float = 4000.0
    exponent: float = 3.2
    fading_db: float = 2.0
    seed: int = 1

    @property
    def model(self) -> PathLoss:
        """Trees, and the gateway on a ridge."""
        return forest(self.exponent, base_height_m=RIDGE_M)

    @property
    def plan(self) -> Region:
        """The region's law."""
        return REGIONS[self.region]


@dataclass(frozen=True)
class Site:
    """One unit in its place."""

    unit: int
    place_m: tuple[float, float]
    tuning: Tuning

    @property
    def name(self) -> str:
        return _name(self.unit)


def _name(unit: int) -> str:
    return f"unit-{unit}"


def channels_hz(region: Region) -> tuple[int, ...]:
    """What the gateway listens to."""
    first = _FIRST_CHANNEL.get(region.name)
    if first is not None:
        return region.channels_hz[first : first + 8]
    return (region.channels_hz + _MORE_CHANNELS_HZ[region.name])[:8]


def power_dbm(region: Region, frequency_hz: int) -> int:
    """As loud as the band allows with the antenna, at most 14 dBm."""
    return min(POWER_DBM, math.floor(region.band_of(frequency_hz).max_eirp_dbm - ANTENNA_DBI))


def place(scenario: Scenario) -> tuple[list[Site], Links]:
    """The units, and the loss of every link. Raises ScenarioError."""
    rng = random.Random(f"places {scenario.seed}")
    places: dict[str, tuple[float, float]] = {GATEWAY_NAME: (0.0, 0.0)}
    links = Links(places, scenario.model, scenario.seed)
    sites = []
    for unit in range(1, scenario.units + 1):
        site = _put_up(unit, scenario, links, rng)
        places[site.name] = site.place_m
        sites.append(site)
    return sites, links


def path_db(links: Links) -> Callable[[str, str], float]:
    """The loss of any link: two units have no ridge between them to look down from."""
    ground_db = 20 * math.log10(RIDGE_M / UNIT_M)

    def loss_db(one: str, other: str) -> float:
        both_low = one != GATEWAY_NAME != other
        return links.loss_db(one, other) + ground_db * both_low

    return loss_db


def _put_up(unit: int, scenario: Scenario, links: Links, rng: random.Random) -> Site:
    region = scenario.plan
    frequency_hz = rng.choice(channels_hz(region))
    loud_dbm = power_dbm(region, frequency_hz)
    shadowing_db = links.shadowing_db(_name(unit), GATEWAY_NAME)
    for _ in range(MOST_PLACES):
        distance_m, angle = scenario.radius_m * math.sqrt(rng.random()), rng.random() * math.tau
        place_m = (distance_m * math.cos(angle), distance_m * math.sin(angle))
        loss_db = scenario.model.mean_db(distance_m) + shadowing_db
        factor = smallest_factor(loud_dbm - loss_db, region)
        wanted = scenario.spreading_factor
        if factor is not None and (wanted is None or factor <= wanted):
            modulation = Modulation(wanted or factor, BANDWIDTH_HZ)
            return Site(unit, place_m, Tuning(frequency_hz, modulation, loud_dbm))
    raise ScenarioError(
        f"no place within {scenario.radius_m:g} m reaches the gateway: make the radius or the"
        " path loss exponent smaller, or the spreading factor larger"
    )


def smallest_factor(rssi_dbm: float, region: Region) -> int | None:
    """The fastest that is heard with the margin both ways and that the region allows; the unit's
    modem is the weaker ear."""
    for factor in SPREADING_FACTORS:
        need_dbm = max(sensitivity_dbm(table, factor, BANDWIDTH_HZ) for table in (GATEWAY, NODE))
        allowed = region.p2p_payload_bytes(Modulation(factor, BANDWIDTH_HZ)) > 0
        if allowed and rssi_dbm >= need_dbm + MARGIN_DB:
            return factor
    return None

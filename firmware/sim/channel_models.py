"""Numbers of the radio channel with their sources: path loss, sensitivity, what survives what.

Promises nothing about any real valley: a preset is as good as its source. Frequencies between 860
and 930 MHz are treated alike.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

NOISE_DBM_125K = -117.0  # -174 dBm/Hz over 125 kHz, and a noise figure of 6 dB
MOST_SNR_DB = 12.0  # no modem reports more, however near the sender

SPREADING_FACTORS = range(7, 13)


@dataclass(frozen=True)
class PathLoss:
    """Log-distance: `reference_db` at `reference_m`, then 10 x `exponent` dB for each tenfold
    distance; shadowing is log-normal, drawn once for a link and the same both ways."""

    reference_db: float
    reference_m: float
    exponent: float
    shadowing_db: float = 0.0

    def mean_db(self, distance_m: float) -> float:
        """Loss without shadowing; nearer than a metre counts as one metre."""
        tenfold = math.log10(max(distance_m, 1.0) / self.reference_m)
        return self.reference_db + 10 * self.exponent * tenfold


# Bor et al. 2016, as in LoRaSim 0.2.1: built-up, Lancaster, antennas at 1 m.
LORASIM = PathLoss(127.41, 40.0, 2.08)
# FLoRa (Slabicki et al. 2018) keeps LoRaSim's loss and adds the measured deviation.
FLORA = replace(LORASIM, shadowing_db=3.57)
# Petäjäjärvi et al. 2015 (Oulu, car to a 24 m mast), as in FLoRa.
OULU = PathLoss(128.95, 1000.0, 2.32, 7.8)
# ns-3 lorawan module, its complete example: open suburban land.
NS3 = PathLoss(7.7, 1.0, 3.76)


def forest(
    exponent: float = 3.5, trap_height_m: float = 2.0, base_height_m: float = 10.0
) -> PathLoss:
    """Trees between two antennas: free space for the first metre (31.2 dB at 868 MHz), then an
    adjustable exponent; Sensors 2021 21(20) 6872, Table 2, lists ranges of 0.05 to 1.75 km in
    forests, which 2.5 to 4 spans. Raising an antenna over the 2 m and 10 m of the default gains 20
    dB a decade (plane earth). Shadowing of 6 dB is an assumption."""
    height_db = 20 * math.log10(trap_height_m / 2.0 * base_height_m / 10.0)
    return PathLoss(31.2 - height_db, 1.0, exponent, 6.0)


# By spreading factor: dBm at 125, 250 and 500 kHz.
Sensitivity = Mapping[int, tuple[float, float, float]]
_COLUMN = {125_000: 0, 250_000: 1, 500_000: 2}


def _from_125k(values: tuple[float, ...]) -> Sensitivity:
    """Twice the bandwidth, twice the noise."""
    return {sf: (v, v + 3, v + 6) for sf, v in zip(SPREADING_FACTORS, values, strict=True)}


# ns-3 lorawan (SX1301 data sheet): a concentrator of 8 demodulators.
GATEWAY = _from_125k((-130.0, -132.5, -135.0, -137.5, -140.0, -142.5))
# ns-3 lorawan (SX1272): a modem such as the units carry.
NODE = _from_125k((-124.0, -127.0, -130.0, -133.0, -135.0, -137.0))
# Measured for LoRaSim; SF12 worse than SF11 is in the source.
LORASIM_MEASURED: Sensitivity = {
    7: (-126.5, -124.25, -120.75),
    8: (-127.25, -126.75, -124.0),
    9: (-131.25, -128.25, -127.5),
    10: (-132.75, -130.25, -128.75),
    11: (-134.5, -132.75, -128.75),
    12: (-133.25, -132.25, -132.25),
}


def sensitivity_dbm(table: Sensitivity, spreading_factor: int, bandwidth_hz: int) -> float:
    """The weakest signal that is heard. Raises ValueError for what the table does not know."""
    try:
        return table[spreading_factor][_COLUMN[bandwidth_hz]]
    except KeyError:
        raise ValueError(
            f"no sensitivity is known for SF{spreading_factor} at {bandwidth_hz} Hz: the channel"
            " knows SF7 to SF12 at 125, 250 and 500 kHz"
        ) from None


# Rows: the wanted SF7..SF12; columns: the other's. The wanted one survives when it is at least
# this many dB over the other.
Isolation = tuple[tuple[float, ...], ...]

# Croce et al. 2018 (measured with SX1272), as in FLoRa's nonOrthDelta.
CROCE: Isolation = (
    (1, -8, -9, -9, -9, -9),
    (-11, 1, -11, -12, -13, -13),
    (-15, -13, 1, -13, -14, -15),
    (-19, -18, -17, 1, -17, -18),
    (-22, -22, -21, -20, 1, -20),
    (-25, -25, -25, -24, -23, 1),
)
# Goursaud and Gorce 2015 (calculated), as in ns-3 lorawan.
GOURSAUD: Isolation = (
    (6, -16, -18, -19, -19, -20),
    (-24, 6, -20, -22, -22, -22),
    (-27, -27, 6, -23, -25, -25),
    (-30, -30, -30, 6, -26, -28),
    (-33, -33, -33, -33, 6, -29),
    (-36, -36, -36, -36, -36, 6),
)


def orthogonal(capture_db: float) -> Isolation:
    """Spreading factors do not hear each other; within one, the stronger by `capture_db` survives.
    LoRaSim's threshold is 6 dB."""
    return tuple(
        tuple(capture_db if one == other else -math.inf for other in range(6)) for one in range(6)
    )


# Two that overlap are both lost, however different their strength.
PURE_ALOHA = orthogonal(math.inf)


def overlap_hz(bandwidth_hz: int, other_hz: int) -> int:
    """Two signals disturb each other when their centres are at most this far apart (LoRaSim)."""
    return {125_000: 30_000, 250_000: 60_000, 500_000: 120_000}[max(bandwidth_hz, other_hz)]


class Links:
    """The loss between named places. `loss_db` has the shape that the channel wants.

    Shadowing depends on the seed and the two names alone, never on who asked first.
    """

    def __init__(
        self, places_m: Mapping[str, tuple[float, float]], model: PathLoss, seed: int
    ) -> None:
        self._places_m, self._model, self._seed = places_m, model, seed
        self._known: dict[tuple[str, str], float] = {}

    def distance_m(self, one: str, other: str) -> float:
        return math.dist(self._places_m[one], self._places_m[other])

    def loss_db(self, one: str, other: str) -> float:
        """The same both ways and for every frame."""
        key = (one, other) if one < other else (other, one)
        if key not in self._known:
            mean_db = self._model.mean_db(self.distance_m(one, other))
            self._known[key] = mean_db + self.shadowing_db(*key)
        return self._known[key]

    def shadowing_db(self, one: str, other: str) -> float:
        """What this link has on top of the mean, wherever its two ends are."""
        first, second = sorted((one, other))
        return random.Random(f"{self._seed} {first} {second}").gauss(0.0, self._model.shadowing_db)

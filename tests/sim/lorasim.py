"""LoRaSim's experiments (Bor et al. 2016, version 0.2.1) on our channel, to compare the curves."""

from dataclasses import dataclass

import numpy as np

from firmware.sim.channel import Rules
from firmware.sim.channel_batch import Frames, received
from firmware.sim.channel_models import (
    LORASIM,
    LORASIM_MEASURED,
    PURE_ALOHA,
    orthogonal,
    sensitivity_dbm,
)
from firmware.wire.airtime import Modulation, airtime_s, symbol_s

PAYLOAD_BYTES = 20
MEAN_INTERVAL_S = 1000.0
POWER_DBM = 14.0

# Any overlap, the whole preamble counts, and nothing survives it.
SIMPLE = Rules(PURE_ALOHA, needed_preamble_symbols=8)
CAPTURE = Rules(orthogonal(6.0), late_start_hurts=False)


@dataclass(frozen=True)
class Experiment:
    """`modulation` None: each node takes the one with the shortest airtime that is heard."""

    modulation: Modulation | None
    radius_m: float


# The radii are LoRaSim's, whose formula has e where 10 belongs.
EXPERIMENT_0 = Experiment(Modulation(12, coding_rate=4), 98.9)
EXPERIMENT_3 = Experiment(None, 110.26)
EXPERIMENT_4 = Experiment(Modulation(12), 98.9)


def best_modulation(rssi_dbm: float) -> Modulation:
    choices = [Modulation(sf, bw) for sf in range(7, 13) for bw in (125_000, 250_000, 500_000)]
    heard = [
        m for m in choices
        if sensitivity_dbm(LORASIM_MEASURED, m.spreading_factor, m.bandwidth_hz) < rssi_dbm
    ]  # fmt: skip
    return min(heard, key=lambda m: airtime_s(m, PAYLOAD_BYTES))


def traffic(
    experiment: Experiment, nodes: int, span_s: float, rng: np.random.Generator, channels: int = 1
) -> Frames:
    """Every node in its place in the disc, sending at exponential intervals."""
    parts = []
    for _ in range(nodes):
        distance_m = experiment.radius_m * np.sqrt(rng.random())
        rssi_dbm = POWER_DBM - LORASIM.mean_db(distance_m)
        modulation = experiment.modulation or best_modulation(rssi_dbm)
        airtime = airtime_s(modulation, PAYLOAD_BYTES)
        most = int(span_s / MEAN_INTERVAL_S * 1.5 + 100)
        starts = np.cumsum(rng.exponential(MEAN_INTERVAL_S, most) + airtime) - airtime
        starts = starts[starts < span_s]
        constant = (
            airtime, symbol_s(modulation), 868_000_000 + 200_000 * int(rng.integers(channels)),
            modulation.bandwidth_hz, modulation.spreading_factor, rssi_dbm,
        )  # fmt: skip
        parts.append(np.column_stack([starts, np.tile(constant, (len(starts), 1))]))
    table = np.concatenate(parts)
    table = table[np.argsort(table[:, 0])]
    whole = table[:, 3:6].astype(np.int64)
    return Frames(
        table[:, 0], table[:, 1], table[:, 2], whole[:, 0], whole[:, 1], whole[:, 2], table[:, 6]
    )


def delivery_ratio(
    experiment: Experiment, nodes: int, rules: Rules, span_s: float, seed: int, channels: int = 1
) -> tuple[float, int]:
    """The share that arrives, and of how many frames."""
    frames = traffic(experiment, nodes, span_s, np.random.default_rng(seed), channels)
    return float(received(frames, LORASIM_MEASURED, rules, 8).mean()), len(frames.start_s)

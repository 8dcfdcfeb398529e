"""The rules of `channel` for very many frames at one ear that never sends, in numpy: for curves.

Promises the decisions of `channel.Channel` for a concentrator that listens to everything. Pairs
are looked at by how many places apart they start, so that time grows with frames x crowding.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.sim.channel import Rules
from firmware.sim.channel_models import Sensitivity, sensitivity_dbm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Frames:
    """One entry a frame, in order of `start_s`. `symbol_s` is what the preamble is counted in."""

    start_s: Floats
    airtime_s: Floats
    symbol_s: Floats
    frequency_hz: Ints
    bandwidth_hz: Ints
    spreading_factor: Ints
    rssi_dbm: Floats
    preamble_symbols: int = 8

    @property
    def end_s(self) -> Floats:
        return self.start_s + self.airtime_s


def received(frames: Frames, sensitivity: Sensitivity, rules: Rules, demodulators: int) -> Bools:
    """Which of the frames the ear receives."""
    alive = _audible(frames, sensitivity)
    alive &= _demodulated(frames, alive, demodulators)
    return alive & ~_destroyed(frames, rules)


def _audible(frames: Frames, sensitivity: Sensitivity) -> Bools:
    least = np.empty(len(frames.start_s))
    for sf, bandwidth in {*zip(frames.spreading_factor, frames.bandwidth_hz, strict=True)}:
        these = (frames.spreading_factor == sf) & (frames.bandwidth_hz == bandwidth)
        least[these] = sensitivity_dbm(sensitivity, int(sf), int(bandwidth))
    return np.asarray(frames.rssi_dbm >= least)


def _demodulated(frames: Frames, audible: Bools, demodulators: int) -> Bools:
    """Whether a demodulator was free; walks one by one only where they are ever all busy."""
    free = np.ones(len(audible), dtype=bool)
    start_s, end_s = frames.start_s[audible], frames.end_s[audible]
    on_air = np.arange(1, len(start_s) + 1) - np.searchsorted(np.sort(end_s), start_s, "right")
    if not len(on_air) or on_air.max() <= demodulators:
        return free
    busy: list[float] = []
    places = np.flatnonzero(audible)
    for place, begins_s, ends_s in zip(places, start_s, end_s, strict=True):
        while busy and busy[0] <= begins_s:
            heapq.heappop(busy)
        if len(busy) < demodulators:
            heapq.heappush(busy, ends_s)
        else:
            free[place] = False
    return free


def _destroyed(frames: Frames, rules: Rules) -> Bools:
    end_s = frames.end_s
    missable = max(0, frames.preamble_symbols - rules.needed_preamble_symbols)
    needed_s = frames.start_s + missable * frames.symbol_s
    hurts_s = frames.start_s if rules.late_start_hurts else needed_s
    isolation = np.array(rules.isolation, dtype=float)
    destroyed = np.zeros(len(end_s), dtype=bool)
    for one, two in _overlapping(frames.start_s, end_s):
        widest = np.maximum(frames.bandwidth_hz[one], frames.bandwidth_hz[two])
        apart = np.abs(frames.frequency_hz[one] - frames.frequency_hz[two])
        meet = apart <= widest * 6 // 25  # 30 kHz of 125, as channel_models.overlap_hz
        for wanted, other in ((one, two), (two, one)):
            late = (end_s[other] > needed_s[wanted]) & (hurts_s[other] < end_s[wanted])
            over_db = frames.rssi_dbm[wanted] - frames.rssi_dbm[other]
            rows, columns = frames.spreading_factor[wanted], frames.spreading_factor[other]
            weak = over_db < isolation[rows - 7, columns - 7]
            destroyed[wanted[meet & late & weak]] = True
    return destroyed


def _overlapping(start_s: Floats, end_s: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Pairs on the air at one time, (earlier, later), those equally many places apart together."""
    last_end_s = np.maximum.accumulate(end_s)
    for apart in range(1, len(start_s)):
        if not (start_s[apart:] < last_end_s[:-apart]).any():
            return
        earlier = np.flatnonzero(start_s[apart:] < end_s[:-apart])
        yield earlier, earlier + apart

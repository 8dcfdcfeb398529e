"""The radio channel: who hears what of the frames that are on the air. Pure; time is an argument.

A frame is heard by an ear when all of this holds:
- it arrives at the ear's sensitivity or stronger: power - path loss + fading (drawn per frame and
  ear);
- the ear is tuned to it, was so without a break from the frame's last five preamble symbols on (the
  first ones may be missed, as in LoRaSim), and did not send meanwhile: radios are half-duplex;
- the ear had a demodulator free when the frame began: a modem has 1, a concentrator 8;
- against every other frame that overlaps it in frequency and in that time, it is at least as much
  stronger as `isolation` wants of its spreading factor against the other's.

Does not model: the sum of several weak interferers (thresholds are measured pairwise, Croce 2018),
spreading factors of different bandwidths that happen to share a slope, or IQ inversion: a unit that
listens locks onto another unit's frame just as onto the base's.

Calls must come in order of time. `channel_batch` is the same for many frames at one ear, in numpy.
"""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from firmware.sim.channel_models import (
    CROCE,
    MOST_SNR_DB,
    NODE,
    NOISE_DBM_125K,
    SPREADING_FACTORS,
    Isolation,
    Sensitivity,
    overlap_hz,
    sensitivity_dbm,
)
from firmware.wire.airtime import Modulation, airtime_s, symbol_s

MOST_FADING = 5.0  # standard deviations; once in three million frames it would be more


@dataclass(frozen=True)
class Rules:
    """What the channel does to frames. `late_start_hurts`: a frame that begins while another is in
    its last symbols disturbs it from its own first symbol on; False is LoRaSim's reading, where
    only what follows the first preamble symbols does."""

    isolation: Isolation = CROCE
    fading_db: float = 0.0
    needed_preamble_symbols: int = 5
    late_start_hurts: bool = True


@dataclass(frozen=True, eq=False)
class Signal:
    """One frame on the air."""

    sender: str
    start_s: float
    frequency_hz: int
    modulation: Modulation
    power_dbm: float
    frame: bytes
    airtime_s: float = field(init=False)
    end_s: float = field(init=False)

    def __post_init__(self) -> None:
        airtime = airtime_s(self.modulation, len(self.frame))
        object.__setattr__(self, "airtime_s", airtime)
        object.__setattr__(self, "end_s", self.start_s + airtime)


@dataclass(frozen=True)
class Reception:
    """An ear has heard the whole frame, at `signal.end_s`."""

    ear: str
    signal: Signal
    rssi_dbm: float
    snr_db: float


@dataclass(frozen=True)
class Tuned:
    """What an ear can hear; no spreading factors: all of them."""

    channels_hz: Collection[int]
    bandwidth_hz: int = 125_000
    spreading_factors: Collection[int] = ()

    def settings(self) -> "list[_Setting]":
        """Every setting of a sender that it hears."""
        factors = self.spreading_factors or SPREADING_FACTORS
        return [(hz, self.bandwidth_hz, sf) for hz in self.channels_hz for sf in factors]


_Setting = tuple[int, int, int]  # frequency, bandwidth, spreading factor


@dataclass(eq=False)
class _Ear:
    name: str
    sensitivity: Sensitivity
    demodulators: int
    tuned: Tuned | None = None
    since_s: float = 0.0  # listens without a break since; in the future while it sends
    locked: "set[_Flight]" = field(default_factory=set)


@dataclass(eq=False)
class _Flight:
    signal: Signal
    setting: _Setting
    needed_from_s: float
    rssi_dbm: dict[str, float] = field(default_factory=dict)
    ears: list[_Ear] = field(default_factory=list)  # those that have a demodulator on it


class Channel:
    """`path(sender, ear)` is the loss in dB. `losses` counts, by (ear, reason), frames that an ear
    tuned to them did not get: `collision`, `deaf` (it sent meanwhile, or was tuned anew), and
    `no_demodulator`; frames below its sensitivity are not in it."""

    def __init__(
        self, path: Callable[[str, str], float], rng: random.Random, rules: Rules | None = None
    ) -> None:
        self._path, self._rng, self._rules = path, rng, rules or Rules()
        self._ears: dict[str, _Ear] = {}
        self._tuned: defaultdict[_Setting, dict[str, _Ear]] = defaultdict(dict)
        self._reach: dict[tuple[str, _Setting, float], list[_Ear]] = {}
        self._flights: list[_Flight] = []  # on the air, or overlapping one that is
        self._ends: list[tuple[float, int, _Flight]] = []
        self._count = 0
        self._heard: list[Reception] = []
        self.losses: Counter[tuple[str, str]] = Counter()

    def add_ear(self, name: str, sensitivity: Sensitivity = NODE, demodulators: int = 1) -> None:
        """A radio by the name that it also sends under; deaf until it listens."""
        if name in self._ears:
            raise ValueError(f"there is a radio {name!r} already")
        self._ears[name] = _Ear(name, sensitivity, demodulators)

    def listen(self, name: str, now_s: float, tuned: Tuned | None) -> None:
        """From now on it listens to this, None for nothing; what it was receiving is lost. While it
        sends it is deaf, and listens by itself afterwards."""
        self._advance(now_s)
        ear = self._ears[name]
        self._drop(ear)
        for setting in ear.tuned.settings() if ear.tuned else ():
            del self._tuned[setting][name]
        for setting in tuned.settings() if tuned else ():
            self._tuned[setting][name] = ear
        self._reach.clear()
        ear.tuned, ear.since_s = tuned, max(now_s, ear.since_s)
        self._catch_up(ear)

    def send(self, signal: Signal) -> None:
        """The frame is on the air from `signal.start_s`, which is now. Raises ValueError for a
        modulation that the models do not know."""
        m = signal.modulation
        sensitivity_dbm(NODE, m.spreading_factor, m.bandwidth_hz)
        self._advance(signal.start_s)
        missable = max(0, m.preamble_symbols - self._rules.needed_preamble_symbols)
        setting = (signal.frequency_hz, m.bandwidth_hz, m.spreading_factor)
        flight = _Flight(signal, setting, signal.start_s + missable * symbol_s(m))
        self._flights.append(flight)
        self._count += 1
        heapq.heappush(self._ends, (signal.end_s, self._count, flight))
        own = self._ears.get(signal.sender)
        if own is not None:
            self._drop(own)
            own.since_s = signal.end_s
        for ear in self._within_reach(signal, setting):
            self._lock(ear, flight)

    def heard(self, now_s: float) -> list[Reception]:
        """What has been received by now and was not asked for yet, in order of the frames' ends."""
        self._advance(now_s)
        heard, self._heard = self._heard, []
        return heard

    @property
    def next_end_s(self) -> float | None:
        """When the next frame ends; None when the air is quiet."""
        return self._ends[0][0] if self._ends else None

    def sending(self, name: str, now_s: float) -> bool:
        """Whether this radio has a frame on the air."""
        return any(f.signal.sender == name and f.signal.end_s > now_s for f in self._flights)

    def _within_reach(self, signal: Signal, setting: _Setting) -> list[_Ear]:
        """The ears tuned to it that may hear it with the best of fading."""
        key = (signal.sender, setting, signal.power_dbm)
        ears = self._reach.get(key)
        if ears is None:
            _, bandwidth_hz, factor = setting
            best_dbm = signal.power_dbm + MOST_FADING * self._rules.fading_db
            ears = self._reach[key] = [
                ear for ear in self._tuned[setting].values()
                if ear.name != signal.sender
                and best_dbm - self._path(signal.sender, ear.name)
                >= sensitivity_dbm(ear.sensitivity, factor, bandwidth_hz)
            ]  # fmt: skip
        return ears

    def _lock(self, ear: _Ear, flight: _Flight) -> None:
        """Give the frame a demodulator, if it is strong enough, in time, and one is free."""
        signal = flight.signal
        if signal.sender == ear.name:
            return
        m = signal.modulation
        least_dbm = sensitivity_dbm(ear.sensitivity, m.spreading_factor, m.bandwidth_hz)
        if self._rssi_dbm(ear, flight) < least_dbm:
            return
        if ear.since_s > flight.needed_from_s:
            self.losses[ear.name, "deaf"] += 1
        elif len(ear.locked) >= ear.demodulators:
            self.losses[ear.name, "no_demodulator"] += 1
        else:
            ear.locked.add(flight)
            flight.ears.append(ear)

    def _catch_up(self, ear: _Ear) -> None:
        """It has begun to listen: frames whose needed part is still to come can be received."""
        for flight in self._flights:
            if flight.needed_from_s >= ear.since_s and ear.name in self._tuned[flight.setting]:
                self._lock(ear, flight)

    def _drop(self, ear: _Ear) -> None:
        for flight in ear.locked:
            flight.ears.remove(ear)
            self.losses[ear.name, "deaf"] += 1
        ear.locked.clear()

    def _advance(self, now_s: float) -> None:
        """Everything that has ended by now is decided, in order."""
        while self._ends and self._ends[0][0] <= now_s:
            _, _, flight = heapq.heappop(self._ends)
            self._end(flight)

    def _end(self, flight: _Flight) -> None:
        for ear in flight.ears:
            ear.locked.remove(flight)
            self._decide(ear, flight)
        oldest_s = min((f.signal.start_s for _, _, f in self._ends), default=flight.signal.end_s)
        self._flights = [f for f in self._flights if f.signal.end_s > oldest_s]

    def _decide(self, ear: _Ear, flight: _Flight) -> None:
        signal, rssi_dbm = flight.signal, self._rssi_dbm(ear, flight)
        if any(self._destroys(ear, other, flight) for other in self._flights):
            self.losses[ear.name, "collision"] += 1
            return
        noise_dbm = NOISE_DBM_125K + {125_000: 0, 250_000: 3}.get(signal.modulation.bandwidth_hz, 6)
        snr_db = min(rssi_dbm - noise_dbm, MOST_SNR_DB)
        self._heard.append(Reception(ear.name, signal, rssi_dbm, snr_db))

    def _destroys(self, ear: _Ear, other: _Flight, wanted: _Flight) -> bool:
        one, two = wanted.signal, other.signal
        if other is wanted or two.sender == ear.name:
            return False
        hurts_from_s = two.start_s if self._rules.late_start_hurts else other.needed_from_s
        if two.end_s <= wanted.needed_from_s or hurts_from_s >= one.end_s:
            return False
        reach_hz = overlap_hz(one.modulation.bandwidth_hz, two.modulation.bandwidth_hz)
        if abs(one.frequency_hz - two.frequency_hz) > reach_hz:
            return False
        row = self._rules.isolation[one.modulation.spreading_factor - 7]
        over_db = self._rssi_dbm(ear, wanted) - self._rssi_dbm(ear, other)
        return over_db < row[two.modulation.spreading_factor - 7]

    def _rssi_dbm(self, ear: _Ear, flight: _Flight) -> float:
        known = flight.rssi_dbm.get(ear.name)
        if known is None:
            signal = flight.signal
            known = signal.power_dbm - self._path(signal.sender, ear.name)
            if self._rules.fading_db:
                known += self._rng.gauss(0.0, self._rules.fading_db)
            flight.rssi_dbm[ear.name] = known
        return known

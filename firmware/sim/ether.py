"""The air that emulated modems share, in real time or on a virtual timeline. Thread-safe.

Promises the rules of `channel`, and on top of them that a share `loss` of the frames that would be
heard is not, evenly or in bursts, drawn per direction of a link. `hear` is called on the timeline's
thread when the frame has ended, never under a lock of ours. In real time a callback comes as late
as the machine is busy; what is decided by it is still decided by the frames' own times.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from firmware.radio.port import Heard, Tuning
from firmware.sim.channel import Channel, Reception, Rules, Signal, Tuned
from firmware.sim.channel_loss import LossKind, Lost, frame_loss
from firmware.sim.channel_models import GATEWAY, NODE
from firmware.sim.timeline import RealTimeline, Timeline
from firmware.wire.airtime import Modulation

NEAR_DB = 90.0  # loss of every link when no path is given: strong, far from deafening


class Ether:
    """`path(sender, listener)` is the loss in dB. On a `Timeline` nothing happens but by its
    `run_until`; without one, a thread of our own keeps real time until `close`."""

    def __init__(
        self,
        rng: random.Random,
        loss: float = 0.0,
        loss_kind: LossKind = "independent",
        path: Callable[[str, str], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        timeline: Timeline | None = None,
        rules: Rules | None = None,
    ) -> None:
        self._rng, self._loss, self._loss_kind = rng, loss, loss_kind
        self._channel = Channel(path or (lambda sender, ear: NEAR_DB), rng, rules)
        self._real = None if timeline is not None else RealTimeline(monotonic)
        self._timeline = timeline if timeline is not None else self._real
        self._lock = threading.Lock()
        self._hear: dict[str, Callable[[Heard], None]] = {}
        self._lost: dict[tuple[str, str], Lost] = {}
        self.counts: Counter[str] = Counter()
        frame_loss(rng, loss, loss_kind)  # refuses bad values now rather than at the first frame

    def attach(
        self, name: str, hear: Callable[[Heard], None], *, concentrator: bool = False
    ) -> "Station":
        """A radio on the air: a modem, or a concentrator (8 demodulators, more sensitive)."""
        with self._lock:
            if concentrator:
                self._channel.add_ear(name, GATEWAY, 8)
            else:
                self._channel.add_ear(name, NODE, 1)
            self._hear[name] = hear
        return Station(self, name)

    def set_loss(self, loss: float, kind: LossKind = "independent") -> None:
        """From now on this share is lost on every link."""
        with self._lock:
            frame_loss(self._rng, loss, kind)
            self._loss, self._loss_kind = loss, kind
            self._lost.clear()

    def losses(self, listener: str | None = None) -> Counter[str]:
        """Why tuned listeners did not get frames so far: the reasons of `Channel.losses`, and
        `loss`. Of one listener, or of all."""
        with self._lock:
            counted = self._channel.losses.items()
            total: Counter[str] = Counter()
            for (ear, reason), count in counted:
                total[reason] += count * (listener in (None, ear))
        return +total

    def close(self) -> None:
        """Nothing is heard after this; the thread is gone."""
        if self._real is not None:
            self._real.close()

    def _now_s(self) -> float:
        assert self._timeline is not None
        return self._timeline.monotonic()

    def _tune(self, name: str, tuned: Tuned | None) -> None:
        with self._lock:
            self._channel.listen(name, self._now_s(), tuned)

    def _transmit(self, name: str, frame: bytes, tuning: Tuning) -> float:
        with self._lock:
            now_s = self._now_s()
            if self._channel.sending(name, now_s):
                raise ValueError(f"{name} is sending already: a radio sends one frame at a time")
            signal = Signal(
                name, now_s, tuning.frequency_hz, tuning.modulation, tuning.power_dbm, bytes(frame)
            )
            self._channel.send(signal)
            self.counts["sent"] += 1
        assert self._timeline is not None
        self._timeline.at(signal.end_s, self._deliver)
        return signal.airtime_s

    def _deliver(self) -> None:
        with self._lock:
            heard = [r for r in self._channel.heard(self._now_s()) if not self._is_lost(r)]
            self.counts["heard"] += len(heard)
            calls = [(self._hear[r.ear], r) for r in heard]
        for hear, r in calls:
            hear(Heard(r.signal.frame, r.rssi_dbm, r.snr_db))

    def _is_lost(self, reception: Reception) -> bool:
        if not self._loss:
            return False
        link = (reception.signal.sender, reception.ear)
        if link not in self._lost:
            self._lost[link] = frame_loss(self._rng, self._loss, self._loss_kind)
        lost = self._lost[link]()
        self._channel.losses[reception.ear, "loss"] += lost
        return lost


class Station:
    """One radio's hands on the air. A station that sends or does not listen hears nothing."""

    def __init__(self, ether: Ether, name: str) -> None:
        self._ether, self.name = ether, name

    def listen(self, frequency_hz: int, modulation: Modulation | None) -> None:
        """Listen to this from now on, None to stop. Listening goes on by itself after a frame of
        our own has been sent; what was being received when it began is lost."""
        if modulation is None:
            self._ether._tune(self.name, None)
            return
        tuned = Tuned(
            frozenset((frequency_hz,)), modulation.bandwidth_hz,
            frozenset((modulation.spreading_factor,)),
        )  # fmt: skip
        self._ether._tune(self.name, tuned)

    def listen_all(self, channels_hz: tuple[int, ...]) -> None:
        """As a concentrator does: every spreading factor at 125 kHz on these channels."""
        self._ether._tune(self.name, Tuned(frozenset(channels_hz)))

    def transmit(self, frame: bytes, tuning: Tuning) -> float:
        """Puts the frame on the air and returns its airtime in seconds at once; raises ValueError
        while the frame before is still being sent."""
        return self._ether._transmit(self.name, frame, tuning)

"""The 8-channel gateway of a simulated fleet: a concentrator, and the base's real assembly.

It speaks our packets point to point, as `rosette base gateway` does with a radio of one channel; a
LoRaWAN network on the same hardware answers in its own windows, a second or two later.

Promises the law: what it may not send now is not sent, and the unit asks again; of the law's
airtime as much is kept for answers to alerts as by `base.gateway.duty`. It sends one frame at a
time and is deaf meanwhile. It answers on the channel and spreading factor that the unit is
provisioned with.

Keys and replay windows are kept in memory, but sealed and opened by the real wire.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from firmware.base.gateway.assembly import Assembly, Down, Publish
from firmware.base.gateway.duty import KEPT_FOR_ALERTS
from firmware.fleet.scenario import GATEWAY_NAME, Site, channels_hz, power_dbm
from firmware.fleet.store import COMMIT_S, Store
from firmware.fleet.virtual_radio import Log
from firmware.radio.port import Heard, Tuning
from firmware.sim.ether import Ether
from firmware.sim.timeline import Timeline
from firmware.wire.airtime import airtime_s
from firmware.wire.errors import WireError
from firmware.wire.ledger import WINDOW_S, Ledger
from firmware.wire.objects import Rejected, Stored, unpack_receipts
from firmware.wire.packet import (
    RECEIPT,
    Direction,
    Keys,
    overhead_bytes,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.regions import Band, Region
from firmware.wire.replay import ReplayWindow

PATIENCE_S = 5.0
TURNAROUND_S = 0.05  # the unit's modem needs it to listen again
EPOCH = 0


@dataclass
class _Peer:
    """What the gateway knows of one unit."""

    keys: Keys
    tuning: Tuning
    window: ReplayWindow
    counter: int = 0


class Gateway:
    """One concentrator in the middle."""

    def __init__(
        self, region: Region, sites: Iterable[Site], keys: Mapping[int, Keys], ether: Ether,
        timeline: Timeline, store: Store, log: Log,
    ) -> None:  # fmt: skip
        self._region, self._timeline, self._store, self._log = region, timeline, store, log
        self._peers = {s.unit: _Peer(keys[s.unit], _down(region, s), ReplayWindow()) for s in sites}
        self._assembly = Assembly()
        self._station = ether.attach(GATEWAY_NAME, self._hear, concentrator=True)
        self._station.listen_all(channels_hz(region))
        self._waiting: list[tuple[bool, float, Down]] = []
        self._sending = False
        self._ledgers: dict[Band, Ledger] = {}
        self.counts: Counter[str] = Counter()
        self.airtime_s = 0.0

    def _hear(self, heard: Heard) -> None:
        try:
            unit, port, payload = self._open(heard.frame)
        except WireError:
            self.counts["refused"] += 1
            return
        self.counts["heard"] += 1
        self._do(self._assembly.heard(unit, port, payload, self._timeline.monotonic()))

    def _open(self, frame: bytes) -> tuple[int, int, bytes]:
        header = parse_header(frame)
        peer = self._peers.get(header.unit)
        if peer is None:
            raise WireError(f"unit {header.unit} is not of this fleet")
        counter = peer.window.counter_of(header.counter_low)
        payload = unseal(peer.keys.up, Direction.UP, EPOCH, counter, frame)
        peer.window = peer.window.accept(counter)
        return header.unit, header.port, payload

    def _do(self, orders: Iterable[Publish | Down]) -> None:
        now_s = self._timeline.monotonic()
        for order in orders:
            if isinstance(order, Down):
                self._timeline.at(now_s + TURNAROUND_S, partial(self._say, order))
            else:
                self._timeline.at(now_s + COMMIT_S, partial(self._committed, order))

    def _say(self, down: Down) -> None:
        entries = unpack_receipts(down.payload) if down.port == RECEIPT else ()
        alert = any(isinstance(entry, Stored | Rejected) for entry in entries)
        self._waiting.append((alert, self._timeline.monotonic(), down))
        self._send_next()

    def _committed(self, message: Publish) -> None:
        now_s = self._timeline.monotonic()
        receipt = self._store.take(message, now_s)
        self._do(self._assembly.receipt(receipt, now_s))

    def _send_next(self) -> None:
        """Answers to alerts first, then the oldest that is still worth it; what the law does not
        let go is dropped."""
        now_s = self._timeline.monotonic()
        while self._waiting and not self._sending:
            first = min(self._waiting, key=lambda waiting: (not waiting[0], waiting[1]))
            self._waiting.remove(first)
            alert, since_s, down = first
            if now_s - since_s <= PATIENCE_S and self._may_send(down, alert, now_s):
                self._send(down, now_s)
            else:
                self.counts["unsaid"] += 1

    def _may_send(self, down: Down, alert: bool, now_s: float) -> bool:
        tuning = self._peers[down.unit].tuning
        band = self._region.band_of(tuning.frequency_hz)
        if band.duty_cycle is None:
            return True
        air_s = airtime_s(tuning.modulation, overhead_bytes(down.port) + len(down.payload))
        limit_s = band.duty_cycle * WINDOW_S * (1.0 if alert else 1 - KEPT_FOR_ALERTS)
        ledger = self._ledgers.get(band, Ledger())
        if ledger.wait_s(now_s, air_s, limit_s) > 0:
            return False
        self._ledgers[band] = ledger.after(now_s, air_s)
        return True

    def _send(self, down: Down, now_s: float) -> None:
        peer = self._peers[down.unit]
        frame = seal(
            peer.keys.down, Direction.DOWN, EPOCH, down.unit, down.port, peer.counter, down.payload
        )
        peer.counter += 1
        air_s = self._station.transmit(frame, peer.tuning)
        self.airtime_s += air_s
        self.counts["sent"] += 1
        self._log(GATEWAY_NAME, peer.tuning.frequency_hz, now_s, air_s)
        self._sending = True
        self._timeline.at(now_s + air_s, self._sent)

    def _sent(self) -> None:
        self._sending = False
        self._send_next()


def _down(region: Region, site: Site) -> Tuning:
    """As the unit, at the gateway's own power."""
    frequency_hz = site.tuning.frequency_hz
    return Tuning(frequency_hz, site.tuning.modulation, power_dbm(region, frequency_hz))

"""The road through a radio of our own: what is heard and proved, what is said and when.

Promises
- A frame that is not proved to be new and a unit's own is counted, told, and does nothing else.
- All that a unit is due goes into one packet, not before `guard_s` after the end of what it sent
  (it needs a moment to turn from sending to listening), and not after `window_s`, when it has
  stopped: then it is dropped, as the unit will ask again. Answers to alerts go first.
- No frame leaves that the band's duty cycle does not allow.

While it sends, the radio is deaf to all others: answers are short, and nothing is said that was
not asked for. It cannot know whether another unit is on the air just then.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from firmware.base.gateway.assembly import Down
from firmware.base.gateway.complaints import Complaints
from firmware.base.gateway.duty import Duty
from firmware.base.gateway.peers import Packet, Peers, Unknown
from firmware.base.gateway.state import StateError
from firmware.radio.counter import CounterError
from firmware.radio.key_file import KeyUnusable
from firmware.radio.port import Heard
from firmware.radio.worker import NotSent, RadioDown, RadioUp, Received, Sent
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.errors import WireError
from firmware.wire.ids import format_unit
from firmware.wire.objects import Entry, Rejected, Stored, pack_receipts, unpack_receipts
from firmware.wire.packet import COMMAND, RECEIPT, Forged, overhead_bytes
from firmware.wire.replay import Replayed

BUSY_S = 0.2
_REASONS: dict[type[Exception], str] = {
    Unknown: "unknown", Replayed: "replayed", Forged: "forged", KeyUnusable: "key",
}  # fmt: skip

log = logging.getLogger(__name__)


class Worker(Protocol):
    """What sends; radio/worker.py has it."""

    def send(self, frame: bytes, token: int) -> None: ...


@dataclass
class _Turn:
    """What one unit is due, and when it listens."""

    unit: int
    from_s: float
    until_s: float
    entries: list[Entry] = field(default_factory=list)
    orders: list[bytes] = field(default_factory=list)

    @property
    def is_for_alert(self) -> bool:
        return any(isinstance(entry, Stored | Rejected) for entry in self.entries)


class P2p:
    """The units within reach of one radio."""

    def __init__(
        self,
        worker: Worker,
        peers: Peers,
        duty: Duty,
        modulation: Modulation,
        most_bytes: int,
        guard_s: float,
        window_s: float,
        tell: Complaints,
    ) -> None:
        """`most_bytes`: the longest frame that may be sent."""
        self._worker = worker
        self._peers = peers
        self._duty = duty
        self._modulation = modulation
        self._most_bytes = most_bytes
        self._guard_s = guard_s
        self._window_s = window_s
        self._tell = tell
        self._told: set[str] = set()
        self._heard_s: dict[int, float] = {}
        self._turns: dict[int, _Turn] = {}
        self._flying: _Turn | None = None
        self._token = 0

    def hear(self, event: object, now_s: float) -> Packet | None:
        """Take an event of the radio's; the packet in a frame that ended just now, if it is one."""
        match event:
            case Received():
                return self._open(event.heard, now_s)
            case Sent() | NotSent():
                self._landed(event, now_s)
            case RadioUp():
                log.info("radio_up")
                self._told.discard("radio_down")
            case RadioDown():
                self._tell_error("radio_down", event.reason)
        return None

    def say(self, down: Down, now_s: float) -> None:
        """Answer a unit while it listens."""
        heard_s = self._heard_s.get(down.unit, now_s)
        turn = self._turns.setdefault(down.unit, _Turn(down.unit, 0.0, 0.0))
        turn.from_s = heard_s + self._guard_s
        turn.until_s = heard_s + self._window_s
        if down.port == RECEIPT:
            said = unpack_receipts(down.payload)
            turn.entries = [e for e in turn.entries if not _replaced(e, said)] + list(said)
        else:
            turn.orders.append(down.payload)

    def keep(self, now_s: float) -> float | None:
        """Send what is due, and say in how many seconds to ask again."""
        for turn in [turn for turn in self._turns.values() if turn.until_s <= now_s]:
            log.warning("unsaid unit=%s: it has stopped listening", format_unit(turn.unit))
            del self._turns[turn.unit]
        if self._flying is not None:
            return None
        waits_s = []
        for turn in sorted(self._turns.values(), key=lambda t: (not t.is_for_alert, t.from_s)):
            wait_s = turn.from_s - now_s
            if wait_s <= 0:
                duty_s = self._send(turn)
                if duty_s is None:
                    return None
                wait_s = duty_s
            waits_s.append(min(wait_s, turn.until_s - now_s))
        return min(waits_s, default=None)

    def close(self) -> None:
        """Let keys and counters go; the worker is somebody else's."""
        self._peers.close()

    def _open(self, heard: Heard, now_s: float) -> Packet | None:
        try:
            packet = self._peers.open(heard.frame)
        except (WireError, KeyUnusable) as error:
            self._tell(_REASONS.get(type(error), "noise"), str(error))
            return None
        except (StateError, CounterError) as error:
            self._tell_error("not_heard", str(error))
            return None
        self._told.discard("not_heard")
        self._heard_s[packet.unit] = now_s
        log.debug(
            "heard unit=%s port=%d bytes=%d rssi_dbm=%.0f snr_db=%.1f",
            format_unit(packet.unit), packet.port, len(packet.payload), heard.rssi_dbm,
            heard.snr_db,
        )  # fmt: skip
        return packet

    def _landed(self, event: Sent | NotSent, now_s: float) -> None:
        """What became of the frame that was handed over last."""
        turn = self._flying
        if turn is None or event.token != self._token:
            return
        self._flying = None
        self._duty.over()
        if isinstance(event, NotSent):
            log.warning("not_sent unit=%s reason=%s", format_unit(turn.unit), ascii(event.reason))
            self._try_again(turn, now_s)

    def _send(self, turn: _Turn) -> float | None:
        """Hand the unit's next frame to the radio, or say how long it must wait."""
        port, payload = self._next_payload(turn)
        air_s = airtime_s(self._modulation, overhead_bytes(port) + len(payload))
        wait_s = self._duty.wait_s(air_s, alert=turn.is_for_alert)
        if wait_s > 0:
            return wait_s
        try:
            frame = self._peers.seal(turn.unit, port, payload)
            self._duty.enter(air_s)
        except (CounterError, StateError, Unknown, KeyUnusable) as error:
            self._tell_error("not_sent", str(error))
            return self._window_s
        self._told.discard("not_sent")
        self._flying = self._take(turn, port)
        self._token += 1
        self._worker.send(frame, self._token)
        return None

    def _next_payload(self, turn: _Turn) -> tuple[int, bytes]:
        if not turn.entries:
            return COMMAND, turn.orders[0]
        most = self._most_bytes - overhead_bytes(RECEIPT)
        count = len(turn.entries)
        while len(payload := pack_receipts(turn.entries[:count])) > most and count > 1:
            count -= 1
        return RECEIPT, payload

    def _take(self, turn: _Turn, port: int) -> _Turn:
        """Take out of a unit's turn what is in its next frame."""
        flying = _Turn(turn.unit, turn.from_s, turn.until_s)
        if port == COMMAND:
            flying.orders = [turn.orders.pop(0)]
        else:
            count = len(unpack_receipts(self._next_payload(turn)[1]))
            flying.entries, turn.entries = turn.entries[:count], turn.entries[count:]
        if not turn.entries and not turn.orders:
            del self._turns[turn.unit]
        return flying

    def _try_again(self, flown: _Turn, now_s: float) -> None:
        turn = self._turns.setdefault(flown.unit, flown)
        if turn is not flown:
            turn.entries[:0] = [e for e in flown.entries if not _replaced(e, turn.entries)]
            turn.orders = flown.orders + turn.orders
        turn.from_s = max(turn.from_s, now_s + BUSY_S)

    def _tell_error(self, event: str, reason: str) -> None:
        """An ERROR, once until it is over: somebody must come."""
        if event not in self._told:
            log.error("%s reason=%s", event, ascii(reason))
        self._told.add(event)


def _replaced(old: Entry, new: Sequence[Entry]) -> bool:
    """Whether a newer entry says something of the same thing."""
    return _about(old) in {_about(entry) for entry in new}


def _about(entry: Entry) -> tuple[bool, int]:
    if isinstance(entry, Stored | Rejected):
        return True, entry.sighting
    return False, entry.object

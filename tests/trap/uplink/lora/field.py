"""A unit's LoRa uplink and a base, on a virtual clock and a channel that loses what it is told to.

The base is the gateway's own `Assembly` with a store that answers at once; frames take their time
on air, and while one side sends it hears nothing.
"""

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware.base.gateway.assembly import Assembly, Publish
from firmware.base.gateway.assembly import Down as SayDown
from firmware.sim.clock import VirtualClock
from firmware.trap.outbox import Item
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import AirEvent, Down, Heard, NotSent, Sent, Up
from firmware.trap.uplink.lora.encode import Encoded
from firmware.trap.uplink.lora.memory import MemoryQueue, MemoryState
from firmware.trap.uplink.lora.uplink import Hooks, LoraUplink
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.alert import on_air
from firmware.wire.ids import ItemId, parse_unit
from firmware.wire.packet import overhead_bytes
from firmware.wire.picture import HEAD_BYTES
from firmware.wire.records import Receipt, Sighting, dump_record
from firmware.wire.topics import parse_up_topic

UNIT = "T0007"
BASE_S = 0.1  # what the base needs to store and answer
PREVIEW, REFINEMENT = bytes(range(250)) * 2, bytes(range(256)) * 12


def settings(**changes: Any) -> Lora:
    given: dict[str, Any] = {"port": "/dev/null", "region": "RU864", "key_file": "/dev/null"}
    return Lora(**(given | changes))


def sighting(number: int, species: str = "leopard") -> Sighting:
    return on_air(
        Sighting(UNIT, number, 1_700_000_000.0, species, 0.97, 1, 3, True, "ntp", "01234567", 3)
    )


class Base:
    """The gateway's assembly with a store behind it that commits at once. `stored` may hold an item
    twice; `bodies` are what was stored."""

    def __init__(self) -> None:
        self.assembly = Assembly()
        self.stored: list[ItemId] = []
        self.bodies: list[bytes] = []
        self.deaf = False

    def hear(self, port: int, payload: bytes, now_s: float) -> list[tuple[int, bytes]]:
        """(port, payload) of each answer."""
        out = [] if self.deaf else list(self.assembly.heard(parse_unit(UNIT), port, payload, now_s))
        for message in list(out):
            if isinstance(message, Publish):
                out += self.assembly.receipt(self._store(message), now_s)
        return [(say.port, say.payload) for say in out if isinstance(say, SayDown)]

    def _store(self, message: Publish) -> Receipt:
        item = parse_up_topic(message.topic)
        body = message.payload[HEAD_BYTES:] if item.kind == "preview" else message.payload
        self.stored.append(item)
        self.bodies.append(body)
        return Receipt(str(item), hashlib.sha256(body).hexdigest(), "stored")


@dataclass
class Field:
    """`lost(port, up)`: whether this frame gets lost; `log`: (time, port, airtime) of ours."""

    how: Lora = field(default_factory=settings)
    lost: Callable[[int, bool], bool] = lambda port, up: False
    sf: int = 9
    limit_s: float = 36.0
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    state: Any = field(default_factory=MemoryState)
    hooks: Hooks = field(default_factory=Hooks)
    encode_s: float | None = None
    answer_s: float = 0.3
    seed: int = 0
    poll_s: float = 0.75

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.base = Base()
        self.log: list[tuple[float, int, float]] = []
        self.window_s = self.how.receipt_window_s + self.answer_s
        self._events: list[tuple[float, int, Any]] = []
        self._count = 0
        self._sending_until_s = -1.0
        self.steps = 0
        self.radio_on = True
        self.start()

    # The air, as the uplink sees it

    @property
    def spreading_factor(self) -> int:
        return self.sf

    def payload_bytes(self, port: int) -> int:
        return 200 - overhead_bytes(port)

    def airtime_s(self, port: int, payload_bytes: int) -> float:
        return airtime_s(Modulation(self.sf), payload_bytes + overhead_bytes(port))

    def send(self, port: int, payload: bytes, token: int) -> None:
        now_s, air_s = self.clock.monotonic(), self.airtime_s(port, len(payload))
        assert now_s >= self._sending_until_s, "one frame at a time"
        if not self.radio_on:
            self.later(0.0, NotSent(token, "no radio"))
            return
        self._sending_until_s = now_s + air_s
        self.log.append((now_s, port, air_s))
        self.later(air_s, Sent(token))
        if not self.lost(port, True):
            self.later(air_s, ("base", port, payload))

    def take(self, event: Any) -> AirEvent | None:
        return event if isinstance(event, AirEvent) else None

    def close(self) -> None:
        self.radio_on = False

    # The encoder

    def encode(self, item: Item, *, refinement: bool) -> Encoded | None:
        pictures = [("image/webp", PREVIEW), ("image/avif", REFINEMENT)][: 1 + refinement]
        result = Encoded(item.id, tuple(pictures))
        if self.encode_s is None:
            return result
        self.later(self.encode_s, result)
        return None

    # The world

    def start(self) -> None:
        """The unit boots, with what queue and state have: as after kill -9, nothing else is left.
        Its radio comes up, unless it is unplugged."""
        self.queue.release()
        self._sending_until_s = self.clock.monotonic()
        self._events = [e for e in self._events if isinstance(e[2], tuple)]
        self.uplink = LoraUplink(
            self.queue, self.state, self, self.how, _Encoder(self.encode), self.clock.now,
            self.clock.monotonic, random.Random(self.seed), self.hooks, self.poll_s,
        )  # fmt: skip
        if self.radio_on:
            self.later(0.0, Up())

    def put_alert(self, number: int, species: str = "leopard") -> None:
        body = dump_record(sighting(number, species))
        item = ItemId(parse_unit(UNIT), number, "sighting")
        self.queue.put(item, body, "application/json", 0, self.clock.now())
        self._woken()

    def put_crop(self, number: int) -> None:
        item = ItemId(parse_unit(UNIT), number, "preview")
        self.queue.put(item, b"crop %d" % number, "image/jpeg", 2, self.clock.now())
        self._woken()

    def _woken(self) -> None:
        if self.poll_s > 1:  # who does not look is told
            self.later(0.0, None)

    def later(self, after_s: float, event: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.clock.monotonic() + after_s, self._count, event))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Time passes; how much did until `until` held."""
        begin_s = self.clock.monotonic()
        end_s = begin_s + seconds
        wake_s = begin_s
        while not until():
            due_s = min(wake_s, self._events[0][0] if self._events else end_s, end_s)
            self.clock.advance(max(0.0, due_s - self.clock.monotonic()))
            if due_s >= end_s:
                break
            event = None
            if self._events and self._events[0][0] <= due_s:
                event = heapq.heappop(self._events)[2]
                if isinstance(event, tuple):
                    self._world(*event)
                    continue
            wait_s = self.uplink.step(event)
            self.steps += 1
            wake_s = float("inf") if wait_s is None else self.clock.monotonic() + wait_s + 1e-6
        return self.clock.monotonic() - begin_s

    def unplug(self) -> None:
        self.radio_on = False
        self.later(0.0, Down("unplugged"))

    def plug(self) -> None:
        self.radio_on = True
        self.later(0.0, Up())

    def _world(self, what: str, port: int, payload: bytes) -> None:
        now_s = self.clock.monotonic()
        if what == "base":
            for answer_port, said in self.base.hear(port, payload, now_s):
                air_s = self.airtime_s(answer_port, len(said))
                self.later(BASE_S + air_s, ("unit", answer_port, said))
        elif self._sending_until_s <= now_s and not self.lost(port, False):  # else we are deaf
            self.later(0.0, Heard(port, payload))


@dataclass
class _Encoder:
    start: Callable[..., Encoded | None]

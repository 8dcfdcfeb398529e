"""Units that come through a LoRaWAN network server: its messages to packets, answers to its queue.

Promises that a packet is given out once, however often the server repeats it; that only devices
named in the config count, each as its own unit; and that nothing but a packet or None comes of a
message, whatever is in it. The network has authenticated the device, and its own counters keep old
packets out; so there is no second encryption here, and whoever may publish on the server's topics
may speak for its devices.

Class A: an answer waits at the server for the unit's next packet, unless it is quick enough for
the receive windows of this one.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from firmware.base.gateway.assembly import Down
from firmware.base.gateway.connection import Connection
from firmware.base.gateway.peers import Packet
from firmware.wire.errors import WireError

MOST_REMEMBERED = 10_000
EXPIRY_S = 300.0


@dataclass(frozen=True)
class Uplink:
    """What a device sent. `names`: each tells this packet from all others; `reply_to`: the topic
    that takes an answer."""

    dev_eui: str
    port: int
    payload: bytes
    names: tuple[str, ...]
    reply_to: str


class Server(Protocol):
    """One kind of network server; chirpstack.py and things_stack.py have it."""

    filters: tuple[str, ...]
    qos: int

    def uplink(self, topic: str, payload: bytes) -> Uplink | None:
        """None for a message that is good but brings nothing from a device. Raises WireError."""

    def downlink(self, to: Uplink, port: int, payload: bytes, expires_s: float) -> bytes:
        """What to publish on `to.reply_to`; `expires_s`: unix seconds UTC."""


class Lorawan:
    """All devices of one network server."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        devices: Mapping[str, int],
        now: Callable[[], float],
        tell: Callable[[str, str], object],
    ) -> None:
        """`connection`: to the server's broker; `devices`: unit by DevEUI, 16 hex digits in lower
        case; `now`: unix seconds UTC; `tell(reason, detail)` hears of each message that is no
        good."""
        self.counts: Counter[str] = Counter()
        self._server = server
        self._connection = connection
        self._now = now
        self._devices = devices
        self._tell = tell
        self._names: OrderedDict[str, None] = OrderedDict()
        self._last: dict[int, Uplink] = {}

    def hear(self, event: object, now_s: float) -> Packet | None:
        """Take an event of the connection's; the packet in a message, if it brings a new one."""
        message = self._connection.hear(event)
        return None if message is None else self.packet(message.topic, message.payload)

    def packet(self, topic: str, payload: bytes) -> Packet | None:
        """The packet in a message, if it brings a new one."""
        try:
            uplink = self._server.uplink(topic, payload)
        except WireError as error:
            self._tell("event", str(error))
            return None
        if uplink is None:
            return None
        unit = self._devices.get(uplink.dev_eui)
        if unit is None:
            self._tell("device", f"{uplink.dev_eui} is no unit of ours")
            return None
        if self._is_repeated(uplink):
            self.counts["repeated"] += 1
            return None
        self._last[unit] = uplink
        return Packet(unit, uplink.port, uplink.payload)

    def say(self, down: Down, now_s: float) -> None:
        """Queue an answer at the server for a unit that was heard."""
        to = self._last.get(down.unit)
        if to is not None:
            expires_s = self._now() + EXPIRY_S
            message = self._server.downlink(to, down.port, down.payload, expires_s)
            self._connection.send(to.reply_to, message)

    def keep(self, now_s: float) -> float | None:
        """See `Connection.keep`."""
        return self._connection.keep()

    def close(self) -> None:
        """Say goodbye to the server."""
        self._connection.close()

    def _is_repeated(self, uplink: Uplink) -> bool:
        repeated = any(name in self._names for name in uplink.names)
        for name in uplink.names:
            self._names[name] = None
            self._names.move_to_end(name)
        while len(self._names) > MOST_REMEMBERED:
            self._names.popitem(last=False)
        return repeated

"""The gateway: from a radio of our own, or a LoRaWAN network server, to the base's broker and back.
Start reading at `run`, then `Gateway.step`.

What is guaranteed: a unit hears `Stored` or `Done` only after the base has committed the bytes. The
gateway itself holds nothing that it has acknowledged to anybody. A message that is lost between
here and the base, as broker or gateway are away, is published again when the unit asks again, and
units ask until they are answered; the base knows repetitions by their hash. Of commands too it
keeps none: the base sends them again until it has the unit's answer.

One thread decides everything; the radio and each broker have one more that only waits.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from firmware import loop
from firmware.base import mqtt
from firmware.base.admission import Message
from firmware.base.gateway.assembly import Assembly, Down, Publish
from firmware.base.gateway.chirpstack import ChirpStack
from firmware.base.gateway.complaints import Complaints
from firmware.base.gateway.connection import Connection
from firmware.base.gateway.duty import Duty
from firmware.base.gateway.fields import normal_eui
from firmware.base.gateway.lorawan import Lorawan, Server
from firmware.base.gateway.p2p import P2p
from firmware.base.gateway.peers import KeyFolder, Packet, Peers
from firmware.base.gateway.settings import (
    Daemon,
    GatewaySettings,
    LorawanSettings,
    P2pSettings,
)
from firmware.base.gateway.state import State, StateError, create
from firmware.base.gateway.things_stack import ThingsStack
from firmware.broker import Broker
from firmware.radio.counter import CounterError
from firmware.radio.key_file import KeyUnusable
from firmware.radio.open import open_radio
from firmware.radio.port import Radio
from firmware.radio.settings import LoraModem
from firmware.radio.worker import RadioWorker
from firmware.wire.commands import Command
from firmware.wire.errors import WireError
from firmware.wire.ids import format_unit, parse_unit
from firmware.wire.records import Receipt, load_record
from firmware.wire.topics import ALL_COMMANDS, parse_command_topic

log = logging.getLogger(__name__)

RECEIPTS = "trap/+/down/receipt"
MAX_PACKET_BYTES = 100_000
IN_FLIGHT = 64
NO_EXPIRY_S = 7 * 86_400.0


class Road(Protocol):
    """One way to units. Ignores events of others."""

    def hear(self, event: object, now_s: float) -> Packet | None: ...

    def say(self, down: Down, now_s: float) -> None: ...

    def keep(self, now_s: float) -> float | None:
        """Do what is due; seconds until something else is."""

    def close(self) -> None: ...


class Gateway:
    """Between the roads and the base; `step` is what the loop calls."""

    def __init__(
        self,
        base: Connection,
        roads: Sequence[tuple[Road, Assembly]],
        now: Callable[[], float],
        elapsed: Callable[[], float],
        tell: Complaints,
    ) -> None:
        """`now`: unix seconds UTC; `elapsed`: seconds of a clock that never steps."""
        self._base = base
        self._roads = roads
        self._now = now
        self._elapsed = elapsed
        self._tell = tell

    def step(self, event: object) -> float | None:
        """Take in the event, do what is due, and say when the next thing is. See `loop.run`."""
        now_s = self._elapsed()
        message = self._base.hear(event)
        if message is not None:
            self._from_base(message, now_s)
        for road, assembly in self._roads:
            packet = road.hear(event, now_s)
            if packet is not None:
                self._from_unit(road, assembly, packet, now_s)
        waits_s = [self._base.keep(), *(road.keep(now_s) for road, _ in self._roads)]
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def close(self) -> None:
        """Say goodbye to everybody."""
        for road, _ in self._roads:
            road.close()
        self._base.close()

    def _from_unit(self, road: Road, assembly: Assembly, packet: Packet, now_s: float) -> None:
        if packet.anew:
            log.warning("epoch_risen unit=%s", format_unit(packet.unit))
            assembly.forget(packet.unit)
        self._do(road, assembly.heard(packet.unit, packet.port, packet.payload, now_s), now_s)

    def _from_base(self, message: Message, now_s: float) -> None:
        try:
            if message.topic.endswith("/receipt"):
                receipt = load_record(message.payload, Receipt)
                for road, assembly in self._roads:
                    self._do(road, assembly.receipt(receipt, now_s), now_s)
            else:
                self._command(parse_command_topic(message.topic), message.payload, now_s)
        except WireError as error:
            self._tell("base", str(error))

    def _command(self, unit: int, payload: bytes, now_s: float) -> None:
        command = load_record(payload, Command)
        if command.unit != format_unit(unit):
            raise WireError(f"command for {command.unit} on the topic of {format_unit(unit)}")
        left_s = NO_EXPIRY_S if command.expires_s is None else command.expires_s - self._now()
        for _, assembly in self._roads:
            assembly.command(unit, command, now_s + min(left_s, NO_EXPIRY_S))
        log.info(
            "command unit=%s number=%d action=%s", command.unit, command.number, command.action
        )

    def _do(self, road: Road, out: Sequence[Publish | Down], now_s: float) -> None:
        for one in out:
            if isinstance(one, Down):
                road.say(one, now_s)
            elif self._base.send(one.topic, one.payload):
                log.info("published topic=%s bytes=%d", one.topic, len(one.payload))
            else:
                self._tell("base_away", f"{one.topic} is not passed on: its unit will ask again")


def run(
    settings: GatewaySettings,
    now: Callable[[], float],
    events: loop.Events | None = None,
    elapsed: Callable[[], float] = time.monotonic,
    open_modem: Callable[[LoraModem], Radio] = open_radio,
) -> None:
    """Work until `Stop` (SIGTERM, SIGINT). Raises StateError, KeyUnusable or CounterError when it
    cannot start."""
    events = loop.Events() if events is None else events
    tell = Complaints(elapsed)
    with ExitStack() as stack:
        stack.enter_context(loop.stop_on_signals(events))
        roads: list[tuple[Road, Assembly]] = []
        if settings.lora is not None and settings.p2p is not None:
            radio = partial(open_modem, settings.lora)
            p2p = _p2p(settings.lora, settings.p2p, radio, events, elapsed, tell, stack)
            roads.append((p2p, Assembly(settings.p2p.window_s, tell)))
        if settings.lorawan is not None:
            how = settings.lorawan
            lorawan = _lorawan(how, settings.gateway, events, now, elapsed, tell)
            roads.append((lorawan, Assembly(math.inf, tell)))
        base = _connection(
            "base", settings.mqtt, settings.gateway, (RECEIPTS, ALL_COMMANDS), 1, events, elapsed
        )
        gateway = Gateway(base, roads, now, elapsed, tell)
        stack.callback(gateway.close)
        loop.run(gateway.step, events)


def _p2p(
    lora: LoraModem, how: P2pSettings, radio: Callable[[], Radio], events: loop.Events,
    elapsed: Callable[[], float], tell: Complaints, stack: ExitStack,
) -> P2p:  # fmt: skip
    keys = KeyFolder(how.keys_dir)
    state = stack.enter_context(State(how.data_dir))
    worker = RadioWorker(radio, lora.tuning, events)
    stack.callback(worker.close)
    modulation = lora.tuning.modulation
    return P2p(
        worker, Peers(keys, state), Duty(state, lora.band.duty_cycle, elapsed), modulation,
        lora.frame_bytes, how.guard_ms / 1000, how.window_s, tell,
    )  # fmt: skip


def _lorawan(
    how: LorawanSettings, daemon: Daemon, events: loop.Events, now: Callable[[], float],
    elapsed: Callable[[], float], tell: Complaints,
) -> Lorawan:  # fmt: skip
    server: Server = ChirpStack() if how.server == "chirpstack" else ThingsStack()
    devices = {normal_eui(eui): parse_unit(unit) for eui, unit in how.devices.items()}
    connection = _connection(
        "lorawan", how.mqtt, daemon, server.filters, server.qos, events, elapsed
    )
    return Lorawan(server, connection, devices, now, tell)


def _connection(
    name: str, broker: Broker, daemon: Daemon, filters: tuple[str, ...], qos: int,
    events: loop.Events, elapsed: Callable[[], float],
) -> Connection:  # fmt: skip
    expiry_s = int(daemon.session_h * 3600)
    client_id = daemon.client_id if name == "base" else f"{daemon.client_id}-{name}"
    session = mqtt.Session(client_id, filters, expiry_s, IN_FLIGHT, MAX_PACKET_BYTES, qos)
    return Connection(
        name, lambda: mqtt.Link(broker, session, events),
        daemon.retry_least_s, daemon.retry_most_s, elapsed,
    )  # fmt: skip


def main(settings: GatewaySettings, *, new: bool = False) -> int:
    """`run` by this machine's clock, or with `new` make the state of a new gateway; exit status."""
    try:
        if not new:
            run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
        elif settings.p2p is not None:
            create(settings.p2p.data_dir)
    except (StateError, KeyUnusable, CounterError) as error:
        log.error("gateway_unusable error=%s", error)  # noqa: TRY400 - the message says it all
        return 1
    return 0

"""A whole base for tests: Mosquitto, receiver and gateway as processes, and an emulated modem on
the air between the gateway and whatever units the test makes up."""

import contextlib
import queue
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware.base.gateway.state import create
from firmware.base.store import DATABASE
from firmware.demo.broker import PrivateBroker, find_mosquitto, private_broker
from firmware.radio.port import Heard, Tuning
from firmware.sim.ether import Ether
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.wire.airtime import Modulation
from firmware.wire.ids import ItemId
from firmware.wire.objects import Entry, unpack_receipts
from firmware.wire.packet import RECEIPT, Direction, derive_keys, parse_header, seal, unseal
from firmware.wire.replay import ReplayWindow
from tests.base.gateway.air import Packet
from tests.base.gateway.test_peers import MASTER, write_key

ROOT = Path(__file__).parents[3]
SF7 = Modulation(spreading_factor=7)
TUNING = Tuning(868_900_000, SF7, 14)
TIMEOUT_S = 20.0
TURN_S = 0.1
UNITS = (7, 8, 9, 10)


class Process:
    """One daemon; its log is read as it comes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firmware", *arguments],
            stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.lines: list[str] = []
        self._new = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def log_until(self, text: str, timeout_s: float = TIMEOUT_S) -> str:
        """The first line with this text."""
        with self._new:
            found = self._new.wait_for(lambda: self._find(text), timeout_s)
        assert found, f"no {text!r} in the log:\n{''.join(self.lines)}"
        return self._find(text)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _find(self, text: str) -> str:
        return next((line for line in self.lines if text in line), "")

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._new:
                    self.lines.append(line)
                    self._new.notify_all()


class FieldRadio:
    """A unit's radio and keys; the test says what it sends."""

    def __init__(self, ether: Ether, unit: int = 7, epoch: int = 0, master: bytes = MASTER) -> None:
        self.unit, self.epoch, self.counter = unit, epoch, 0
        self.heard_s: list[float] = []
        self.inbox: queue.SimpleQueue[tuple[float, Heard]] = queue.SimpleQueue()
        self._keys = derive_keys(master, unit)
        self._window = ReplayWindow()
        self._station = ether.attach(f"T{unit:04X} {master[0]}", self._hear)
        self._station.listen(TUNING.frequency_hz, SF7)
        self._wait = threading.Event().wait

    def sealed(self, packet: Packet) -> bytes:
        """The next frame."""
        self.counter += 1
        return seal(
            self._keys.up, Direction.UP, self.epoch, self.unit, packet[0], self.counter, packet[1]
        )

    def say(self, packet: Packet) -> float:
        """Send, wait for the end of it, and say when that was."""
        return self.transmit(self.sealed(packet))

    def transmit(self, frame: bytes) -> float:
        """Any frame at all, when whoever spoke last has turned to listening."""
        self._wait(TURN_S)
        self._wait(self._station.transmit(frame, TUNING))
        return time.monotonic()

    def answer(self, timeout_s: float = 2.0) -> tuple[Entry, ...]:
        """What the gateway says, if it says anything in time."""
        try:
            heard_s, heard = self.inbox.get(timeout=timeout_s)
        except queue.Empty:
            return ()
        self.heard_s.append(heard_s)
        header = parse_header(heard.frame)
        assert header.port == RECEIPT
        counter = self._window.counter_of(header.counter_low)
        payload = unseal(self._keys.down, Direction.DOWN, self.epoch, counter, heard.frame)
        self._window = self._window.accept(counter)
        return unpack_receipts(payload)

    def _hear(self, heard: Heard) -> None:
        if heard.frame[1:3] == self.unit.to_bytes(2, "big"):
            self.inbox.put((time.monotonic(), heard))


@dataclass
class Site:
    """Everything that runs."""

    broker: PrivateBroker
    folder: Path
    ether: Ether
    modem: Rui3Modem
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, name: str) -> Process:
        """`run` (the receiver) or `gateway`, ready to work."""
        process = Process("base", name, "--config", str(self.folder / f"{name}.toml"))
        self.processes[name] = process
        process.log_until("link_up")
        if name == "gateway":
            process.log_until("radio_up")
        return process

    def stop(self) -> None:
        """Kill the daemons."""
        for process in self.processes.values():
            process.kill()

    def items(self, unit: int = 7) -> list[str]:
        """What the store has of a unit, in the order in which it came."""
        with contextlib.closing(sqlite3.connect(self.folder / "base" / DATABASE)) as db:
            query = "SELECT sighting, kind, idx FROM item WHERE unit = ? ORDER BY seq"
            rows = db.execute(query, (f"T{unit:04X}",))
            return [str(ItemId(unit, *row)) for row in rows]


@contextlib.contextmanager
def site(folder: Path, loss: float = 0.0, seed: int = 1) -> Iterator[Site]:
    """Broker, receiver and gateway at work. Skips where Mosquitto is not installed."""
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(private_broker(folder / "broker", threading.Event().wait))
        ether = Ether(random.Random(seed), loss=loss)
        stack.callback(ether.close)
        modem = Rui3Modem(ether, folder / "modem", name="gateway", mode=0)
        stack.callback(modem.close)
        here = Site(broker, folder, ether, modem)
        stack.callback(here.stop)
        for unit in UNITS:
            write_key(folder / "keys", unit)
        create(folder / "gateway")
        mqtt = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.address.port}\n'
        (folder / "run.toml").write_text(
            f'{mqtt}username = "base"\n[store]\ndata_dir = "{folder / "base"}"\n'
        )
        (folder / "gateway.toml").write_text(
            f'{mqtt}username = "gateway"\n[gateway]\nretry_least_s = 0.1\nretry_most_s = 1\n'
            f'[lora]\nport = "{modem.path}"\nregion = "RU864"\nspreading_factor = 7\n'
            f'duty_cycle = 1.0\n[p2p]\ndata_dir = "{folder / "gateway"}"\n'
            f'keys_dir = "{folder / "keys"}"\nguard_ms = 50\n'
        )
        here.start("run")
        here.start("gateway")
        yield here

"""A private MQTT broker for the demo and the tests.

Promises a broker that is ready, listens on a free loopback port only, keeps its files in the
directory given, and is gone when the context ends. Mosquitto where it is on the PATH; else amqtt
in a process of its own, which speaks MQTT 3.1.1 only and keeps sessions only for clients that give
a user name. Not a broker to run in the field: no password is asked.
"""

import contextlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.broker import Broker

START_TIMEOUT_S = 20.0
_MOSQUITTO_DIRS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"  # off the PATH of ordinary users


class BrokerFailed(Exception):
    """The broker did not start, or ended at once."""


@dataclass
class PrivateBroker:
    """A running broker. `address` is how to reach it; it may be killed and started again."""

    name: str
    address: Broker
    directory: Path
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: Callable[[float], object]) -> None:
        """Start, and return when it accepts connections. Raises BrokerFailed."""
        log = (self.directory / "broker.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )  # fmt: skip
        for _ in range(int(START_TIMEOUT_S / 0.05)):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection((self.address.host, self.address.port), 1).close()
                return
            wait(0.05)
        self.stop()
        said = (self.directory / "broker.log").read_text(errors="replace").splitlines()
        raise BrokerFailed(f"{self.name} did not start: {said[-1] if said else 'it said nothing'}")

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it, hard after five seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def private_broker(
    directory: Path, wait: Callable[[float], object], *, embedded: bool = False
) -> Iterator[PrivateBroker]:
    """A broker for the time of the context. `wait(seconds)` is the caller's way to wait, and may
    raise; `embedded` takes amqtt even where Mosquitto is installed. Raises BrokerFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    binary = None if embedded else find_mosquitto()
    address = Broker(host="127.0.0.1", port=_free_port())
    if binary is None:
        broker = _embedded(directory, address)
    else:
        broker = _mosquitto(directory, address, binary)
    try:
        broker.start(wait)
        yield broker
    finally:
        broker.stop()


def find_mosquitto() -> str | None:
    """The Mosquitto program, or None."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_MOSQUITTO_DIRS)


def _mosquitto(directory: Path, address: Broker, binary: str) -> PrivateBroker:
    config = directory / "mosquitto.conf"
    lines = [
        f"listener {address.port} {address.host}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {directory}/",
        # Without these a killed broker forgets what it has acknowledged.
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 1000000",  # 0, for no limit, is broken in many 2.0.x
        "max_inflight_messages 100",
        "log_type warning",
        "log_type error",
    ]
    # Started by root, Mosquitto changes to a user who may not read a private directory.
    lines.append("user root")
    config.write_text("\n".join(lines) + "\n")
    return PrivateBroker("mosquitto", address, directory, (binary, "-c", str(config)))


def _embedded(directory: Path, address: Broker) -> PrivateBroker:
    if importlib.util.find_spec("amqtt") is None:
        raise BrokerFailed(
            "there is no broker to run: install Mosquitto (apt install mosquitto), or the embedded "
            "one (pip install 'rosette[demo]')"
        )
    address = replace(address, protocol="3.1.1")
    command = (sys.executable, "-m", "firmware.demo.embedded", str(address.port))
    return PrivateBroker("amqtt (embedded)", address, directory, command)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

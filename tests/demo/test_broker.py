"""The private broker: errors that help, and nothing left when its start is cut short."""

import sys
from pathlib import Path

import pytest

from firmware.broker import Broker
from firmware.demo import broker
from firmware.demo.broker import BrokerFailed, PrivateBroker, private_broker


def test_without_any_broker_installed_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "amqtt", None)
    with (
        pytest.raises(BrokerFailed, match=r"apt install mosquitto.*rosette\[demo\]"),
        private_broker(tmp_path, lambda s: None, embedded=True),
    ):
        pass


def test_a_broker_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = "import sys; sys.exit('the port is taken')"
    failing = PrivateBroker("b", Broker("127.0.0.1", 1), tmp_path, (sys.executable, "-c", program))
    with pytest.raises(BrokerFailed, match="b did not start: the port is taken"):
        failing.start(lambda s: failing.process and failing.process.wait(20))


def test_a_start_that_is_interrupted_leaves_no_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[PrivateBroker] = []

    def forever(directory: Path, address: Broker) -> PrivateBroker:
        program = "import threading; threading.Event().wait()"
        started.append(PrivateBroker("b", address, directory, (sys.executable, "-c", program)))
        return started[0]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(broker, "_embedded", forever)
    with (
        pytest.raises(KeyboardInterrupt),
        private_broker(tmp_path, interrupt, embedded=True),
    ):
        pass
    process = started[0].process
    assert process is not None and process.returncode is not None

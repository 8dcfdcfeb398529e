"""One broker, found again for ever."""

import pytest

from firmware.base.admission import Message
from firmware.base.gateway.connection import Connection
from firmware.base.mqtt import Delivery, Down, Refused, Up
from tests.base.gateway.test_lorawan import FakeLink


class Rig:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.links: list[FakeLink] = []
        self.error: Exception | None = None
        self.connection = Connection("base", self.connect, 1.0, 5.0, lambda: self.now_s)

    def connect(self) -> FakeLink:
        if self.error is not None:
            raise self.error
        self.links.append(FakeLink())
        return self.links[-1]


def test_a_broker_that_cannot_be_reached_is_tried_ever_more_seldom() -> None:
    rig = Rig()
    rig.error = ConnectionRefusedError("no")
    waits_s = []
    for _ in range(5):
        wait_s = rig.connection.keep()
        assert wait_s is not None
        waits_s.append(wait_s)
        rig.now_s += wait_s
    assert waits_s == [1.0, 2.0, 4.0, 5.0, 5.0]
    rig.error = None
    assert rig.connection.keep() is None


def test_nothing_is_sent_before_the_link_is_up_or_after_it_is_gone() -> None:
    rig = Rig()
    rig.connection.keep()
    assert not rig.connection.send("topic", b"{}")
    rig.connection.hear(Up(rig.links[0]))
    assert rig.connection.send("topic", b"{}")
    rig.connection.hear(Down(rig.links[0], "gone"))
    assert not rig.connection.send("topic", b"{}")
    assert rig.connection.keep() == 1.0


def test_events_of_an_earlier_link_are_ignored() -> None:
    rig = Rig()
    rig.connection.keep()
    rig.connection.hear(Up(rig.links[0]))
    rig.connection.hear(Down(rig.links[0], "gone"))
    rig.now_s += 1.0
    rig.connection.keep()
    late = Delivery(rig.links[0], 1, Message("topic", b"{}"))
    assert rig.connection.hear(late) is None
    rig.connection.hear(Down(rig.links[0], "gone"))
    rig.connection.hear(Up(rig.links[1]))
    assert rig.connection.send("topic", b"{}")


@pytest.mark.parametrize(
    ("error", "level"),
    [(ConnectionRefusedError("no"), "WARNING"), (FileNotFoundError("ca.crt"), "ERROR"),
     (ValueError("no host"), "ERROR")],
)  # fmt: skip
def test_a_reason_is_logged_once_and_as_an_error_if_time_will_not_mend_it(
    error: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.error = error
    for _ in range(3):
        rig.connection.keep()
        rig.now_s += 10.0
    assert [r.levelname for r in caplog.records] == [level]


def test_a_refused_publish_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.connection.keep()
    rig.connection.hear(Up(rig.links[0]))
    for _ in range(3):
        rig.connection.hear(Refused(rig.links[0], "Not authorized"))
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    assert "Not authorized" in caplog.text

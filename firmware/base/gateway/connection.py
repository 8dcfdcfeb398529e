"""One broker, found again for ever: back-off, and what is said about it in the log.

Promises that at most one link is open, that events of earlier links are ignored, and that a reason
is logged once until it changes or the link comes up. Does not promise that `send` arrives.
"""

import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from firmware.base.admission import Message
from firmware.base.mqtt import Delivery, Down, Refused, Up

log = logging.getLogger(__name__)


class Link(Protocol):
    """One connection to the broker; base/mqtt.py has it. None of these raises when it is gone."""

    def send(self, topic: str, payload: bytes) -> None: ...

    def ack(self, mid: int) -> None: ...

    def close(self) -> None: ...


class Connection:
    """The way to one broker. `name` tells it apart in the log."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Link],
        retry_least_s: float,
        retry_most_s: float,
        elapsed: Callable[[], float],
    ) -> None:
        """`connect` gives a new link or raises OSError, or ValueError for a host that can be no
        name; `elapsed`: seconds of a clock that never steps."""
        self._name = name
        self._connect = connect
        self._retry_least_s = retry_least_s
        self._retry_most_s = retry_most_s
        self._elapsed = elapsed
        self._link: Link | None = None
        self._up = False
        self._due_s = elapsed()
        self._failures = 0
        self._complaint = ""

    def hear(self, event: object) -> Message | None:
        """Take an event of our link; the message, if it brings one. It is acknowledged at once:
        nothing here outlives the process anyway."""
        link = self._link
        if link is None or getattr(event, "link", None) is not link:
            return None
        match event:
            case Up():
                log.info("link_up broker=%s", self._name)
                self._up, self._complaint, self._failures = True, "", 0
            case Down():
                self._link, self._up = None, False
                self._complain(event.reason, logging.ERROR if event.refused else logging.WARNING)
                self._back_off()
            case Refused():
                self._complain(f"publish refused: {event.reason}", logging.ERROR)
            case Delivery():
                if event.message.qos and self._link is not None:
                    self._link.ack(event.mid)
                return event.message
        return None

    def send(self, topic: str, payload: bytes) -> bool:
        """Hand a message to the link; False while there is none."""
        if self._link is None or not self._up:
            return False
        self._link.send(topic, payload)
        return True

    def keep(self) -> float | None:
        """Connect when it is time; how long until then, None while there is a link."""
        if self._link is None and self._elapsed() >= self._due_s:
            self._open()
        return None if self._link is not None else max(0.0, self._due_s - self._elapsed())

    def close(self) -> None:
        """Say goodbye."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()

    def _open(self) -> None:
        try:
            self._link = self._connect()
        except (
            FileNotFoundError, PermissionError, ssl.SSLCertVerificationError, ValueError,
        ) as error:  # fmt: skip
            self._complain(str(error), logging.ERROR)  # time alone will not mend it
            self._back_off()
        except OSError as error:
            self._complain(str(error), logging.WARNING)
            self._back_off()

    def _complain(self, reason: str, level: int) -> None:
        if reason != self._complaint:
            log.log(level, "link_down broker=%s reason=%s", self._name, ascii(reason))
        self._complaint = reason

    def _back_off(self) -> None:
        wait_s = self._retry_least_s * 2.0 ** min(self._failures, 30)
        self._failures += 1
        self._due_s = self._elapsed() + min(wait_s, self._retry_most_s)

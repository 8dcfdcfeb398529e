"""The gateway's own duty cycle: may this frame go now, by the law of the band it is in.

Promises that the ledger's entry is on the disk before `enter` returns, so before the frame leaves;
wire/ledger.py says why no hour can then be over the limit, whatever restarts or clocks do. Of the
limit a fifth is kept for answers to alerts.
"""

from collections.abc import Callable

from firmware.base.gateway.state import State
from firmware.wire.ledger import WINDOW_S

KEPT_FOR_ALERTS = 0.2


class Duty:
    """One band's account. `limit`: fraction of an hour, None where the band has no such law."""

    def __init__(self, state: State, limit: float | None, elapsed: Callable[[], float]) -> None:
        self._state = state
        self._limit_s = None if limit is None else limit * WINDOW_S
        self._ledger = state.ledger()
        self._elapsed = elapsed
        self._offset_s = self._ledger.end_s - elapsed()

    def wait_s(self, airtime_s: float, *, alert: bool) -> float:
        """Seconds until a frame of this length may go; 0.0 is now, infinity never."""
        if self._limit_s is None:
            return 0.0
        limit_s = self._limit_s if alert else self._limit_s * (1 - KEPT_FOR_ALERTS)
        return self._ledger.wait_s(self._now_s(), airtime_s, limit_s)

    def enter(self, airtime_s: float) -> None:
        """A frame of this length is about to leave. Raises StateError: then it must not."""
        if self._limit_s is None:
            return
        ledger = self._ledger.after(self._now_s(), airtime_s)
        self._state.enter(ledger)
        self._ledger = ledger

    def over(self) -> None:
        """The last frame is not in the air any more, and was until now at the latest: the radio may
        have begun it later than it was asked to. On the disk with the next frame; until then a
        restart, whose time does not count, is late enough."""
        if self._limit_s is not None:
            self._ledger = self._ledger.ended(self._now_s())

    def _now_s(self) -> float:
        return self._elapsed() + self._offset_s

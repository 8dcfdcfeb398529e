"""Things that are due at a time: on a thread in real time, or one after the other in no time.

Both promise that what is due is called in order of its time, equal times in the order of asking.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Timeline:
    """Virtual: time moves only when told, from one thing that is due to the next."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def monotonic(self) -> float:
        """The time that everything lives in."""
        return self._now_s

    def at(self, due_s: float, what: Callable[[], None]) -> None:
        """Call `what` at that time; at once after what is being called, if that is past."""
        heapq.heappush(self._due, (due_s, next(self._count), what))

    def run_until(self, end_s: float) -> None:
        """Call everything that is due by then, also what it brings about; then it is `end_s`."""
        while self._due and self._due[0][0] <= end_s:
            due_s, _, what = heapq.heappop(self._due)
            self._now_s = max(self._now_s, due_s)
            what()
        self._now_s = max(self._now_s, end_s)


class RealTimeline:
    """Real: one daemon thread calls what is due. An exception of a callback ends the thread, and
    `threading.excepthook` tells; `close` forgets what is not due yet."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)
        self._thread.start()

    def at(self, due_s: float, what: Callable[[], None]) -> None:
        """Call `what` on the thread at that time; as soon as can be, if that is past."""
        with self._changed:
            heapq.heappush(self._due, (due_s, next(self._count), what))
            self._changed.notify()

    def close(self) -> None:
        """Returns when no callback runs any more; must not be called by one."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (what := self._next()) is not None:
            what()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._open:
                wait_s = self._due[0][0] - self.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
        return None

"""Things from a source that may hang, with a limit.

Promises every thing as soon as it is there, the source's own exception, or `Overdue` in time. A
source that hangs keeps its thread, so after `Overdue` the process should end.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """The source has kept us waiting for longer than its limit."""


class _End:
    """Behind the last thing."""


def each_within(limit_s: float, source: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What `source()` gives, iterated in a thread of its own. `limit_s` bounds the sum of our
    waiting; what we do between is our own time. Raises Overdue, and what the source raises."""
    answers: queue.SimpleQueue[T | _End | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            for thing in source():
                answers.put(thing)
            answers.put(_End())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            answers.put(error)

    threading.Thread(target=work, name="each-within", daemon=True).start()
    left_s = limit_s
    while True:
        asked_s = time.monotonic()
        try:
            answer = answers.get(timeout=max(left_s, 0.0))
        except queue.Empty:
            raise Overdue(f"kept us waiting for more than {limit_s:g} s") from None
        left_s -= time.monotonic() - asked_s
        if isinstance(answer, _End):
            return
        if isinstance(answer, BaseException):
            raise answer
        yield answer

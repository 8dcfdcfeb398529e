"""A call that may hang, with a limit. Promises an answer, the call's own exception, or `Overdue`
in time; a call that hangs keeps its thread, so after `Overdue` the process should end."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """The call has not come back within its limit."""


def call_within(limit_s: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, from a thread of its own. Raises Overdue."""
    answers: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            answers.put(error)

    threading.Thread(target=work, name="within-limit", daemon=True).start()
    try:
        answer = answers.get(timeout=limit_s)
    except queue.Empty:
        raise Overdue(f"no answer within {limit_s:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer

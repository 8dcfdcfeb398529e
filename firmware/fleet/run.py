"""A fleet over weeks, on all cores: blocks of days, each in a world of its own, added up.

Promises the same outcome for the same scenario, whatever the number of processes. A block begins
with empty queues and ledgers and ends once everything is delivered (see `block`); what one night
could leave for the next is lost only at the seams, a few in a month.
"""

import math
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event

from firmware.fleet.block import simulate_block
from firmware.fleet.outcome import Outcome
from firmware.fleet.scenario import Scenario, place

BLOCK_DAYS = 3.0
_LOOK_S = 0.25

Tell = Callable[[float], None]
"""Told of simulated days that have just passed."""


def simulate_fleet(scenario: Scenario, jobs: int = 1, progress: bool = False) -> Outcome:
    """The whole of it, on so many processes; with a progress bar on stderr. Raises
    ScenarioError."""
    place(scenario)  # what cannot be put up is said at once
    blocks = max(1, math.ceil(scenario.days / BLOCK_DAYS))
    outcome = Outcome()
    with _bar(scenario.days, progress) as tell:
        for part in _parts(scenario, blocks, min(jobs, blocks), tell):
            outcome.add(part)
    return outcome


def _parts(scenario: Scenario, blocks: int, jobs: int, tell: Tell) -> Iterator[Outcome]:
    """The blocks' outcomes, in order."""
    days = scenario.days / blocks
    if jobs == 1:
        yield from (simulate_block(scenario, block, days, tell) for block in range(blocks))
        return
    context = multiprocessing.get_context("spawn")
    passed: SimpleQueue[float] = context.SimpleQueue()
    stop = context.Event()
    with ProcessPoolExecutor(jobs, context, _begin_worker, (passed, stop)) as pool:
        try:
            futures = [pool.submit(_work, scenario, block, days) for block in range(blocks)]
            _follow(futures, passed, tell)
            yield from (future.result() for future in futures)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _follow(futures: "list[Future[Outcome]]", passed: "SimpleQueue[float]", tell: Tell) -> None:
    """Pass on what the workers tell, until all are done or one has failed."""
    waiting = True
    while waiting:
        done, left = wait(futures, _LOOK_S, FIRST_EXCEPTION)
        while not passed.empty():
            tell(passed.get())
        waiting = bool(left) and not any(future.exception() for future in done)


_tell_parent: Tell = lambda days: None  # noqa: E731 - replaced in each worker


def _begin_worker(passed: "SimpleQueue[float]", stop: Event) -> None:
    """An interrupt is the parent's business: it tells us to stop, and we do at the next stretch."""

    def tell(days: float) -> None:
        if stop.is_set():
            raise CancelledError
        passed.put(days)

    global _tell_parent
    _tell_parent = tell
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(scenario: Scenario, block: int, days: float) -> Outcome:
    return simulate_block(scenario, block, days, _tell_parent)


@contextmanager
def _bar(days: float, shown: bool) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if not shown:
        yield lambda passed: None
        return
    columns = (TextColumn("simulated {task.completed:.1f} of {task.total:g} days"), BarColumn(),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        yield partial(bar.advance, bar.add_task("", total=days))

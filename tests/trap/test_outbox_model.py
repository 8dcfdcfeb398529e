"""The outbox against a model of it: any order of calls, by two connections, with crashes and a
clock that jumps by years."""

import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware.trap.outbox import Outbox
from firmware.trap.outbox_age import OLD_S, SPAN_S
from firmware.trap.outbox_claim import LONE_DEATHS, LONGEST_WAIT_S
from firmware.wire.ids import ItemId

START_S = 1_800_000_000.0
ITEMS = st.builds(ItemId, st.just(7), st.integers(0, 5), st.just("frame"), st.integers(0, 1))
BODIES = st.sampled_from([b"", b"a", bytes(20_000)])
JUMPS_S = st.sampled_from([1.0, 30.0, 3600.0, -3600.0, 20 * 3600.0, 3e8, -3e8])
PRIORITIES = st.sampled_from([(0, 9), (0, 1), (2, 3)])


@dataclass
class Expected:
    """What the outbox should hold under one (id, bytes)."""

    place: int
    priority: int
    created_s: float
    state: str = "waiting"
    not_before_s: float = 0.0
    attempts: int = 0
    lone_deaths: int | None = None


class OutboxMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.dir = Path(tempfile.mkdtemp())
        self.uplink = Outbox(self.dir / "outbox.sqlite", 10**9)
        self.capture = Outbox(self.dir / "outbox.sqlite", 10**9)
        self.now_s = START_S
        self.model: dict[tuple[ItemId, bytes], Expected] = {}
        self.spans: list[tuple[int, float]] = []  # first place, since when

    def teardown(self) -> None:
        self.uplink.close()
        self.capture.close()
        shutil.rmtree(self.dir)

    @rule(seconds=JUMPS_S)
    def clock_jumps(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(item=ITEMS, body=BODIES, priority=st.integers(0, 4), by_uplink=st.booleans())
    def put(self, item: ItemId, body: bytes, priority: int, by_uplink: bool) -> None:
        outbox = self.uplink if by_uplink else self.capture
        outbox.put(item, body, "image/jpeg", priority, self.now_s)
        if (item, body) in self.model:
            return
        place = len(self.model)
        if not self.spans or not 0 <= self.now_s - self.spans[-1][1] < SPAN_S:
            self.spans.append((place, self.now_s))
        self.model[item, body] = Expected(place, priority, self.now_s)

    @rule(limit=st.integers(1, 4), priorities=PRIORITIES, fresh=st.booleans())
    def claim(self, limit: int, priorities: tuple[int, int], fresh: bool) -> None:
        expected = self._claimable(limit, priorities, fresh)
        claimed = self.uplink.claim(self.now_s, limit, None, priorities, fresh=fresh)
        assert [(item.id, item.body) for item in claimed] == expected
        for item in claimed:
            entry = self.model[item.id, item.body]
            entry.state = "sending"
            entry.attempts += 1
            assert (item.attempts, item.priority) == (entry.attempts, entry.priority)
            assert item.old == (abs(self.now_s - entry.created_s) > OLD_S)

    def _first_young(self) -> int:
        first = len(self.model)
        for place, since_s in reversed(self.spans):
            if abs(self.now_s - since_s) > OLD_S:
                break
            first = place
        return first

    def _claimable(
        self, limit: int, priorities: tuple[int, int], fresh: bool
    ) -> list[tuple[ItemId, bytes]]:
        out = {key[0] for key, e in self.model.items() if e.state == "sending"}
        suspects = [e for e in self.model.values() if e.lone_deaths is not None]
        if not fresh and any(e.state == "sending" for e in suspects):
            return []
        young = self._first_young()
        due = sorted(
            (e.priority, e.place < young, e.place, key)
            for key, e in self.model.items()
            if e.state == "waiting"
            and priorities[0] <= e.priority <= priorities[1]
            and not (fresh and (e.attempts or e.place < young))
            and not self.now_s < e.not_before_s <= self.now_s + LONGEST_WAIT_S
        )[:limit]
        chosen: list[tuple[ItemId, bytes]] = []
        for *_, key in due:
            if self.model[key].lone_deaths is not None:
                return chosen or ([key] if not out and due[0][-1] == key else [])
            if key[0] not in out:
                chosen.append(key)
                out.add(key[0])
        return chosen

    @rule(item=ITEMS, body=BODIES, right=st.booleans())
    def stored(self, item: ItemId, body: bytes, right: bool) -> None:
        entry = self.model.get((item, body)) if right else None
        digest = sha256(body if right else body + b"x").hexdigest()
        assert self.uplink.stored(item, digest) == (entry is not None)
        if entry:
            entry.state = "stored"

    @rule(item=ITEMS)
    def rejected(self, item: ItemId) -> None:
        entry = self._sending(item)
        assert self.uplink.rejected(item, "no") == (entry is not None)
        if entry:
            entry.state = "rejected"

    @rule(item=ITEMS, wait_s=st.sampled_from([0.0, 30.0, LONGEST_WAIT_S]), untried=st.booleans())
    def later(self, item: ItemId, wait_s: float, untried: bool) -> None:
        entry = self._sending(item)
        due_s = self.now_s + wait_s
        assert self.uplink.later(item, due_s, untried=untried) == (entry is not None)
        if entry:
            entry.attempts -= untried
            entry.state, entry.not_before_s = "waiting", self.now_s + wait_s
            entry.lone_deaths = None

    @rule(item=ITEMS)
    def outlived(self, item: ItemId) -> None:
        self.uplink.outlived(item)
        if entry := self._sending(item):
            entry.lone_deaths = None

    @rule()
    def uplink_dies_and_starts_again(self) -> None:
        self.uplink.close()
        self.uplink = Outbox(self.dir / "outbox.sqlite", 10**9)
        left = [e for e in self.model.values() if e.state == "sending"]
        assert self.uplink.release(self.now_s) == len(left)
        for entry in left:
            entry.lone_deaths = (entry.lone_deaths or 0) + (len(left) == 1)
            killer = entry.lone_deaths >= LONE_DEATHS
            entry.state = "rejected" if killer else "waiting"
            entry.not_before_s = entry.not_before_s if killer else self.now_s

    @rule()
    def capture_dies_and_starts_again(self) -> None:
        self.capture.close()
        self.capture = Outbox(self.dir / "outbox.sqlite", 10**9)

    def _sending(self, item: ItemId) -> Expected | None:
        found = (e for (id_, _), e in self.model.items() if id_ == item and e.state == "sending")
        return next(found, None)

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        if not hasattr(self, "model"):
            return
        held = {
            (row.id, row.sha256): (row.state, row.attempts, row.lone_deaths)
            for row in self.capture.rows()
        }
        assert held == {
            (item, sha256(body).hexdigest()): (e.state, e.attempts, e.lone_deaths)
            for (item, body), e in self.model.items()
        }


OutboxMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOutboxAgreesWithItsModel = OutboxMachine.TestCase

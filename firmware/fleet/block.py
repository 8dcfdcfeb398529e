"""Some days of a fleet in one virtual world: events in, an `Outcome` out. Deterministic by seed.

Events stop at the end of the block; the world goes on until the queues are empty, at most
`DRAIN_S`, so that what arrives late is counted as late and not as lost.
"""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from firmware.fleet.gateway import Gateway
from firmware.fleet.law import Frame, violations
from firmware.fleet.outcome import NEVER, Event, Outcome
from firmware.fleet.scenario import GATEWAY_NAME, Scenario, path_db, place
from firmware.fleet.store import Store
from firmware.fleet.unit import Unit, pictures_due
from firmware.sim.channel import Rules
from firmware.sim.ether import Ether
from firmware.sim.timeline import Timeline
from firmware.wire.ids import ItemId
from firmware.wire.packet import derive_keys

DAY_S = 86_400.0
DRAIN_S = DAY_S
STRIDE_S = 1800.0


def simulate_block(
    scenario: Scenario, block: int, days: float, tell: Callable[[float], None] = lambda _: None
) -> Outcome:
    """Block number `block`, of so many days; `tell` hears of each stretch that has passed, and
    may raise to end it."""
    world = World(scenario, block, days)
    span_s = days * DAY_S
    while (left_s := span_s - world.timeline.monotonic()) > 0:
        stride_s = min(STRIDE_S, left_s)
        world.timeline.run_until(world.timeline.monotonic() + stride_s)
        tell(stride_s / DAY_S)
    while world.waiting and world.timeline.monotonic() < span_s + DRAIN_S:
        world.timeline.run_until(world.timeline.monotonic() + STRIDE_S)
        tell(0.0)
    return world.outcome(days)


class World:
    """A gateway, its base, and the units; everything that moves is on the timeline."""

    def __init__(self, scenario: Scenario, block: int, days: float) -> None:
        self._scenario = scenario
        self._rng = random.Random(f"{scenario.seed} {block}")
        self.timeline = Timeline()
        self.frames: list[Frame] = []
        self.sites, links = place(scenario)
        rules = Rules(fading_db=scenario.fading_db)
        self._ether = Ether(
            random.Random(self._rng.getrandbits(64)), path=path_db(links), rules=rules,
            timeline=self.timeline,
        )  # fmt: skip
        self.store = Store()
        master = self._rng.randbytes(16)
        keys = {site.unit: derive_keys(master, site.unit) for site in self.sites}
        self.gateway = Gateway(scenario.plan, self.sites, keys, self._ether, self.timeline,
                               self.store, self._log)  # fmt: skip
        self.units = [
            Unit(site, scenario.region, keys[site.unit], self._ether, self.timeline, self._log,
                 random.Random(self._rng.getrandbits(64)))
            for site in self.sites
        ]  # fmt: skip
        self._seen: list[tuple[Unit, int, float]] = []
        for unit in self.units:
            self._schedule(unit, days * DAY_S)

    @property
    def waiting(self) -> bool:
        """Whether any unit has something left to deliver."""
        return any(unit.waiting for unit in self.units)

    def outcome(self, days: float) -> Outcome:
        """What has come of it so far."""
        return Outcome(
            self.sites, days, [self._event(*seen) for seen in self._seen], self._airtime(),
            self.gateway.airtime_s, len(self.frames),
            violations(self._scenario.plan, self.frames), self._ether.losses(GATEWAY_NAME),
            self.store.counts["conflict"],
        )  # fmt: skip

    def _schedule(self, unit: Unit, until_s: float) -> None:
        """All events before this camera."""
        number, at_s = 0, 0.0
        while True:
            at_s += self._rng.expovariate(self._scenario.events_per_day / DAY_S)
            if at_s >= until_s:
                return
            number += 1
            self._seen.append((unit, number, at_s))
            self.timeline.at(at_s, partial(unit.see, number))

    def _event(self, unit: Unit, number: int, at_s: float) -> Event:
        preview, refinement = pictures_due(unit.how)
        who = unit.site.unit
        return Event(
            who, self._latency_s(ItemId(who, number, "sighting"), at_s),
            preview, self._latency_s(ItemId(who, number, "preview", 0), at_s),
            refinement, self._latency_s(ItemId(who, number, "preview", 1), at_s),
        )  # fmt: skip

    def _latency_s(self, item: ItemId, at_s: float) -> float:
        arrival = self.store.arrived.get(item)
        return NEVER if arrival is None else arrival.at_s - at_s

    def _airtime(self) -> Counter[int]:
        return Counter({unit.site.unit: unit.airtime_s for unit in self.units})

    def _log(self, radio: str, frequency_hz: int, start_s: float, airtime_s: float) -> None:
        self.frames.append((radio, frequency_hz, start_s, airtime_s))

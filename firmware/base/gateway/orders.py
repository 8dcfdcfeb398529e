"""Commands that wait for their units to listen. Pure; only assembly.py uses it.

Promises that a command is offered again, at most every `REPEAT_S`, until the base has its unit's
answer or it has expired; a unit does a command once, however often it comes. Bounded: of many, the
oldest go.
"""

from collections import OrderedDict
from dataclasses import dataclass

from firmware.wire.commands import Command, pack_command

REPEAT_S = 20.0
MOST_ORDERS = 1000


@dataclass
class _Order:
    unit: int
    number: int
    payload: bytes
    until_s: float
    said_s: float | None = None


class Orders:
    """All that waits, by unit and number."""

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[int, int], _Order] = OrderedDict()

    def add(self, unit: int, command: Command, until_s: float) -> None:
        """Keep a command until then; one that is here already is not said sooner for it. Raises
        WireError for one that LoRa cannot carry."""
        order = _Order(unit, command.number, pack_command(command), until_s)
        known = self._orders.get((unit, command.number))
        if known is not None and known.payload == order.payload:
            order.said_s = known.said_s
        self._orders[unit, command.number] = order
        if len(self._orders) > MOST_ORDERS:
            self._orders.popitem(last=False)

    def answered(self, unit: int, number: int) -> None:
        """The base has the unit's decision."""
        self._orders.pop((unit, number), None)

    def due(self, unit: int, now_s: float) -> bytes | None:
        """The packet of the unit's oldest command that may be said now, and counts as said."""
        for key in [key for key, order in self._orders.items() if order.until_s <= now_s]:
            del self._orders[key]
        mine = (order for order in self._orders.values() if order.unit == unit)
        order = min(mine, key=lambda order: order.number, default=None)
        if order is None or (order.said_s is not None and now_s - order.said_s < REPEAT_S):
            return None
        order.said_s = now_s
        return order.payload

"""The base of a simulated fleet: keeps what the gateway publishes, and gives its word.

Promises what the real one promises of receipts: the same answer to every repetition, and one copy
for each item and content. It is a dictionary, and its commit takes `COMMIT_S` of virtual time: an
assumption for the broker both ways and one durable commit.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass

from firmware.base.gateway.assembly import Publish
from firmware.wire.ids import ItemId
from firmware.wire.picture import unpack_picture
from firmware.wire.records import Receipt
from firmware.wire.topics import PICTURES, parse_up_topic

COMMIT_S = 0.05


@dataclass(frozen=True)
class Arrival:
    """An item that the base has, since when and with what content."""

    at_s: float
    sha256: str
    size_bytes: int


class Store:
    """Everything that has arrived."""

    def __init__(self) -> None:
        self.arrived: dict[ItemId, Arrival] = {}
        self.counts: Counter[str] = Counter()

    def take(self, message: Publish, now_s: float) -> Receipt:
        """The base's word, given at `now_s`. Raises WireError for what no base would take."""
        item = parse_up_topic(message.topic)
        body = message.payload
        if item.kind in PICTURES:
            picture = unpack_picture(message.payload)
            body, sha256 = picture.body, picture.sha256
        else:
            sha256 = hashlib.sha256(body).hexdigest()
        known = self.arrived.setdefault(item, Arrival(now_s, sha256, len(body)))
        self.counts["conflict"] += known.sha256 != sha256
        self.counts["repeated"] += known.at_s != now_s
        return Receipt(str(item), sha256, "stored")

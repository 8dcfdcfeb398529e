"""What has been sent and not answered yet: the uplink's memory of it, without the bytes."""

from dataclasses import dataclass

from firmware.wire.ids import ItemId


@dataclass(frozen=True)
class Sent:
    """An item on its way, in this session of the link. `until_s` is on the monotonic clock."""

    id: ItemId
    sha256: str
    size_bytes: int
    attempts: int
    session: int
    until_s: float
    token: int | None = None


class Flight(dict[ItemId, Sent]):
    """By item, in the order in which they were sent."""

    def size_bytes(self) -> int:
        return sum(sent.size_bytes for sent in self.values())

    def sent_as(self, token: int) -> Sent | None:
        """What the link gave this token for, if it is still out."""
        return next((sent for sent in self.values() if sent.token == token), None)

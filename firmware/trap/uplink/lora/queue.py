"""What the LoRa uplink needs of the outbox. `Outbox` is one; the simulator's is in `memory.py`."""

from typing import Protocol

from firmware.trap.outbox import Item
from firmware.wire.ids import ItemId


class Queue(Protocol):
    """See `Outbox` for what each promises; every method may raise OutboxError."""

    def claim(
        self,
        now_s: float,
        limit: int,
        limit_bytes: int | None = None,
        priorities: tuple[int, int] = ...,
        *,
        fresh: bool = False,
    ) -> list[Item]: ...

    def stored(self, item: ItemId, sha256: str) -> bool: ...

    def rejected(self, item: ItemId, reason: str, sha256: str | None = None) -> bool: ...

    def later(self, item: ItemId, not_before_s: float, *, untried: bool = False) -> bool: ...

    def outlived(self, item: ItemId) -> None: ...

    def retry(self, item: ItemId | None = None) -> int: ...

    def next_due_s(self, now_s: float) -> float | None: ...

    def changed(self) -> bool: ...

"""How far one object has come over the air, and which of its frames is next. Pure.

    manifest, symbols 0..K-1; the last one asks (poll)
    Need(n)            n repair symbols, the last one asks
    ManifestWanted(h)  the manifest and the K - h symbols that the base lacks, the last one asks
    silence            a bare poll: mostly it was the answer that got lost, and it costs a tenth
    Done               over

No repair symbol goes out before the base has said how many it lacks: each then does as much as a
source symbol, and the loss of the link needs no guess. Five numbers are all that a reboot has to
keep.
"""

from dataclasses import dataclass, replace

from firmware.wire.rlc import MAX_INDEX


@dataclass(frozen=True)
class Frame:
    """One frame of an object. `index` None: no symbol (the manifest, or a bare poll)."""

    manifest: bool = False
    index: int | None = None
    poll: bool = False


@dataclass(frozen=True)
class Transfer:
    """`count`: K; symbols below `next_index` have gone; those below `until` go before we listen."""

    count: int
    next_index: int
    until: int
    manifest_due: bool = True
    poll_due: bool = False

    @classmethod
    def begin(cls, count: int) -> "Transfer":
        """Of an object of `count` source symbols."""
        return cls(count, 0, count)

    def frame(self) -> Frame | None:
        """What to send now; None: it is the base's turn."""
        if self.manifest_due:
            return Frame(manifest=True)
        if self.next_index < self.until:
            return Frame(index=self.next_index, poll=self.next_index == self.until - 1)
        return Frame(poll=True) if self.poll_due else None

    def sent(self) -> "Transfer":
        """After `frame` went out, or may have."""
        if self.manifest_due:
            return Transfer(self.count, self.next_index, self.until, False, self.poll_due)
        step = 1 if self.next_index < self.until else 0
        return Transfer(self.count, self.next_index + step, self.until, False, False)

    def need(self, symbols: int) -> "Transfer":
        """The base lacks so many."""
        return replace(self, until=self.next_index + symbols, poll_due=False)

    def manifest_wanted(self, held: int) -> "Transfer":
        """The base holds so many symbols and does not know of what."""
        lacks = max(self.count - held, 0)
        until = self.next_index + lacks
        return replace(self, manifest_due=True, until=until, poll_due=lacks == 0)

    def unanswered(self) -> "Transfer":
        """We asked, and heard nothing."""
        return replace(self, poll_due=True)

    @property
    def exhausted(self) -> bool:
        """No symbols left that were never sent: the object needs a new number."""
        return self.until > MAX_INDEX

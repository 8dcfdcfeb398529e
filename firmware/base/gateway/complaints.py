"""What is no good, counted, and told in the log; but not so often that the log fills the disk."""

import logging
from collections import Counter
from collections.abc import Callable

WARNINGS_PER_MINUTE = 20

log = logging.getLogger(__name__)


class Complaints:
    """`counts` by reason. The reasons are ours; what the air says is only in the detail."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        """`elapsed`: seconds of a clock that never steps."""
        self.counts: Counter[str] = Counter()
        self._elapsed = elapsed
        self._since_s = elapsed()
        self._told = 0

    def __call__(self, reason: str, detail: str) -> None:
        """Count it, and log it unless too many were logged in this minute."""
        self.counts[reason] += 1
        if self._elapsed() - self._since_s >= 60:
            self._since_s, self._told = self._elapsed(), 0
        self._told += 1
        if self._told <= WARNINGS_PER_MINUTE:
            log.warning(
                "refused reason=%s count=%d detail=%s",
                reason, self.counts[reason], ascii(detail[:200]),
            )  # fmt: skip

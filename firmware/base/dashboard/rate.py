"""How often something may fail before it has to wait: by name, over a sliding window. Pure memory;
a restart forgets, and who can restart us needs no password."""

from collections import deque

MOST_KEYS = 10_000


class Limit:
    """At most `most` failures of a key in any `window_s`."""

    def __init__(self, most: int, window_s: float) -> None:
        self._most, self._window_s = most, window_s
        self._failures: dict[str, deque[float]] = {}

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the key may try again; 0: now."""
        times = self._recent(key, now_s)
        return 0.0 if len(times) < self._most else times[0] + self._window_s - now_s

    def failed(self, key: str, now_s: float) -> None:
        """It went wrong once more."""
        if key not in self._failures and len(self._failures) >= MOST_KEYS:
            self._failures.pop(next(iter(self._failures)))  # the one that began first
        times = self._failures.setdefault(key, deque(maxlen=self._most))
        times.append(now_s)

    def succeeded(self, key: str) -> None:
        """What failed before is forgiven."""
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last one was no failure."""
        if self._failures.get(key):
            self._failures[key].pop()

    def _recent(self, key: str, now_s: float) -> deque[float]:
        times = self._failures.get(key, deque())
        while times and times[0] <= now_s - self._window_s:
            times.popleft()
        return times

"""Passwords as argon2id hashes. One check at a time: each takes tens of megabytes for a moment, and
many at once would be a way to fill a small machine's memory."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LENGTH, MOST_LENGTH = 10, 200


class PasswordError(ValueError):
    """A password that must not be used; the message says why."""


class Passwords:
    """Makes and checks hashes; may be shared by threads."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._lock = threading.Lock()
        self._nobody = self._hasher.hash("nobody has this one")

    def make(self, password: str) -> str:
        """Its hash. Raises PasswordError."""
        if len(password) < LEAST_LENGTH:
            raise PasswordError(f"a password has at least {LEAST_LENGTH} characters")
        if len(password) > MOST_LENGTH:
            raise PasswordError(f"a password has at most {MOST_LENGTH} characters")
        with self._lock:
            return self._hasher.hash(password)

    def match(self, known: str | None, password: str) -> bool:
        """Whether it is the one. Without an account (None) it takes as long, so that nobody learns
        by the clock which names exist."""
        with self._lock:
            try:
                self._hasher.verify(known or self._nobody, password[: MOST_LENGTH + 1])
            except (VerificationError, InvalidHashError):
                return False
        return known is not None

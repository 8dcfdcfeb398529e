"""Daemon 2: from the outbox to the base's receipt. Start at `daemon.py`."""

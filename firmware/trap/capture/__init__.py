"""Daemon 1: from a PIR edge to a committed item in the outbox. Start at `daemon.py`."""

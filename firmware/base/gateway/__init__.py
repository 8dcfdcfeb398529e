"""From the air to the broker and back. Start at `daemon.py`; `assembly.py` decides."""

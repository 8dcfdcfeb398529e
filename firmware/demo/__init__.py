"""The whole system on one machine, with virtual hardware. Start at `run.py`."""

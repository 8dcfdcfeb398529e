"""What the base has the unit do. Start at `commander.py`; `execute.py` decides."""

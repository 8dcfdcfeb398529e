"""LoRa modems, for the trap and the base alike. Start at `port.py`: what a radio is to us."""

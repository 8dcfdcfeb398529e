"""Alerts and pictures over LoRa, within the law. Start at `uplink.py`, then `policy.py`."""

"""The field unit: `capture/` (daemon 1) and `uplink/` (daemon 2) meet only in `outbox.py`."""

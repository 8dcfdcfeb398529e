"""The base station: receives, stores durably, and answers with receipts. Start at `receiver.py`."""

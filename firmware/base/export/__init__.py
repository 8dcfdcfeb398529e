"""What may leave the base, in three profiles. Start at `dataset.py`, which decides."""

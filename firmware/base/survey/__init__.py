"""The survey: where units stand, what was seen there, who said so, and the numbers from it.

`book.py` keeps it beside the store's log; everything else here is pure, or reads.
"""

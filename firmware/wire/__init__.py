"""The wire specification: bytes to frozen dataclasses and back.

Promises: no I/O, no clock, no import of ours from outside this package; every parser raises
`WireError` and nothing else on hostile input. Does not say who sends what when: that is the
uplink's and the receiver's business.
"""

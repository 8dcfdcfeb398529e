"""Virtual hardware that behaves like the part it stands for; serves the demo, tests and docs alike.

Promises: the same interfaces and faults as the parts. Does not promise their electrical limits.
"""

"""Rosette: smart camera traps and their base station.

`trap` is the field unit, `base` the station, `wire` what they say to each other, `sim` virtual
hardware. Start reading at `firmware/trap/capture/daemon.py`.
"""

__version__ = "0.1.0"

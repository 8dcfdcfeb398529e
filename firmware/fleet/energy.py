"""What the modem of a unit takes from its battery: an estimate, from currents that others measured.

The radio alone; a unit's computer and lamp take many times that. RAK3172 at 3.3 V:
- sending at 14 dBm 90 mA: the module has only the strong amplifier, which takes that much also at
  14 dBm (forum.rakwireless.com 4781, measured; the STM32WLE5 data sheet DS13105 says 92 mA;
  RAK's own data sheet says 87 mA at 20 dBm);
- listening 8.4 mA with RUI3 (forum.rakwireless.com 7754, measured; RAK's data sheet says 5.22 mA
  at the least). A unit listens point to point whenever it does not send, so this is most of it.
"""

VOLTS = 3.3
SENDING_A = 0.090
LISTENING_A = 0.0084


def radio_wh(sending_s: float, whole_s: float) -> float:
    """Watt hours of a modem that sent for `sending_s` of `whole_s` and listened otherwise."""
    ampere_s = SENDING_A * sending_s + LISTENING_A * (whole_s - sending_s)
    return VOLTS * ampere_s / 3600

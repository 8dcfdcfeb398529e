"""What both emulated modems do on LoRaWAN: join, send one uplink, listen twice, in class A's time.

Every delay is the modem's own (its Uart's). The network is asked when the frame has ended, and
again when the first receive window opens; what it has for us is heard one airtime later.
"""

from collections.abc import Callable
from dataclasses import dataclass

from firmware.sim.modem import Uart
from firmware.sim.network_server import Answer, NetworkServer, Uplink
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.regions import Region

FRAME_BYTES = 13  # of LoRaWAN around a payload
JOIN_REQUEST_BYTES, JOIN_ACCEPT_BYTES = 23, 33
JOIN_RX1_S, RX1_S, RX2_S = 5.0, 1.0, 2.0


@dataclass
class Session:
    """The identity and state of one device."""

    dev_eui: str = "0000000000000000"
    join_eui: str = "0000000000000000"
    app_key: str = "0" * 32
    data_rate: int = 0
    dev_addr: str | None = None
    busy: bool = False

    def forget(self) -> None:
        """The device has restarted: its session was in memory."""
        self.dev_addr, self.busy = None, False


class ClassA:
    """The exchanges of one device with the network; None is a place without coverage."""

    def __init__(
        self, uart: Uart, network: NetworkServer | None, own_duty_cycle: float | None = None
    ) -> None:
        self._uart, self._network, self._duty_cycle = uart, network, own_duty_cycle
        self.session = Session()

    def join(self, region: Region, joined: Callable[[bool], None]) -> None:
        """One join request; `joined` is told when the window is over."""
        me = self.session
        me.busy, me.dev_addr = True, None
        air_s = airtime_s(modulation_of(region, me.data_rate), JOIN_REQUEST_BYTES)

        def over() -> None:
            if self._network is not None:
                me.dev_addr = self._network.join(me.dev_eui, me.join_eui, me.app_key)
            me.busy = False
            joined(me.dev_addr is not None)

        self._uart.after(air_s + JOIN_RX1_S, over)

    def send(
        self, region: Region, port: int, payload: bytes, confirmed: bool,
        done: Callable[[Answer], None],
    ) -> None:  # fmt: skip
        """One uplink; `done` is told what came back, when the receive windows are over."""
        me = self.session
        me.busy = True
        modulation = modulation_of(region, me.data_rate)
        air_s = airtime_s(modulation, FRAME_BYTES + len(payload))
        uplink = Uplink(me.dev_eui, port, payload, confirmed, me.data_rate, modulation)

        def sent() -> None:
            if self._network is not None and me.dev_addr is not None:
                self._network.uplink(uplink)
            self._uart.after(RX1_S, window)

        def window() -> None:
            nothing = Answer()
            answer = nothing if self._network is None else self._network.answer(me.dev_eui)
            came = len(answer.downlink.payload) if answer.downlink else 0
            heard_s = airtime_s(modulation, FRAME_BYTES + came)
            wait_s = RX2_S - RX1_S if answer == nothing else heard_s
            self._uart.after(wait_s, lambda: over(answer))

        def over(answer: Answer) -> None:
            pause_s = 0.0
            if self._duty_cycle is not None:
                pause_s = air_s / self._duty_cycle - air_s
            self._uart.after(pause_s, lambda: setattr(me, "busy", False))
            done(answer)

        self._uart.after(air_s, sent)


def modulation_of(region: Region, data_rate: int) -> Modulation:
    """The slowest that the region has, where the number means nothing there."""
    rate = region.data_rates[data_rate] if data_rate < len(region.data_rates) else None
    rate = rate or next(known for known in region.data_rates if known is not None)
    return Modulation(rate.spreading_factor, rate.bandwidth_hz)


def most_bytes(region: Region, data_rate: int) -> int:
    """The longest payload; 0 where the region has no such data rate."""
    rate = region.data_rates[data_rate] if data_rate < len(region.data_rates) else None
    return rate.max_payload_bytes if rate else 0

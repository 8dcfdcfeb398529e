"""What a config file may say of a LoRa modem, for the trap and the base alike.

Both ends of a point-to-point link need the same region, frequency and spreading factor. A file that
breaks the region's law is refused here: a frequency outside its bands, more power than a band
allows with this antenna, a modulation whose shortest frames are too long; and, point to point, a
region that wants what no modem here does there: listening before talking, hopping. The region has
no default, as nobody can guess it.
"""

from dataclasses import dataclass
from pathlib import Path

from firmware.config import setting
from firmware.radio.port import Tuning
from firmware.wire.airtime import Modulation
from firmware.wire.regions import REGIONS, Band, Region, with_duty_cycle

MODEMS = {"rak3172": 250, "wio-e5": 222}
"""The longest frame of each, in bytes."""
LOW_FROM_HZ, LOW_TO_HZ = 150_000_000, 600_000_000


@dataclass(frozen=True)
class LorawanDevice:
    """Who the unit is to a LoRaWAN network (OTAA). The network's operator gives all three."""

    dev_eui: str = setting(help="the device's EUI, 16 hex digits", pattern=r"[0-9A-Fa-f]{16}")
    app_key_file: Path = setting(help="file that holds the AppKey, 32 hex digits, and nothing else")
    join_eui: str = setting(
        "0000000000000000", help="JoinEUI, also called AppEUI, 16 hex digits",
        pattern=r"[0-9A-Fa-f]{16}",
    )  # fmt: skip


@dataclass(frozen=True)
class LoraModem:
    """The modem, where it is plugged in, and how it uses the air."""

    port: Path = setting(help="serial port; prefer /dev/serial/by-id/..., which a replug keeps")
    region: str = setting(help="whose law holds here", choices=tuple(REGIONS))
    modem: str = setting("rak3172", help="its dialect: rak3172 (RUI3), wio-e5",
                         choices=tuple(MODEMS))  # fmt: skip
    variant: str = setting("H", help="H: the high-frequency module; L: the low one, for CN470",
                           choices=("H", "L"))  # fmt: skip
    baud: int | None = setting(
        None, help="serial speed; default: the modem's own, 115200 or 9600; at 9600 a long frame "
        "is 0.4 s on the wire before it is on the air", least=1200, most=921600,
    )  # fmt: skip
    frequency_hz: int | None = setting(
        None, help="point to point: carrier; default: the region's first channel"
    )
    spreading_factor: int = setting(9, help="7 (fast, near) to 12 (slow, far)", least=7, most=12)
    power_dbm: int = setting(14, help="what the modem puts out", least=5, most=22)
    antenna_gain_dbi: float = setting(
        2.0, help="antenna's gain less the cable's loss; counts against the legal limit",
        least=-10, most=20,
    )  # fmt: skip
    duty_cycle: float | None = setting(
        None, help="operator's own limit, a fraction, in place of the region's; RU864 has 0.01 and "
        "its regulator may allow 0.1: read the regulation first", least=0.001, most=1,
    )  # fmt: skip
    licensed: bool = setting(
        False, help="point to point where the law wants listening before talking (KR920) or "
        "hopping (US915), which modems do on LoRaWAN alone: true if you have leave to do without",
    )  # fmt: skip
    lorawan: LorawanDevice | None = None

    def __post_init__(self) -> None:
        low = LOW_FROM_HZ <= self.carrier_hz < LOW_TO_HZ
        if low != (self.variant == "L"):
            needed = 'the low-frequency module: variant = "L", if yours is one' if low else (
                'the high-frequency module: variant = "H", if yours is one'
            )  # fmt: skip
            raise ValueError(f"{self.carrier_hz} Hz ({self.region}) needs {needed}")
        most_dbm = self.band.max_eirp_dbm
        if self.power_dbm + self.antenna_gain_dbi > most_dbm:
            raise ValueError(
                f"power_dbm {self.power_dbm} and antenna_gain_dbi {self.antenna_gain_dbi:g} make "
                f"more than the {most_dbm:g} dBm that {self.region} allows at {self.carrier_hz} Hz"
            )
        if self.lorawan is None:
            self.check_point_to_point()
        else:
            self.data_rate  # noqa: B018  (raises where there is none)

    def check_point_to_point(self) -> None:
        """Raises ValueError where the law does not let this modem send so."""
        half_hz = self.tuning.modulation.bandwidth_hz // 2
        if not self.band.low_hz + half_hz <= self.carrier_hz <= self.band.high_hz - half_hz:
            raise ValueError(f"125 kHz around {self.carrier_hz} Hz reach over the edge of its band")
        wanted = "hopping" if self.band.hopping else "listening before talking"
        if (self.band.hopping or self.band.listen_before_talk) and not self.licensed:
            raise ValueError(
                f"{self.region} wants {wanted} at {self.carrier_hz} Hz, which no modem does point "
                "to point: take LoRaWAN, or licensed = true if you have leave to do without"
            )
        if self.frame_bytes < 1:
            raise ValueError(
                f"spreading_factor {self.spreading_factor} is too slow for {self.region}: not "
                f"even an alert fits the {self.band.dwell_s:g} s that a frame may last"
            )

    @property
    def frame_bytes(self) -> int:
        """The longest frame point to point: by the modem, and by the law."""
        return self.plan.p2p_payload_bytes(self.tuning.modulation, MODEMS[self.modem])

    @property
    def plan(self) -> Region:
        """The region, with the operator's duty cycle where one is set."""
        region = REGIONS[self.region]
        if self.duty_cycle is None:
            return region
        return with_duty_cycle(region, self.duty_cycle, self.carrier_hz)

    @property
    def carrier_hz(self) -> int:
        """Where a point-to-point link is."""
        return self.frequency_hz or REGIONS[self.region].channels_hz[0]

    @property
    def band(self) -> Band:
        """The rule that holds there, the operator's duty cycle in it."""
        return self.plan.band_of(self.carrier_hz)

    @property
    def tuning(self) -> Tuning:
        """For a point-to-point link."""
        modulation = Modulation(spreading_factor=self.spreading_factor)
        return Tuning(self.carrier_hz, modulation, self.power_dbm)

    @property
    def data_rate(self) -> int:
        """The number of LoRaWAN's data rate with our spreading factor at 125 kHz."""
        for number, rate in enumerate(REGIONS[self.region].data_rates):
            if rate is None or rate.bandwidth_hz != 125_000:
                continue
            if rate.spreading_factor == self.spreading_factor:
                return number
        raise ValueError(
            f"{self.region} has no LoRaWAN data rate with spreading_factor {self.spreading_factor}"
        )

"""Time on air of a LoRa frame, exactly as Semtech's formula gives it.

    Tsym = 2^SF / BW;  DE = 1 with low data rate optimisation (Tsym >= 16 ms unless told otherwise)
    n    = 8 + max(ceil((8 PL - 4 SF + 28 + 16 CRC - 20 IH) / (4 (SF - 2 DE))) (CR + 4), 0)
    ToA  = (preamble + 4.25 + n) Tsym

PL counts every byte handed to the radio: header, ciphertext and tag of a packet, and LoRaWAN's own
13 bytes where it is LoRaWAN. Holds for SF7..SF12, and for SF6 as the SX127x sends it; SF5 and
SF6 of the SX126x follow another formula and are not used here.
"""

from dataclasses import dataclass

LOW_DATA_RATE_FROM_S = 0.016
MAX_FRAME_BYTES = 255


@dataclass(frozen=True)
class Modulation:
    """How a frame is sent. `coding_rate` 1..4 is 4/5..4/8; `low_data_rate` None follows the rule
    (on when a symbol takes 16 ms or more)."""

    spreading_factor: int = 9
    bandwidth_hz: int = 125_000
    coding_rate: int = 1
    preamble_symbols: int = 8
    crc: bool = True
    explicit_header: bool = True
    low_data_rate: bool | None = None

    def __post_init__(self) -> None:
        if not 6 <= self.spreading_factor <= 12:
            raise ValueError(f"spreading factor {self.spreading_factor} is not within 6..12")
        if self.bandwidth_hz not in (125_000, 250_000, 500_000):
            raise ValueError(f"bandwidth {self.bandwidth_hz} Hz is not 125000, 250000 or 500000")
        if not 1 <= self.coding_rate <= 4:
            raise ValueError(f"coding rate {self.coding_rate} is not within 1..4 (4/5..4/8)")
        if not 6 <= self.preamble_symbols <= 65535:
            raise ValueError(f"preamble of {self.preamble_symbols} symbols is not within 6..65535")

    @property
    def optimised(self) -> bool:
        """Whether low data rate optimisation is on."""
        if self.low_data_rate is not None:
            return self.low_data_rate
        return symbol_s(self) >= LOW_DATA_RATE_FROM_S


def symbol_s(modulation: Modulation) -> float:
    """How long one chirp takes."""
    return float(2**modulation.spreading_factor / modulation.bandwidth_hz)


def payload_symbols(modulation: Modulation, payload_bytes: int) -> int:
    """Chirps after the preamble. Raises ValueError for a length that no radio takes."""
    if not 0 <= payload_bytes <= MAX_FRAME_BYTES:
        raise ValueError(f"frame of {payload_bytes} bytes is not within 0..{MAX_FRAME_BYTES}")
    spread = modulation.spreading_factor
    bits = 8 * payload_bytes - 4 * spread + 28 + 16 * modulation.crc
    bits -= 0 if modulation.explicit_header else 20
    blocks = -(-bits // (4 * (spread - 2 * modulation.optimised)))
    return 8 + max(blocks * (modulation.coding_rate + 4), 0)


def airtime_s(modulation: Modulation, payload_bytes: int) -> float:
    """How long a frame of that many bytes is on the air."""
    symbols = modulation.preamble_symbols + 4.25 + payload_symbols(modulation, payload_bytes)
    return symbols * symbol_s(modulation)

"""What a unit's config file may say: one frozen dataclass per section, read once per daemon.

`firmware.config.load(path, TrapSettings)` reads it. The commented sample is `deploy/trap.toml`.
"""

from dataclasses import dataclass
from pathlib import Path

from firmware.broker import Broker
from firmware.config import setting
from firmware.radio.settings import LoraModem

SIGHTING_BYTES = 24
ACTIONS = ("alert", "frames", "count")
_UNIT = r"T(?!0000)[0-9A-F]{4}"


@dataclass(frozen=True)
class Unit:
    """Who this unit is and where it keeps what it must not lose."""

    id: str = setting(help="unit id, T0001..TFFFF, unique at one base", pattern=_UNIT)
    data_dir: Path = setting(help="directory on the data partition: outbox, archive, counters")
    epoch: int = setting(
        0, help="raised by provisioning each time the card is flashed", least=0, most=4095
    )

    @property
    def outbox(self) -> Path:
        """The file that capture and the MQTT uplink share."""
        return self.data_dir / "outbox.sqlite"

    @property
    def lora_outbox(self) -> Path:
        """The file that capture and the LoRa uplink share."""
        return self.data_dir / "outbox-lora.sqlite"


@dataclass(frozen=True)
class Pir:
    """The motion sensor, and what keeps grass in the wind from draining the battery."""

    pin: int = setting(23, help="BCM number of the PIR's output; 4 and 17 are often a power "
                       "board's", least=0, most=27)  # fmt: skip
    debounce_s: float = setting(0.05, help="edges closer than this are one", least=0, most=1)
    quiet_s: float = setting(5.0, help="no new burst for this long after one", least=0, most=600)
    bursts_per_hour: int = setting(60, help="most bursts in any hour", least=1, most=3600)


@dataclass(frozen=True)
class CameraSettings:
    """The camera and its lamp."""

    mode: str = setting("warm", help="warm: always streaming; cold: started per trigger, saves "
                        "power", choices=("warm", "cold"))  # fmt: skip
    width: int = setting(2304, help="frame width in pixels", least=320, most=9152)
    height: int = setting(1296, help="frame height in pixels", least=240, most=6944)
    jpeg_quality: int = setting(90, help="JPEG quality of stored frames", least=50, most=100)
    frames: int = setting(3, help="frames in a burst", least=1, most=20)
    interval_s: float = setting(0.5, help="seconds between frames of a burst", least=0, most=10)
    lamp_pin: int | None = setting(
        None, help="BCM number of the IR lamp's switch", least=0, most=27
    )
    ircut_pin: int | None = setting(
        None, help="BCM number of the IR-cut filter's switch", least=0, most=27
    )
    night_lux: float = setting(8.0, help="below this the lamp is used", least=0, most=10000)
    timeout_s: float = setting(
        10.0, help="a burst that takes longer than its length plus this has hung", least=1, most=120
    )


@dataclass(frozen=True)
class ClassifierSettings:
    """The model and how it is run. Empty `model` means the one that ships with the firmware."""

    model: Path | None = setting(None, help="a .tflite file with its .json sidecar beside it")
    runtime: str = setting("auto", help="TFLite runtime: auto takes litert, else tflite",
                           choices=("auto", "litert", "tflite"))  # fmt: skip
    threads: int = setting(2, help="threads of the runtime", least=1, most=8)
    delegate: Path | None = setting(None, help="shared library of a TFLite delegate")
    trusted_key: Path | None = setting(
        None, help="PEM of an Ed25519 public key; then only models it has signed are installed"
    )
    thresholds: dict[str, float] = setting(
        {}, help="overrides of the sidecar's thresholds, by label", least=0, most=1
    )


@dataclass(frozen=True)
class Archive:
    """Every frame stays on the card until space runs out."""

    min_free_mb: int = setting(500, help="below this, old frames go", least=10, most=10**7)


@dataclass(frozen=True)
class OutboxSettings:
    """The queue of what the base has not confirmed yet."""

    max_mb: int = setting(2000, help="most that the queue may hold", least=1, most=10**6)


@dataclass(frozen=True)
class Uplink:
    """How eagerly to send."""

    in_flight: int = setting(4, help="items sent but not yet confirmed, at most", least=1, most=64)
    receipt_timeout_s: float = setting(
        60.0, help="an item without a receipt is sent again after this", least=1, most=86400
    )
    retry_least_s: float = setting(2.0, help="shortest wait after a failure", least=0.1, most=3600)
    retry_most_s: float = setting(600.0, help="longest wait after a failure", least=1, most=86400)


@dataclass(frozen=True)
class Report:
    """How often the unit says how it is; a command from the base may set it otherwise."""

    interval_s: float = setting(
        3600.0, help="seconds between health reports", least=60, most=7 * 86400
    )


@dataclass(frozen=True)
class Commands:
    """What the base may have the unit do."""

    reboot: tuple[str, ...] = setting(
        ("systemctl", "reboot"), help="program and arguments that reboot the unit; [] for none",
        pattern=r".+",
    )  # fmt: skip


@dataclass(frozen=True)
class Lora(LoraModem):
    """The LoRa link: its modem, and how it is used. A unit without this section has none."""

    mode: str = setting("p2p", help="p2p: to a Rosette base; lorawan: through a LoRaWAN network",
                        choices=("p2p", "lorawan"))  # fmt: skip
    key_file: Path | None = setting(
        None, help="p2p: file with this unit's master secret, 32 or more hex digits, nothing else"
    )
    receipt_window_s: float = setting(
        1.5, help="what the base needs to answer, beside the answer's time on air", least=0.1,
        most=30,
    )  # fmt: skip
    alert_repeats: int = setting(
        3, help="an unanswered alert is repeated so often at once, then put off", least=0, most=20
    )
    retry_least_s: float = setting(3.0, help="shortest wait before a repeat", least=0.5, most=600)
    retry_most_s: float = setting(900.0, help="longest wait before a repeat", least=1, most=86400)
    alert_reserve: float = setting(
        0.3, help="share of the legal airtime of each hour that is kept for new alerts", least=0,
        most=1,
    )  # fmt: skip
    preview_bytes: int = setting(600, help="most bytes of a preview", least=300, most=1000)
    refinement_bytes: int = setting(
        4096, help="most bytes of the better picture that follows; 0 for none", least=0, most=16384
    )
    avif_speed: int = setting(
        6, help="6 gives the best picture; 8 is four times as fast, where awake time is dear",
        least=4, most=10,
    )  # fmt: skip
    pictures_mv: int = setting(
        0, help="no pictures below this battery voltage, in mV", least=0, most=60000
    )
    refine_mv: int = setting(
        0, help="no refinements below this battery voltage, in mV", least=0, most=60000
    )
    quiet_from_h: float = setting(0, help="no pictures from this hour (UTC)", least=0, most=24)
    quiet_until_h: float = setting(0, help="to this hour; equal: no quiet hours", least=0, most=24)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == "p2p" and self.key_file is None:
            raise ValueError("mode p2p needs key_file: this unit's secret, which its base has too")
        if self.mode == "p2p":
            self.check_point_to_point()  # whether or not there is a section for the other mode
        if self.mode == "lorawan" and self.lorawan is None:
            raise ValueError("mode lorawan needs the section [lora.lorawan]")
        if self.mode == "lorawan":
            rate = self.plan.data_rates[self.data_rate]
            if rate is None or rate.max_payload_bytes < SIGHTING_BYTES:
                raise ValueError(
                    f"spreading_factor {self.spreading_factor}: LoRaWAN carries no alert of "
                    f"{SIGHTING_BYTES} bytes with it in {self.region}; take a lower one"
                )


DEFAULT_POLICY: dict[str, tuple[str, ...]] = {
    "leopard": ("alert", "frames"),
    "tiger": ("alert",),
    "human": ("alert", "frames"),
    "vehicle": ("alert", "frames"),
}


@dataclass(frozen=True)
class TrapSettings:
    """The whole file."""

    unit: Unit
    mqtt: Broker | None = None
    pir: Pir = Pir()
    camera: CameraSettings = CameraSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    archive: Archive = Archive()
    outbox: OutboxSettings = OutboxSettings()
    uplink: Uplink = Uplink()
    lora: Lora | None = None
    report: Report = Report()
    commands: Commands = Commands()
    policy: dict[str, tuple[str, ...]] = setting(
        {}, help="what to do per verdict: alert, frames, count; a verdict that is not named keeps "
        "its default", choices=ACTIONS,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.mqtt is None and self.lora is None:
            raise ValueError("a unit needs a link: add the section [mqtt], [lora] or both")
        pins = [self.pir.pin, self.camera.lamp_pin, self.camera.ircut_pin]
        used = [pin for pin in pins if pin is not None]
        if len(set(used)) < len(used):
            raise ValueError("pir.pin, camera.lamp_pin and camera.ircut_pin must differ")

    @property
    def actions(self) -> dict[str, tuple[str, ...]]:
        """The whole policy table: the defaults, and what the file says over them."""
        return DEFAULT_POLICY | self.policy

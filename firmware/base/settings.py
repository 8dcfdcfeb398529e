"""What the base's config file may say: one frozen dataclass per section, read once at start.

`firmware.config.load(path, BaseSettings)` reads it. The commented sample is `deploy/base.toml`.
"""

from dataclasses import dataclass
from pathlib import Path

from firmware.base.dashboard.settings import DashboardSettings
from firmware.base.survey.settings import SurveySettings
from firmware.broker import Broker
from firmware.config import setting

DAY_S = 86400


@dataclass(frozen=True)
class StoreSettings:
    """Where the base keeps what it must not lose."""

    data_dir: Path = setting(
        help="directory on the data disk: base.sqlite and media/; made if only it is missing"
    )


@dataclass(frozen=True)
class ReceiverSettings:
    """What the base takes from the broker, and how much at a time."""

    client_id: str = setting(
        "rosette-base", help="the broker keeps our messages under this name while we are away",
        pattern=r"[A-Za-z0-9_-]{1,64}",
    )  # fmt: skip
    session_days: float = setting(
        30.0, help="how long the broker does so (MQTT 5; with 3.1.1 the broker decides)",
        least=7, most=3650,
    )  # fmt: skip
    in_flight: int = setting(
        16, help="messages taken before the first of them is stored, and most in one commit",
        least=1, most=1000,
    )  # fmt: skip
    batch_mb: int = setting(
        32, help="a commit does not wait for more bytes than this", least=1, most=1000
    )
    max_item_mb: float = setting(
        8.0, help="a larger picture is rejected for good", least=0.1, most=200
    )
    max_packet_mb: int = setting(
        20, help="a larger message is not even read: the broker drops it (MQTT 5)",
        least=1, most=250,
    )  # fmt: skip
    max_megapixels: int = setting(
        100, help="a picture of more pixels is rejected for good", least=1, most=170
    )
    retry_least_s: float = setting(1.0, help="shortest wait after a failure", least=0.1, most=60)
    retry_most_s: float = setting(60.0, help="longest wait after a failure", least=1, most=3600)

    def __post_init__(self) -> None:
        if self.max_packet_mb <= self.max_item_mb:
            raise ValueError("max_packet_mb must be above max_item_mb, or a picture between the "
                             "two could be neither taken nor rejected")  # fmt: skip
        if self.retry_most_s < self.retry_least_s:
            raise ValueError("retry_most_s must not be below retry_least_s")


@dataclass(frozen=True)
class BaseSettings:
    """The whole file."""

    mqtt: Broker
    store: StoreSettings
    receiver: ReceiverSettings = ReceiverSettings()
    survey: SurveySettings = SurveySettings()
    dashboard: DashboardSettings = DashboardSettings()

"""What the base's config file may say of the dashboard."""

from dataclasses import dataclass

from firmware.config import setting


@dataclass(frozen=True)
class DashboardSettings:
    """Where it listens, and how it is reached."""

    host: str = setting(
        "127.0.0.1", help="address to listen on; 0.0.0.0 is the whole network", pattern=r"\S+"
    )
    port: int = setting(8080, help="TCP port", least=1, most=65535)
    https: bool = setting(
        True,
        help="browsers reach it by HTTPS (a proxy in front) or on this machine; false on a "
        "trusted network without: passwords and cookies then travel in the clear",
    )

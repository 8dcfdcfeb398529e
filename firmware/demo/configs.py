"""The config files of the demo's daemons, with the patience of a demo."""

import json
from pathlib import Path

from firmware.broker import Broker

BURST_FRAMES = 3


def base_config(data_dir: Path, broker: Broker) -> str:
    """A base's config file."""
    return f"{mqtt_section(broker, 'base')}\n[store]\ndata_dir = {quoted(data_dir)}\n"


def trap_config(unit: str, data_dir: Path, link: str) -> str:
    """A unit's config file; `link`: its section [mqtt] or [lora]."""
    return (
        f"{link}\n[unit]\nid = '{unit}'\ndata_dir = {quoted(data_dir)}\n"
        "[pir]\nquiet_s = 0.5\nbursts_per_hour = 3600\n"
        f"[camera]\nframes = {BURST_FRAMES}\ninterval_s = 0.2\n"
        "[classifier]\nthreads = 1\n[archive]\nmin_free_mb = 10\n"
        "[uplink]\nretry_least_s = 0.2\nretry_most_s = 2.0\nreceipt_timeout_s = 5.0\n"
    )


def mqtt_section(broker: Broker, name: str) -> str:
    """The [mqtt] of whoever logs in under this name."""
    return (
        f"[mqtt]\nhost = '{broker.host}'\nport = {broker.port}\n"
        f"protocol = '{broker.protocol}'\nusername = '{name}'\n"
    )


def quoted(path: Path) -> str:
    """As a TOML string, which a JSON string is too (but for DEL)."""
    return json.dumps(str(path), ensure_ascii=False).replace("\x7f", "\\u007f")

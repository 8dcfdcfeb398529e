"""The demo's LoRa: the air and all modems on it, in this process, and the configs that name them.

Each modem is an emulated RAK3172 on a pseudo-terminal, joined to one simulated ether that loses a
share of all frames; the gateway and the units are the real daemons that open these terminals. Times
on air are the real ones of SF7. The configs set `duty_cycle = 1.0`: nothing is on the air here, and
a demo cannot take as long as 1 % of RU864 makes two leopards take. The ledgers are kept all the
same. Keys are made for the run and end with it.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.base.gateway.state import create
from firmware.broker import Broker
from firmware.demo.configs import mqtt_section, quoted
from firmware.radio.counter import start_epoch
from firmware.radio.key_file import make_key
from firmware.sim.ether import Ether
from firmware.sim.modem_rui3 import Rui3Modem

GATEWAY = "gateway"
_RADIO = 'region = "RU864"\nspreading_factor = 7\nduty_cycle = 1.0\n'


@dataclass(frozen=True)
class Air:
    """Everything on the air; ready to be opened by the daemons."""

    folder: Path
    modems: Mapping[str, Rui3Modem]

    @property
    def keys(self) -> Path:
        """The units' secrets, for the gateway and for themselves."""
        return self.folder / "keys"

    def unit_section(self, unit: str) -> str:
        """The [lora] of a unit's config."""
        return (
            f"[lora]\nport = {quoted(self.modems[unit].path)}\n{_RADIO}"
            f"key_file = {quoted(self.keys / f'{unit}.key')}\n"
            "retry_least_s = 0.5\nretry_most_s = 3.0\nrefinement_bytes = 2048\navif_speed = 8\n"
        )

    def gateway_config(self, broker: Broker) -> str:
        """The gateway's config file."""
        return (
            f"{mqtt_section(broker, GATEWAY)}\n[gateway]\nretry_least_s = 0.2\nretry_most_s = 2.0\n"
            f"[lora]\nport = {quoted(self.modems[GATEWAY].path)}\n{_RADIO}"
            f"[p2p]\ndata_dir = {quoted(self.folder / 'state')}\nkeys_dir = {quoted(self.keys)}\n"
        )


@contextlib.contextmanager
def air(folder: Path, units: Sequence[str], loss: float, seed: int) -> Iterator[Air]:
    """Modems for the gateway and these units, with keys and a new gateway's state, in a new
    folder."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        ether = Ether(random.Random(seed), loss=loss)
        stack.callback(ether.close)
        modems = {}
        for name in (GATEWAY, *units):
            modem = modems[name] = Rui3Modem(ether, folder / f"modem-{name}", name=name, mode=0)
            stack.callback(modem.close)
        here = Air(folder, modems)
        here.keys.mkdir()
        for unit in units:
            make_key(here.keys / f"{unit}.key")
        create(folder / "state")
        yield here


def provision(data_dir: Path) -> None:
    """A unit's counters, begun."""
    start_epoch(data_dir / "lora.counter", 0)

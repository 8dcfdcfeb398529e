"""What an uplink process does beside sending: it obeys the base's commands and reports health.

Every uplink of a unit has one, and either may be the only one; files under locks in the data
directory keep them apart (`commands/orders.py`, `health.py`). Promises what those two promise, and
that nothing in here ends the uplink.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from firmware.trap.activity import read_activity
from firmware.trap.capture.clock import clock_quality
from firmware.trap.commands.commander import Commander, Means, rebooter
from firmware.trap.commands.orders import OrdersFile
from firmware.trap.health import Reporter
from firmware.trap.outbox import Outbox
from firmware.trap.settings import TrapSettings
from firmware.trap.uplink.sender import this_boot
from firmware.trap.vitals import read_vitals
from firmware.wire.commands import LABELS
from firmware.wire.records import Clock


class Duties:
    """`step` belongs into the uplink's own; the rest is for what its link hears."""

    def __init__(self, commander: Commander, reporter: Reporter) -> None:
        self._commander, self._reporter = commander, reporter
        self.hear_json = commander.hear_json
        self.hear_packet = commander.hear_packet
        self.silent_s = commander.silent_s

    @classmethod
    @contextmanager
    def of(
        cls,
        settings: TrapSettings,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        clock: Callable[[], Clock] = clock_quality,
    ) -> Iterator["Duties"]:
        """As the settings have it, with the outboxes of all the unit's links: opened anew, so that
        an uplink sees what comes into its own as it sees what the capture daemon puts."""
        unit, folder, limit = settings.unit, settings.unit.data_dir, settings.outbox.max_mb * 10**6
        orders = OrdersFile(folder)
        with ExitStack() as stack:
            mqtt = stack.enter_context(Outbox(unit.outbox, limit)) if settings.mqtt else None
            lora = stack.enter_context(Outbox(unit.lora_outbox, limit)) if settings.lora else None
            means = Means(
                archive=folder / "archive",
                outbox=mqtt,
                encrypted=bool(settings.mqtt and settings.mqtt.encrypted),
                labels=lambda: read_activity(folder).labels.split() or LABELS,
                reboot=rebooter(settings.commands.reboot),
            )
            reporter = Reporter(
                unit.id, folder, [outbox for outbox in (mqtt, lora) if outbox is not None],
                lambda: orders.read().interval_s or settings.report.interval_s,
                lambda: read_vitals(folder), now, monotonic, clock, this_boot(),
            )  # fmt: skip
            yield cls(Commander(unit.id, orders, means, now, monotonic, clock), reporter)

    def step(self) -> float:
        """Do what is due; the seconds until something is."""
        return min(self._commander.step(), self._reporter.step())

"""The tables that `rosette simulate fleet` prints."""

import math
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from firmware.fleet.energy import LISTENING_A, SENDING_A, VOLTS, radio_wh
from firmware.fleet.outcome import NEVER, Outcome, percentile
from firmware.fleet.scenario import GATEWAY_NAME, Scenario, channels_hz
from firmware.fleet.store import COMMIT_S
from firmware.fleet.unit import ENCODE_S

DAY_S = 86_400.0


def by_factor(outcome: Outcome) -> Table:
    """A row for each spreading factor, and one for all."""
    table = Table(title="By spreading factor", box=SIMPLE_HEAD, padding=(0, 1))
    for name in ("SF", "units", "events", "alerts\nat base", "alert s\nmedian", "p95", "p99",
                 "previews\nat base", "median s", "refined\nat base", "median s",
                 "airtime\ns/day", "radio\nWh/day"):  # fmt: skip
        table.add_column(name, justify="right")
    for factor in outcome.factors:
        table.add_row(f"{factor}", *_row(outcome.of_factor(factor)))
    table.add_row("all", *_row(outcome), style="bold")
    return table


def _row(part: Outcome) -> Iterator[str]:
    yield f"{len(part.sites)}"
    yield f"{len(part.events)}"
    yield _percent(part.delivery)
    for percent in (50, 95, 99):
        yield _number(percentile(part.alerts_s, percent))
    yield _percent(part.previews)
    yield _number(percentile((e.preview_s for e in part.events if e.preview_s < NEVER), 50))
    yield _percent(part.refinements)
    yield _number(percentile((e.refinement_s for e in part.events if e.refinement_s < NEVER), 50))
    yield _number(part.airtime_per_day_s)
    yield f"{radio_wh(part.airtime_per_day_s, DAY_S):.3f}"


def summary(scenario: Scenario, outcome: Outcome) -> list[str]:
    """What stands below the table."""
    channels = channels_hz(scenario.plan)
    busiest_s = max(outcome.airtime_s.values(), default=0.0) / outcome.days
    lost = ", ".join(f"{count} {reason}" for reason, count in sorted(outcome.losses.items()))
    return [
        f"delivery ratio {outcome.delivery:.4f} ({len(outcome.alerts_s)} of {len(outcome.events)}"
        f" alerts), {outcome.conflicts} items stored twice with different content",
        f"sliding-hour law check: {len(outcome.violations)} violations in {outcome.frames} frames"
        f" of {len(outcome.sites)} units and the {GATEWAY_NAME}",
        *outcome.violations[:10],
        f"airtime: a unit {outcome.airtime_per_day_s:.1f} s a day, the busiest {busiest_s:.1f} s;"
        f" the {GATEWAY_NAME} {outcome.gateway_airtime_s / outcome.days:.1f} s",
        f"frames that the {GATEWAY_NAME} did not get, though strong enough: {lost or 'none'}",
        f"one gateway, {len(channels)} channels of {scenario.region}, each unit on a random one;"
        f" forest to {scenario.radius_m / 1000:g} km: path loss exponent"
        f" {scenario.model.exponent:g}, shadowing {scenario.model.shadowing_db:g} dB, fading"
        f" {scenario.fading_db:g} dB",
        f"latencies begin with the commit to the unit's outbox; assumed are {ENCODE_S:g} s to"
        f" encode a picture and {COMMIT_S:g} s for broker and base",
        f"energy is an estimate of the modem alone: {SENDING_A * 1000:.0f} mA to send,"
        f" {LISTENING_A * 1000:.1f} mA to listen at {VOLTS} V (RAK3172, see fleet/energy.py)",
    ]


def _percent(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{100 * ratio:.2f} %"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"

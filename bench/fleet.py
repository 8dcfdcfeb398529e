"""LoRa alerts from edge to base, and what a fleet costs to simulate.

The link is simulated with the firmware's own uplink, wire and gateway (`firmware/fleet`), in
virtual time; that part of a latency is the same on every machine. Edge to commit is measured here,
with the shipped model, and the burst's own length is added.
"""

import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import Result
from bench.capture import latency
from firmware.fleet.outcome import percentile
from firmware.fleet.run import simulate_fleet
from firmware.fleet.scenario import Scenario
from firmware.trap.settings import CameraSettings

QUIET = Scenario(units=1, events_per_day=50, days=6, spreading_factor=9, fading_db=0.0)
HUNDRED = Scenario(units=100, days=3, spreading_factor=9)
FLEET = Scenario(units=300)
BURSTS = 15
SIMULATED_DAYS, WANTED_DAYS = 4.0, 30.0


def run() -> list[Result]:
    """Alert latency in the quiet and with 100 units, and how long 300 units x 30 days take."""
    return [*_quiet(), *_hundred(), *_speed()]


def _quiet() -> list[Result]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        commit_s = latency(Path(place), BURSTS)[0].value / 1000
    camera = CameraSettings()
    burst_s = (camera.frames - 1) * camera.interval_s
    link_s = simulate_fleet(QUIET).alerts_s
    before_s = burst_s + commit_s
    name = f"alert, edge to base, SF9, quiet ({burst_s:g} s burst, capture, simulated link)"
    return [
        Result(f"{name}, median", before_s + percentile(link_s, 50), "s", "<= 2"),
        Result(f"{name}, 95 %", before_s + percentile(link_s, 95), "s"),
    ]


def _hundred() -> list[Result]:
    outcome = simulate_fleet(HUNDRED, os.cpu_count() or 1)
    return [
        Result("alert, commit to base, 100 units at SF9, one gateway, 95 %",
               percentile(outcome.alerts_s, 95), "s", "<= 30"),
        Result("alerts delivered, 100 units at SF9", outcome.delivery, "", ">= 1"),
        Result("sliding hours over the limit, 100 units and gateway",
               len(outcome.violations), "", "<= 0"),
    ]  # fmt: skip


def _speed() -> list[Result]:
    """On a machine that does nothing else both are alike."""
    start_s, before_s = time.perf_counter(), _children_s()
    simulate_fleet(replace(FLEET, days=SIMULATED_DAYS), 2)
    times = WANTED_DAYS / SIMULATED_DAYS
    wall_s = (time.perf_counter() - start_s) * times
    each_s = (_children_s() - before_s) / 2 * times
    name = f"fleet of 300 units x 30 days on 2 processes, scaled from {SIMULATED_DAYS:g} days"
    return [
        Result(f"{name}, processor time of each", each_s, "s", "<= 300"),
        Result(f"{name}, wall clock", wall_s, "s"),
    ]


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

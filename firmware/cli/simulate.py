"""`rosette simulate`: what a plan for many units is worth, before anybody carries them out."""

import os
import sys
from pathlib import Path

import click


@click.group()
def simulate() -> None:
    """A fleet on a simulated radio channel."""


@simulate.command(
    epilog="Example: rosette simulate fleet --units 300 --events-per-day 5 --region RU864 --sf auto"
)
@click.option("--units", default=100, show_default=True, type=click.IntRange(1, 5000),
              help="Camera traps around one gateway.")  # fmt: skip
@click.option("--events-per-day", default=5.0, show_default=True, type=click.FloatRange(0.01, 500),
              help="Leopards before each camera, at random times.")  # fmt: skip
@click.option("--days", default=30.0, show_default=True, type=click.FloatRange(0.01, 3650),
              help="How long.")  # fmt: skip
@click.option("--region", default="RU864", show_default=True, help="Whose law and channels.")
@click.option(
    "--sf", default="auto", show_default=True,
    type=click.Choice(["auto", "7", "8", "9", "10", "11", "12"]),
    help="Spreading factor: auto is the smallest with a margin on each unit's link.",
)  # fmt: skip
@click.option("--radius-km", default=4.0, show_default=True, type=click.FloatRange(0.01, 100),
              help="Of the disc in which units stand.")  # fmt: skip
@click.option("--exponent", default=3.2, show_default=True, type=click.FloatRange(2.0, 6.0),
              help="Of the path loss: 2.5 open woodland, 4 dense forest.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of all chance.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; by default one a core.")
@click.option(
    "--plot", default=Path("fleet.png"), show_default=True, metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path), help="Where to save the plot.",
)  # fmt: skip
@click.option("--no-plot", is_flag=True, help="Save no plot.")
def fleet(
    units: int, events_per_day: float, days: float, region: str, sf: str, radius_km: float,
    exponent: float, seed: int, jobs: int | None, plot: Path, no_plot: bool,
) -> None:  # fmt: skip
    """Many units and one 8-channel gateway: what arrives, how fast, at what cost, within the law.

    Drives the firmware's own packets, erasure code, duty-cycle ledger, scheduler and gateway on a
    simulated channel, in blocks of a few days that know nothing of each other. Exit status 1 if
    the law was broken.
    """
    from rich.console import Console

    from firmware.fleet.plot import NoPlot, check_plot, save_plot
    from firmware.fleet.report import by_factor, summary
    from firmware.fleet.run import simulate_fleet
    from firmware.fleet.scenario import Scenario, ScenarioError
    from firmware.wire.regions import REGIONS

    if region not in REGIONS:
        known = ", ".join(REGIONS)
        raise click.BadParameter(f"{region!r} is not one of {known}", param_hint="--region")
    factor = None if sf == "auto" else int(sf)
    scenario = Scenario(
        units, events_per_day, days, region, factor, radius_km * 1000, exponent, seed=seed
    )
    try:
        if not no_plot:
            check_plot(plot)
        outcome = simulate_fleet(scenario, jobs or os.cpu_count() or 1, sys.stderr.isatty())
        console = Console(width=None if sys.stdout.isatty() else 120)
        console.print(by_factor(outcome))
        for line in summary(scenario, outcome):
            click.echo(line)
        if not no_plot:
            save_plot(scenario, outcome, plot)
            click.echo(f"plot saved to {plot}")
    except (NoPlot, ScenarioError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if outcome.violations:
        raise SystemExit(1)

"""`rosette demo`: the whole system on one machine."""

import sys
from pathlib import Path
from typing import Literal

import click


@click.command(epilog="Example: rosette demo --headless --traps 3 --events 12 --loss 0.2")
@click.option("--traps", default=2, show_default=True, type=click.IntRange(1, 50), help="Units.")
@click.option(
    "--events", default=6, show_default=True, type=click.IntRange(1, 2000),
    help="Motion events per unit.",
)  # fmt: skip
@click.option(
    "--frames", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Replay your own pictures: a folder of burst folders, or of pictures. "
    "Without it, scenes are rendered.",
)  # fmt: skip
@click.option(
    "--link", type=click.Choice(["mqtt", "lora"]), default="mqtt", show_default=True,
    help="How the traps reach the base.",
)  # fmt: skip
@click.option(
    "--loss", default=0.0, show_default=True, type=click.FloatRange(0, 0.9),
    help="mqtt: how often the link breaks in mid-message, per chunk forwarded; "
    "lora: share of the frames on the air that are lost.",
)  # fmt: skip
@click.option("--headless", is_flag=True, help="No live view; end after the last event.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of all chance.")
@click.option(
    "--broker", type=click.Choice(["auto", "embedded"]), default="auto", show_default=True,
    help="auto: Mosquitto if it is installed, else the embedded one.",
)  # fmt: skip
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Keep all files of the run in this new folder.",
)  # fmt: skip
def demo(
    traps: int, events: int, frames: Path | None, link: Literal["mqtt", "lora"], loss: float,
    headless: bool, seed: int, broker: str, keep: Path | None,
) -> None:  # fmt: skip
    """The whole system on this machine: broker, base and traps, with virtual hardware.

    With `--link lora` also a gateway, and emulated modems on an air that loses frames.

    Exit status 0 only if every leopard-positive item arrived exactly once; 130 when interrupted.
    """
    from firmware.demo.run import DemoFailed, Plan, run

    plan = Plan(traps, events, frames, link, loss, headless or not sys.stdout.isatty(), seed,
                broker == "embedded", keep)  # fmt: skip
    try:
        raise SystemExit(run(plan))
    except DemoFailed as error:
        raise click.ClickException(str(error)) from error

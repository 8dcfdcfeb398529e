"""The `rosette` command: one function a command, each thin.

Promises: exit 0 done, 1 failed, 2 bad usage or config; an error on stderr says what, which and
what to do. A command imports what it needs only when it runs, so that a daemon on a small machine
does not carry the others.
"""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from firmware import __version__
from firmware.logs import log_to_stderr

if TYPE_CHECKING:
    from firmware.trap.outbox import Outbox
    from firmware.wire.ids import ItemId

WIRE_VERSION = 1
C = TypeVar("C")

_FILE = click.Path(dir_okay=False, path_type=Path)
_config_option = click.option(
    "--config", "file", type=_FILE, required=True, metavar="FILE", help="The TOML config file."
)
_log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least important event to log on stderr.",
)


class BadConfig(click.ClickException):
    """A config file with problems; all of them are shown."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Smart camera traps and their base station.

    Start with `rosette demo`: the whole system on this machine, with virtual hardware.
    """


@main.command(epilog="Example: rosette demo --headless --traps 3 --events 12 --loss 0.2")
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
    "--loss", default=0.0, show_default=True, type=click.FloatRange(0, 0.9),
    help="How often the link to the broker breaks in mid-message, per chunk forwarded.",
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
    traps: int, events: int, frames: Path | None, loss: float, headless: bool, seed: int,
    broker: str, keep: Path | None,
) -> None:  # fmt: skip
    """The whole system on this machine: broker, base and traps, with virtual hardware.

    Exit status 0 only if every leopard-positive item arrived exactly once; 130 when interrupted.
    """
    from firmware.demo.run import DemoFailed, Plan, run

    plan = Plan(traps, events, frames, loss, headless or not sys.stdout.isatty(), seed,
                broker == "embedded", keep)  # fmt: skip
    try:
        raise SystemExit(run(plan))
    except DemoFailed as error:
        raise click.ClickException(str(error)) from error


@main.command(epilog="Example: rosette classify /media/sd-card --json > verdicts.jsonl")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--burst", is_flag=True, help="Judge each folder as one burst of a fixed camera.")
@click.option("--model", type=_FILE, metavar="FILE", help="Another .tflite with its .json beside.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--runtime", type=click.Choice(["auto", "litert", "tflite"]), default="auto", show_default=True
)
def classify(
    paths: tuple[Path, ...], as_json: bool, burst: bool, model: Path | None, threads: int,
    runtime: str,
) -> None:  # fmt: skip
    """What the classifier says of pictures and folders.

    Exit status 1 if any picture could not be read; the others are judged all the same.
    """
    from firmware.trap.capture.classifier import Classifier, ModelError, shipped_model
    from firmware.trap.capture.classify import classify_paths, format_json, format_text
    from firmware.trap.settings import ClassifierSettings

    try:
        classifier = Classifier(model or shipped_model(), ClassifierSettings(
            runtime=runtime, threads=threads))  # fmt: skip
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    show = format_json if as_json else format_text
    failed = 0
    for result in classify_paths(list(paths), classifier, burst=burst):
        click.echo(show(result))
        failed += result.error is not None
    raise SystemExit(min(failed, 1))


@main.group()
def trap() -> None:
    """The field unit's daemons."""


@trap.command("capture", epilog="Example: rosette trap capture --config /etc/rosette/trap.toml")
@_config_option
@_log_option
def trap_capture(file: Path, log_level: str) -> None:
    """Daemon 1: from motion to the queue, with the Pi's camera and pins."""
    from firmware.trap.capture import daemon, picamera
    from firmware.trap.settings import TrapSettings

    settings = _load(file, TrapSettings)
    log_to_stderr(log_level)
    raise SystemExit(daemon.main(settings, lambda: picamera.open_camera(settings.camera)))


@trap.command("uplink", epilog="Example: rosette trap uplink --config /etc/rosette/trap.toml")
@_config_option
@_log_option
def trap_uplink(file: Path, log_level: str) -> None:
    """Daemon 2: from the queue to the base's receipt."""
    from firmware.trap.outbox import OutboxError
    from firmware.trap.settings import TrapSettings
    from firmware.trap.uplink import daemon

    settings = _load(file, TrapSettings)
    log_to_stderr(log_level)
    try:
        daemon.run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
    except (OutboxError, OSError) as error:
        raise click.ClickException(str(error)) from error


@main.group()
def outbox() -> None:
    """What waits on a unit for the base's confirmation, and why."""


@outbox.command("list", epilog="Example: rosette outbox list --config trap.toml --json")
@_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def outbox_list(file: Path, as_json: bool) -> None:
    """Every item that is not stored yet, first to go first."""
    with _outbox(file) as queue:
        rows = [row for row in queue.rows() if row.state != "stored"]
    for row in rows:
        values = dataclasses.asdict(row) | {"id": str(row.id)}
        text = "  ".join(f"{name}={value}" for name, value in values.items())
        click.echo(json.dumps(values) if as_json else text)


@outbox.command("stats", epilog="Example: rosette outbox stats --config trap.toml")
@_config_option
def outbox_stats(file: Path) -> None:
    """Items and bytes by state, as JSON."""
    with _outbox(file) as queue:
        click.echo(json.dumps(dataclasses.asdict(queue.stats()), indent=1))


@outbox.command("retry", epilog="Example: rosette outbox retry --config trap.toml --all")
@_config_option
@click.argument("items", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All waiting and rejected items.")
def outbox_retry(file: Path, items: tuple[str, ...], everything: bool) -> None:
    """Let waiting or rejected items go again at once."""
    if bool(items) == everything:
        raise click.UsageError("name the items to retry, or give --all")
    wanted = _item_ids(items)
    with _outbox(file) as queue:
        _require(queue, wanted)
        count = queue.retry() if everything else sum(queue.retry(item) for item in wanted)
    click.echo(f"{count} will go again at once")


@outbox.command(
    "drop", epilog="Example: rosette outbox drop --config trap.toml T0007-000123-frame-1"
)
@_config_option
@click.argument("items", nargs=-1, required=True)
def outbox_drop(file: Path, items: tuple[str, ...]) -> None:
    """Give items up for good, by name. Their frames stay in the archive."""
    wanted = _item_ids(items)
    with _outbox(file) as queue:
        _require(queue, wanted)
        count = sum(queue.drop(item) for item in wanted)
    click.echo(f"{count} dropped")


@main.group()
def base() -> None:
    """The base station."""


@base.command("run", epilog="Example: rosette base run --config /etc/rosette/base.toml")
@_config_option
@_log_option
def base_run(file: Path, log_level: str) -> None:
    """Receive, store durably, answer with receipts."""
    from firmware.base import receiver
    from firmware.base.settings import BaseSettings

    settings = _load(file, BaseSettings)
    log_to_stderr(log_level)
    raise SystemExit(receiver.main(settings))


@base.command("list", epilog="Example: rosette base list --config base.toml --json")
@_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def base_list(file: Path, as_json: bool) -> None:
    """What has arrived, newest sighting last."""
    from firmware.base.listing import list_sightings, print_sightings
    from firmware.base.settings import BaseSettings
    from firmware.base.store import StoreError

    settings = _load(file, BaseSettings)
    try:
        print_sightings(list_sightings(settings), as_json=as_json)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


@main.group()
def config() -> None:
    """Config files."""


@config.command("check", epilog="Example: rosette config check trap.toml")
@click.argument("file", type=_FILE)
def config_check(file: Path) -> None:
    """Every problem of a trap's or a base's config file at once."""
    from firmware.base.settings import BaseSettings
    from firmware.trap.settings import TrapSettings

    kind: type[object] = BaseSettings if _names_a_store(file) else TrapSettings
    _load(file, kind)
    click.echo(f"{file}: good ({'base' if kind is BaseSettings else 'trap'})")


@main.command(epilog="Example: rosette version")
def version() -> None:
    """Versions of the firmware, the shipped model and the wire format."""
    from firmware.trap.capture.classifier import ModelError, shipped_model
    from firmware.trap.capture.sidecar import load_sidecar

    click.echo(f"firmware {__version__}")
    try:
        sidecar = load_sidecar(shipped_model())
        click.echo(f"model {sidecar.name} {sidecar.version} ({sidecar.sha256[:8]})")
    except ModelError as error:
        click.echo(f"model none: {error}")
    click.echo(f"wire {WIRE_VERSION}")


def _load(file: Path, kind: type[C]) -> C:
    from firmware.config import ConfigError, load

    try:
        return load(file, kind)
    except ConfigError as error:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        count = len(error.problems)
        raise BadConfig(f"{file}: {count} problem{'s' * (count > 1)}{lines}") from error


def _names_a_store(file: Path) -> bool:
    """Whether the file means to be a base's: those have a [store], which no unit has."""
    try:
        return any(line.strip().startswith("[store") for line in file.read_text().splitlines())
    except (OSError, UnicodeDecodeError):
        return False  # loading says what is wrong


@contextlib.contextmanager
def _outbox(file: Path) -> Iterator["Outbox"]:
    """The outbox of the unit with this config; whatever is wrong with it is one line."""
    from firmware.trap.outbox import Outbox, OutboxError
    from firmware.trap.settings import TrapSettings

    settings = _load(file, TrapSettings)
    path = settings.unit.outbox
    if not path.exists():
        raise click.ClickException(f"{path} does not exist: has the capture daemon run yet?")
    try:
        with Outbox(path, settings.outbox.max_mb * 10**6) as queue:
            yield queue
    except OutboxError as error:
        raise click.ClickException(str(error)) from error


def _item_ids(items: tuple[str, ...]) -> list["ItemId"]:
    from firmware.wire.errors import WireError
    from firmware.wire.ids import ItemId

    try:
        return [ItemId.parse(item) for item in items]
    except WireError as error:
        raise click.UsageError(str(error)) from error


def _require(queue: "Outbox", items: list["ItemId"]) -> None:
    """Complain of items that the outbox does not have, before anything is done."""
    known = {row.id for row in queue.rows()}
    if unknown := [str(item) for item in items if item not in known]:
        raise click.ClickException(f"not in the outbox: {', '.join(unknown)}; see `outbox list`")

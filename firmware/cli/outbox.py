"""`rosette outbox`: what waits on a unit, and why."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware.cli.options import config_option, load_or_exit

link_option = click.option(
    "--link",
    type=click.Choice(["mqtt", "lora"]),
    help="Which link's queue; by default MQTT's, where the unit has it.",
)

if TYPE_CHECKING:
    from firmware.trap.outbox import Outbox
    from firmware.wire.ids import ItemId


@click.group()
def outbox() -> None:
    """What waits on a unit for the base's confirmation, and why."""


@outbox.command("list", epilog="Example: rosette outbox list --config trap.toml --json")
@config_option
@link_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def outbox_list(file: Path, link: str | None, as_json: bool) -> None:
    """Every item that is not stored yet, first to go first."""
    with _outbox(file, link) as queue:
        rows = [row for row in queue.rows() if row.state != "stored"]
    for row in rows:
        values = dataclasses.asdict(row) | {"id": str(row.id)}
        text = "  ".join(f"{name}={value}" for name, value in values.items())
        click.echo(json.dumps(values) if as_json else text)


@outbox.command("stats", epilog="Example: rosette outbox stats --config trap.toml")
@config_option
@link_option
def outbox_stats(file: Path, link: str | None) -> None:
    """Items and bytes by state, as JSON."""
    with _outbox(file, link) as queue:
        click.echo(json.dumps(dataclasses.asdict(queue.stats()), indent=1))


@outbox.command("retry", epilog="Example: rosette outbox retry --config trap.toml --all")
@config_option
@link_option
@click.argument("items", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All waiting and rejected items.")
def outbox_retry(file: Path, link: str | None, items: tuple[str, ...], everything: bool) -> None:
    """Let waiting or rejected items go again at once."""
    if bool(items) == everything:
        raise click.UsageError("name the items to retry, or give --all")
    wanted = _item_ids(items)
    with _outbox(file, link) as queue:
        _require(queue, wanted)
        count = queue.retry() if everything else sum(queue.retry(item) for item in wanted)
    click.echo(f"{count} will go again at once")


@outbox.command(
    "drop", epilog="Example: rosette outbox drop --config trap.toml T0007-000123-frame-1"
)
@config_option
@link_option
@click.argument("items", nargs=-1, required=True)
def outbox_drop(file: Path, link: str | None, items: tuple[str, ...]) -> None:
    """Give items up for good, by name. Their frames stay in the archive."""
    wanted = _item_ids(items)
    with _outbox(file, link) as queue:
        _require(queue, wanted)
        count = sum(queue.drop(item) for item in wanted)
    click.echo(f"{count} dropped")


@contextlib.contextmanager
def _outbox(file: Path, link: str | None) -> Iterator["Outbox"]:
    """The outbox of the unit with this config; whatever is wrong with it is one line."""
    from firmware.trap.outbox import Outbox, OutboxError
    from firmware.trap.settings import TrapSettings

    settings = load_or_exit(file, TrapSettings)
    lora = link == "lora" or (link is None and settings.mqtt is None)
    path = settings.unit.lora_outbox if lora else settings.unit.outbox
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

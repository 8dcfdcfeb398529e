"""`rosette demo`: broker, base and traps as processes on this machine, with virtual hardware.

Promises that the processes are the real daemons; that the result is read from what is on the disks
at the end; that no process and, without `keep`, no file is left behind, also after Ctrl-C. Does not
prove anything about a radio, a Pi's camera or real animals.
"""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from firmware import loop
from firmware.broker import Broker
from firmware.demo import lora
from firmware.demo.broker import BrokerFailed, private_broker
from firmware.demo.cards import plan_card, render_cards
from firmware.demo.configs import BURST_FRAMES, base_config, mqtt_section, trap_config
from firmware.demo.interrupt import Interrupted, interrupts, pause
from firmware.demo.processes import Child, Children
from firmware.demo.report import Link, Trap, arrivals, read_trap, summary, verdicts
from firmware.demo.watch import Unit, outbox_of, watch
from firmware.sim.card import find_bursts
from firmware.sim.link import LossyLink
from firmware.trap.outbox import OutboxError
from firmware.wire.ids import format_unit

PLAIN_WIDTH = 110  # of tables where there is no terminal
EVERY_S = 3.0


@dataclass(frozen=True)
class System:
    """What runs; `servers`: the base first, then what else is not a unit's."""

    servers: list[Child]
    units: list[Unit]


class DemoFailed(Exception):
    """The demo could not be run at all."""


@dataclass(frozen=True)
class Plan:
    """What to show; see `rosette demo --help`."""

    traps: int
    events: int
    frames: Path | None
    link: Link
    loss: float
    headless: bool
    seed: int
    embedded: bool
    keep: Path | None


def run(plan: Plan) -> int:
    """The whole demo. Exit status: 0 only if there was a burst and every leopard-positive item
    arrived exactly once; 130 when interrupted. Raises DemoFailed."""
    console = Console(markup=False, emoji=False)  # names of files are no markup
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    with interrupts() as events, workspace(plan.keep) as folder:
        try:
            cards = _cards(plan, folder, console, events)
            with system(plan, folder, cards, console, events) as running:
                base = running.servers[0]
                told = base if plan.link == "lora" else None
                outcome = watch(running.servers, running.units, told, console, events)
                traps = [_read(base, unit, folder, plan.link) for unit in running.units]
                _report(traps, console, plan)
                if outcome == "delivered" and not plan.headless:
                    _stay(folder, console, events)
        except Interrupted:
            outcome = "interrupted"
        except (BrokerFailed, BrokenExecutor, OutboxError, OSError) as error:
            raise DemoFailed(str(error)) from error
    if outcome == "interrupted":
        return 130
    shown = any(trap.bursts for trap in traps)
    return 0 if outcome == "delivered" and shown and all(t.delivered for t in traps) else 1


@contextlib.contextmanager
def workspace(keep: Path | None) -> Iterator[Path]:
    """A folder for the run: temporary, or `keep`, which must not exist. Raises DemoFailed."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="rosette-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        keep.mkdir(parents=True)
    except OSError as error:
        raise DemoFailed(f"{keep} cannot be made anew: {error.strerror}; name another") from error
    yield keep.resolve()


@contextlib.contextmanager
def system(
    plan: Plan, folder: Path, cards: Sequence[Path], console: Console, events: loop.Events
) -> Iterator[System]:
    """Everything running: the base and the units. Ends it all on the way out."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(
            private_broker(folder / "broker", partial(pause, events), embedded=plan.embedded)
        )
        names = [format_unit(number) for number in range(1, len(cards) + 1)]
        air = None
        if plan.link == "lora":
            air = stack.enter_context(lora.air(folder / "air", names, plan.loss, plan.seed))
        what = "base, gateway" if air else "base"
        console.print(f"broker: {broker.name}; {what} and {plan.traps} traps are starting")
        children = Children(folder)
        stack.callback(children.stop)
        servers = _start_servers(folder, broker.address, air, children)
        units = []
        for number, (name, card) in enumerate(zip(names, cards, strict=True), 1):
            if air is None:
                section = mqtt_section(_lossy(plan, broker.address, number, stack), name)
            else:
                section = air.unit_section(name)
            units.append(_start_unit(plan, folder, number, card, section, children))
        yield System(servers, units)


def _start_servers(
    folder: Path, broker: Broker, air: lora.Air | None, children: Children
) -> list[Child]:
    configs = {"run": base_config(folder / "base", broker)}
    if air is not None:
        configs["gateway"] = air.gateway_config(broker)
    servers = []
    for command, text in configs.items():
        name = "base" if command == "run" else command
        config = folder / f"{name}.toml"
        config.write_text(text)
        servers.append(children.start(name, "firmware", "base", command, "--config", str(config)))
    return servers


def _lossy(plan: Plan, address: Broker, number: int, stack: contextlib.ExitStack) -> Broker:
    """The broker as a unit reaches it: by a link that breaks, if the plan says so."""
    if not plan.loss:
        return address
    rng = np.random.default_rng(plan.seed + number)
    link = stack.enter_context(LossyLink(address.host, address.port, plan.loss, rng, silence_s=2.0))
    return replace(address, host=link.host, port=link.port)


def _start_unit(
    plan: Plan, folder: Path, number: int, card: Path, section: str, children: Children
) -> Unit:
    unit = format_unit(number)
    config, data_dir = folder / f"{unit}.toml", folder / unit
    config.write_text(trap_config(unit, data_dir, section))
    data_dir.mkdir()
    link = ("--link", "lora") if plan.link == "lora" else ()
    if link:
        lora.provision(data_dir)
    uplink = children.start(
        f"{unit}-uplink", "firmware", "trap", "uplink", *link, "--config", str(config)
    )
    shuffle = plan.seed + number if plan.frames else 0  # a rendered card is played in order
    capture = children.start(
        f"{unit}-capture", "firmware.demo.unit", str(config), str(card), str(plan.events),
        str(EVERY_S), str(shuffle),
    )  # fmt: skip
    outbox = "outbox.sqlite" if plan.link == "mqtt" else "outbox-lora.sqlite"
    return Unit(unit, data_dir / outbox, uplink, capture)


def _cards(plan: Plan, folder: Path, console: Console, events: loop.Events) -> list[Path]:
    if plan.frames is not None:
        find_bursts(plan.frames)  # says now, and clearly, if there is nothing in it
        console.print(f"pictures: yours, from {plan.frames}", soft_wrap=True)
        return [plan.frames] * plan.traps
    console.print("pictures: rendered, not real; they say nothing about accuracy in the field")
    cards = [folder / "cards" / str(number) for number in range(1, plan.traps + 1)]
    shoots = [
        shoot
        for number, card in enumerate(cards, 1)
        for shoot in plan_card(card, plan.events, plan.seed + number)
    ]
    console.print(f"rendering {len(shoots)} scenes")
    # It refreshes no faster than scenes are done: its thread would be there when processes fork.
    with Progress(
        console=console, transient=True, auto_refresh=False, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("rendering scenes", total=len(shoots))

        def done(bursts: int) -> None:
            progress.update(task, advance=bursts, refresh=True)
            pause(events, 0)

        render_cards(shoots, BURST_FRAMES, done)
    return cards


def _read(base: Child, unit: Unit, folder: Path, link: Link) -> Trap:
    with outbox_of(unit) as outbox:
        queued = outbox.rows()
    pulses = sum(int(e.values["n"]) for e in unit.capture.events() if e.name == "pir_pulses")
    return read_trap(unit.id, pulses, unit.capture.events(), base.events(), queued,
                     folder / "base" / "base.sqlite", link)  # fmt: skip


def _report(traps: Sequence[Trap], console: Console, plan: Plan) -> None:
    console.print(verdicts(traps))
    if plan.link == "lora":
        console.print(arrivals(traps))
    console.print(summary(traps))
    expected = sum(len(trap.expected) for trap in traps)
    missing = [item for trap in traps for item in trap.missing]
    doubled = [item for trap in traps for item in trap.doubled]
    lost = sum(trap.lost_bursts for trap in traps)
    if not any(trap.bursts for trap in traps):
        console.print("no burst was taken, so nothing was shown", style="bold red")
    elif not expected:
        console.print("no leopard was seen, so there was nothing to prove")
    console.print(
        f"leopard-positive items: {expected} expected, {expected - len(missing)} at the base, "
        f"{len(missing)} missing, {len(doubled)} doubled; bursts lost to bad pictures: {lost}"
    )
    if plan.frames is None:
        console.print("The scenes were rendered. For accuracy on real frames see models/README.md.")


def _stay(folder: Path, console: Console, events: loop.Events) -> None:
    """Keep the system up to be looked at until Ctrl-C."""
    console.print(
        f"\nThe system keeps running. Look at it from another terminal:\n"
        f"  rosette base list --config {shlex.quote(str(folder / 'base.toml'))}\n"
        f"  rosette outbox stats --config {shlex.quote(str(folder / 'T0001.toml'))}\n"
        "Ctrl-C ends it.",
        soft_wrap=True,
    )
    loop.run(lambda event: None, events)

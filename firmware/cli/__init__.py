"""The `rosette` command: one function a command, each thin.

Promises: exit 0 done, 1 failed, 2 bad usage or config; an error on stderr says what, which and
what to do. A command imports what it needs only when it runs, so that a daemon on a small machine
does not carry the others.
"""

import click

from firmware import __version__
from firmware.cli import (
    base,
    classify,
    config,
    dashboard,
    demo,
    export,
    model,
    outbox,
    report,
    simulate,
    survey,
    trap,
)

WIRE_VERSION = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Smart camera traps and their base station.

    Start with `rosette demo`: the whole system on this machine, with virtual hardware.
    """


for command in (
    demo.demo, classify.classify, trap.trap, outbox.outbox, base.base, model.model, config.config,
    simulate.simulate,
):  # fmt: skip
    main.add_command(command)
for command in (
    survey.deployment, survey.review, report.report, export.export, export.import_,
    dashboard.dashboard, dashboard.account,
):  # fmt: skip
    base.base.add_command(command)


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

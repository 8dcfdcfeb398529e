"""`rosette model`: look at a model, check it, sign it, and put it on a unit."""

import json
from pathlib import Path

import click

from firmware.cli.options import FILE, load_or_exit


@click.group()
def model() -> None:
    """Models: signed, versioned files that change without the firmware."""


@model.command("show", epilog="Example: rosette model show other.tflite")
@click.argument("file", type=FILE, required=False)
def model_show(file: Path | None) -> None:
    """What a model says of itself; without FILE, the one that ships with the firmware."""
    from firmware.trap.capture.classifier import ModelError, shipped_model
    from firmware.trap.capture.sidecar import load_sidecar

    try:
        sidecar = load_sidecar(file or shipped_model())
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    raw = json.loads(sidecar.file.with_suffix(".json").read_text(encoding="utf-8"))
    click.echo(f"{sidecar.file}\n{sidecar.name} {sidecar.version} ({sidecar.id})")
    click.echo("thresholds: " + ", ".join(f"{k} {v:g}" for k, v in sidecar.thresholds.items()))
    click.echo(f"{'label':<16}{'images':>8}{'camera-trap':>13}  taxon")
    for label in raw["labels"]:
        counts = f"{label.get('train_images', '?'):>8}{label.get('train_camera_trap', '?'):>13}"
        click.echo(f"{label['name']:<16}{counts}  {label.get('taxon', '')}")


@model.command("verify", epilog="Example: rosette model verify other.tflite --key team.pub")
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, metavar="FILE", help="PEM of the Ed25519 public key to trust.")
def model_verify(file: Path, key: Path | None) -> None:
    """Check hash, labels, shapes and firmware, run it once, and with --key its signature."""
    from firmware.trap.capture.artefact import verify
    from firmware.trap.capture.sidecar import ModelError
    from firmware.trap.settings import ClassifierSettings

    try:
        checked = verify(file, ClassifierSettings(trusted_key=key))
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    signed = "signed by the key" if key else "signature not checked (give --key)"
    click.echo(f"{file}: good; {checked.sidecar.version} ({checked.sidecar.id}); {signed}")


@model.command("sign", epilog="Example: rosette model sign other.tflite --key team.pem")
@click.argument("file", type=FILE)
@click.option(
    "--key", type=FILE, metavar="FILE", required=True, help="PEM of an Ed25519 private key."
)
def model_sign(file: Path, key: Path) -> None:
    """Sign a model; the signature is written beside it.

    A key pair: `openssl genpkey -algorithm ed25519 -out team.pem`, then
    `openssl pkey -in team.pem -pubout -out team.pub`.
    """
    from firmware.trap.capture.artefact import sign
    from firmware.trap.capture.sidecar import ModelError

    try:
        click.echo(f"written: {sign(file, key)}")
    except ModelError as error:
        raise click.ClickException(str(error)) from error


@model.command("install", epilog="Example: rosette model install other.tflite --config trap.toml")
@click.argument("file", type=FILE)
@click.option("--config", type=FILE, required=True, metavar="FILE", help="The unit's config file.")
def model_install(file: Path, config: Path) -> None:
    """Make it the unit's model from the capture daemon's next start on.

    A model that does not fit is refused with the reason, and the one before stays.
    """
    from firmware.trap.capture.artefact import install
    from firmware.trap.capture.sidecar import ModelError
    from firmware.trap.settings import TrapSettings

    settings = load_or_exit(config, TrapSettings)
    try:
        installed = install(file, settings)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    if settings.classifier.model is not None:
        click.echo("note: classifier.model in the config names another model, which goes first")
    click.echo(
        f"installed: {installed.sidecar.version} ({installed.sidecar.id}); restart the capture "
        "daemon to run it"
    )

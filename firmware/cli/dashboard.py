"""`rosette base dashboard` and `rosette base account`: the web pages, and who may see them."""

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware.base.dashboard.roles import ROLES
from firmware.cli.options import config_option, load_or_exit, log_option
from firmware.logs import log_to_stderr

if TYPE_CHECKING:
    from firmware.base.dashboard.accounts import Accounts


@click.command(epilog="Example: rosette base dashboard --config /etc/rosette/base.toml")
@config_option
@log_option
def dashboard(file: Path, log_level: str) -> None:
    """Serve the web pages beside a running receiver. Make an account first."""
    from firmware.base.settings import BaseSettings

    settings = load_or_exit(file, BaseSettings)
    with _installed():
        from firmware.base.dashboard import serve
    log_to_stderr(log_level)
    raise SystemExit(serve.main(settings))


@click.group()
def account() -> None:
    """Who may log in to the dashboard, and as what."""


@account.command(
    "add", epilog="Example: rosette base account add --config base.toml olga --role ranger"
)
@config_option
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True,
              help="What the account may see and do.")  # fmt: skip
def account_add(file: Path, name: str, role: str) -> None:
    """A new account; its password is asked for, twice.

    \b
    viewer     sightings and units; no place finer than 0.1 degrees, people blurred
    ranger     also exact places, people when there is a reason (audited), review, commands
    analyst    as a ranger, but never people
    admin      everything, and the audit
    """
    with _accounts(file) as accounts:
        accounts.add(name, role, _new_hash(), _now_s())
    click.echo(f"{name} may log in as {role}")


@account.command("list", epilog="Example: rosette base account list --config base.toml")
@config_option
def account_list(file: Path) -> None:
    """All accounts and their roles."""
    with _accounts(file) as accounts:
        for one in accounts.everyone():
            click.echo(f"{one.role:8}  {one.name}")


@account.command("remove", epilog="Example: rosette base account remove --config base.toml olga")
@config_option
@click.argument("name")
def account_remove(file: Path, name: str) -> None:
    """The account goes, and is logged out at once; what it did stays in the audit."""
    with _accounts(file) as accounts:
        accounts.remove(name)
    click.echo(f"{name} removed")


@account.command(
    "password", epilog="Example: rosette base account password --config base.toml olga"
)
@config_option
@click.argument("name")
def account_password(file: Path, name: str) -> None:
    """Another password, asked for twice; the account is logged out everywhere."""
    with _accounts(file) as accounts:
        accounts.set_password(name, _new_hash())
    click.echo(f"{name} has a new password")


def _new_hash() -> str:
    from firmware.base.dashboard.passwords import PasswordError, Passwords

    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        return Passwords().make(password)
    except PasswordError as error:
        raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def _accounts(file: Path) -> Iterator["Accounts"]:
    """The accounts of the base with this config; whatever is wrong is one line."""
    from firmware.base.settings import BaseSettings

    settings = load_or_exit(file, BaseSettings)
    with _installed():
        from firmware.base.dashboard.accounts import AccountError, Accounts
        from firmware.base.store import Store, StoreError
    try:
        Store(settings.store.data_dir).close()  # makes the folder where there is none yet
        with Accounts(settings.store.data_dir) as accounts:
            yield accounts
    except (AccountError, StoreError) as error:
        raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed: pip install 'rosette[base]'"
        ) from error


def _now_s() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()

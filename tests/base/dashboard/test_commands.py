"""`rosette base account`: accounts by command line, passwords never as an argument."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware.base.dashboard import serve
from firmware.base.dashboard.accounts import Accounts
from firmware.base.dashboard.passwords import Passwords
from firmware.cli import main
from tests.base.dashboard.conftest import make_settings

GOOD = "a leopard's rosette"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "base.toml"
    file.write_text(f"[mqtt]\nhost = 'h'\n[store]\ndata_dir = '{tmp_path / 'base'}'\n")
    return file


def rosette(config: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["base", "account", *words, "--config", str(config)], typed)


def test_an_account_is_made_listed_given_a_password_and_removed(
    config: Path, tmp_path: Path
) -> None:
    done = rosette(config, "add", "olga", "--role", "ranger", typed=f"{GOOD}\n{GOOD}\n")
    assert done.exit_code == 0, done.output
    assert GOOD not in done.output
    assert rosette(config, "list").output == "ranger    olga\n"
    other = "another password"
    done = rosette(config, "password", "olga", typed=f"{other}\n{other}\n")
    assert done.exit_code == 0, done.output
    with Accounts(tmp_path / "base") as accounts:
        assert Passwords().match(accounts.hash_of("olga"), other)
    assert rosette(config, "remove", "olga").exit_code == 0
    assert rosette(config, "list").output == ""


def test_what_cannot_be_is_one_line(config: Path) -> None:
    for words, typed, why in (
        (("add", "olga", "--role", "ranger"), "short\nshort\n", "at least 10 characters"),
        (("remove", "nobody"), "", "there is no account nobody"),
        (("password", "nobody"), f"{GOOD}\n{GOOD}\n", "there is no account nobody"),
    ):
        done = rosette(config, *words, typed=typed)
        assert done.exit_code == 1 and why in done.output
    assert rosette(config, "add", "olga", "--role", "king").exit_code == 2


def test_a_dashboard_that_cannot_open_its_books_says_so_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(tmp_path / "no" / "such" / "disk")
    assert serve.main(settings) == 1
    assert "cannot_start" in caplog.text and "is mounted" in caplog.text

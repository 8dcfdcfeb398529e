"""The accounts' file: sessions that end, and an audit that nobody can change."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from firmware.base.dashboard.accounts import (
    FILE,
    GRANT_S,
    IDLE_S,
    LONGEST_S,
    AccountError,
    Accounts,
)
from firmware.base.dashboard.passwords import PasswordError, Passwords
from firmware.base.dashboard.rate import Limit
from tests.base.dashboard.conftest import CHEAP

NOW_S = 1.8e9


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    accounts = Accounts(tmp_path)
    accounts.add("olga", "ranger", "hash", NOW_S)
    return accounts


def test_a_session_counts_until_it_is_idle_or_old(accounts: Accounts) -> None:
    token = accounts.begin("olga", NOW_S)
    for hour in range(0, int(LONGEST_S / 3600), 11):
        assert accounts.session(token, NOW_S + hour * 3600) is not None, hour
    assert accounts.session(token, NOW_S + LONGEST_S) is None
    other = accounts.begin("olga", NOW_S)
    assert accounts.session(other, NOW_S + IDLE_S - 1) is not None
    assert accounts.session(other, NOW_S + 2 * IDLE_S) is None
    assert accounts.session("guess", NOW_S) is None


def test_the_file_holds_no_token_and_is_its_owners_alone(
    accounts: Accounts, tmp_path: Path
) -> None:
    token = accounts.begin("olga", NOW_S)
    accounts.close()
    assert token.encode() not in (tmp_path / FILE).read_bytes()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("change", ["removed", "password"])
def test_a_changed_account_is_logged_out_everywhere(accounts: Accounts, change: str) -> None:
    token = accounts.begin("olga", NOW_S)
    session = accounts.session(token, NOW_S)
    assert session is not None and accounts.is_open(session, NOW_S)
    if change == "removed":
        accounts.remove("olga")
    else:
        accounts.set_password("olga", "other")
    assert accounts.session(token, NOW_S) is None
    assert not accounts.is_open(session, NOW_S)


def test_people_are_seen_for_ten_minutes_of_one_sighting_in_one_session(
    accounts: Accounts,
) -> None:
    one, other = (accounts.session(accounts.begin("olga", NOW_S), NOW_S) for _ in range(2))
    assert one is not None and other is not None
    accounts.grant_people(one, 7, NOW_S)
    assert accounts.sees_people(one, 7, NOW_S + GRANT_S - 1)
    assert not accounts.sees_people(one, 7, NOW_S + GRANT_S)
    assert not accounts.sees_people(one, 8, NOW_S)
    assert not accounts.sees_people(other, 7, NOW_S)


@pytest.mark.parametrize("change", ["DELETE FROM audit", "UPDATE audit SET who = 'x'"])
def test_the_audit_only_grows(accounts: Accounts, tmp_path: Path, change: str) -> None:
    accounts.audit("olga", "coordinates", "map", NOW_S)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(change)
    accounts.remove("olga")
    assert [line.who for line in accounts.audit_lines()] == ["olga"]


@pytest.mark.parametrize(("name", "role"), [("", "viewer"), ("a b", "viewer"), ("x", "king"),
                                            ("olga", "viewer"), ("x" * 65, "viewer")])  # fmt: skip
def test_what_can_be_no_account_is_refused(accounts: Accounts, name: str, role: str) -> None:
    with pytest.raises(AccountError):
        accounts.add(name, role, "hash", NOW_S)
    assert [one.name for one in accounts.everyone()] == ["olga"]


def test_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AccountError, match="does the directory exist"):
        Accounts(tmp_path / "missing")


def test_a_password_matches_its_hash_alone() -> None:
    passwords = Passwords(CHEAP)
    known = passwords.make("long enough")
    assert passwords.match(known, "long enough")
    assert not passwords.match(known, "long enough ")
    assert not passwords.match(None, "nobody has this one")
    assert not passwords.match("no hash at all", "long enough")
    for bad in ("short", "x" * 201):
        with pytest.raises(PasswordError):
            passwords.make(bad)


def test_hashes_are_argon2id() -> None:
    assert Passwords().make("long enough").startswith("$argon2id$")


def test_a_limit_counts_failures_in_its_window() -> None:
    limit = Limit(3, 60.0)
    for at_s in (0.0, 10.0, 20.0):
        assert limit.wait_s("k", at_s) == 0
        limit.failed("k", at_s)
    assert limit.wait_s("k", 30.0) == 30.0
    assert limit.wait_s("other", 30.0) == 0
    assert limit.wait_s("k", 60.0) == 0
    limit.failed("k", 60.0)
    limit.take_back("k")
    assert limit.wait_s("k", 61.0) == 0
    limit.succeeded("k")
    assert limit.wait_s("k", 61.0) == 0


def test_a_limit_forgets_the_oldest_names_rather_than_fill_the_memory() -> None:
    limit = Limit(1, 1e9)
    for number in range(10_001):
        limit.failed(str(number), float(number))
    assert limit.wait_s("0", 10_001.0) == 0
    assert limit.wait_s("10000", 10_001.0) > 0

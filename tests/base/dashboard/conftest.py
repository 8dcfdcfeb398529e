"""A small base whose pictures know too much, and browsers of each role."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.testclient import TestClient

from firmware.base.dashboard.accounts import Accounts
from firmware.base.dashboard.app import make_app
from firmware.base.dashboard.passwords import Passwords
from firmware.base.dashboard.roles import ROLES
from firmware.base.settings import BaseSettings, StoreSettings
from firmware.broker import Broker
from tests.base.export.exported import fill
from tests.base.survey.survey_store import DAY_S, T0

PASSWORD = "a leopard's rosette"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # tests guess no passwords
NOW_S = T0 + 50 * DAY_S


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Base:
    """A running dashboard over a small survey."""

    data_dir: Path
    app: Starlette
    clock: Clock
    portal: BlockingPortal | None

    def browser(self) -> TestClient:
        """One that nobody has logged in with."""
        client = TestClient(self.app, base_url="https://base.test", follow_redirects=False)
        client.portal = self.portal  # all browsers meet in one event loop, as they would
        return client

    def logged_in(self, name: str) -> TestClient:
        """One of the account of that name."""
        client = self.browser()
        answer = log_in(client, name)
        assert answer == 303
        return client

    def audit(self) -> list[tuple[str, str, str]]:
        """(who, what, detail), oldest first."""
        with Accounts(self.data_dir) as accounts:
            return [(line.who, line.what, line.detail) for line in accounts.audit_lines()][::-1]


def log_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    secret = hidden_field(client.get("/login").text)
    form = {"name": name, "password": password, "csrf": secret}
    return int(client.post("/login", data=form).status_code)


def hidden_field(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def post(client: TestClient, path: str, **form: str) -> int:
    """As the form on a page does."""
    secret = hidden_field(client.get("/units").text)
    return int(client.post(path, data=form | {"csrf": secret}).status_code)


def make_settings(data_dir: Path) -> BaseSettings:
    return BaseSettings(mqtt=Broker(host="localhost"), store=StoreSettings(data_dir=data_dir))


def add_accounts(data_dir: Path) -> None:
    known = Passwords(CHEAP).make(PASSWORD)
    with Accounts(data_dir) as accounts:
        for role in ROLES:
            accounts.add(role, role, known, NOW_S)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; every test gets a copy."""
    folder = tmp_path_factory.mktemp("filled") / "base"
    fill(folder)
    add_accounts(folder)
    return folder


@pytest.fixture
def base(filled: Path, tmp_path: Path) -> Iterator[Base]:
    shutil.copytree(filled, tmp_path / "base")
    clock = Clock()
    app = make_app(make_settings(tmp_path / "base"), clock, Passwords(CHEAP))
    with TestClient(app) as server:
        yield Base(tmp_path / "base", app, clock, server.portal)

"""The dashboard's pages over a large store, in process, beside the bare query of the same rows.

A page does more than its query: session, other processes' news, pictures' rows, HTML. The 95th
percentile is what the bar is about; the ratio says what a page costs beyond its rows.
"""

import dataclasses
import hashlib
import io
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from PIL import Image
from starlette.testclient import TestClient

from bench import Result
from firmware.base.dashboard.accounts import Accounts
from firmware.base.dashboard.app import make_app
from firmware.base.dashboard.passwords import Passwords
from firmware.base.settings import BaseSettings, StoreSettings
from firmware.base.store import DATABASE, Arrival, Store
from firmware.base.survey.book import Survey
from firmware.base.survey.statements import Placed
from firmware.broker import Broker
from firmware.wire.health import Health
from firmware.wire.ids import ItemId
from firmware.wire.records import Sighting, dump_record
from firmware.wire.topics import up_topic

SIGHTINGS, UNITS, ROUNDS, BATCH = 100_000, 100, 40, 4000
NOW_S = 1_790_000_000.0
PASSWORD = "a leopard's rosette"
RARE, SHARE = "leopard", 0.002
COMMON = ("deer", "wild_boar", "roe_deer", "fox", "empty", "empty", "human", "bird")
ROWS = "SELECT * FROM observation{where} ORDER BY at_s DESC, seq DESC LIMIT 25"


@dataclasses.dataclass(frozen=True)
class Page:
    """A page, and the bare query of what it shows."""

    name: str
    path: str
    query: str


def run() -> list[Result]:
    """The 95th percentile of every page, and its ratio to the bare query."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data_dir = Path(folder) / "base"
        fill(data_dir)
        with closing(sqlite3.connect(data_dir / DATABASE)) as db:
            middle = db.execute("SELECT seq FROM observation ORDER BY seq LIMIT 1 OFFSET ?",
                                (SIGHTINGS // 2,)).fetchone()[0]  # fmt: skip
            settings = BaseSettings(Broker(host="localhost"), StoreSettings(data_dir))
            app = make_app(settings, lambda: NOW_S, Passwords())
            with TestClient(app, base_url="https://base.test") as client:
                log_in(client)
                return [row for page in pages(middle) for row in measure(client, db, page)]


def pages(middle: int) -> list[Page]:
    """Every page; `middle`: a sighting in the middle of the store."""
    deep = f"{NOW_S - SIGHTINGS * 20!r}:{middle}"
    return [
        Page("sightings", "/", ROWS.format(where="")),
        Page("sightings, deep", f"/?before={deep}",
             ROWS.format(where=f" WHERE (at_s, seq) < ({NOW_S - SIGHTINGS * 20}, {middle})")),
        Page("sightings of a rare species", f"/?species={RARE}",
             ROWS.format(where=f" WHERE species = '{RARE}'")),
        Page("sightings of a unit", "/?unit=T0007", ROWS.format(where=" WHERE unit = 'T0007'")),
        Page("sightings of a day", "/?from=2026-09-10&to=2026-09-10",
             ROWS.format(where=" WHERE at_s >= 1788998400 AND at_s < 1789084800")),
        Page("event", f"/event/{middle}", f"SELECT * FROM observation WHERE seq = {middle}"),
        Page("review", "/review", ROWS.format(where=" WHERE reviewed = 0").replace("25", "2")),
        Page("unit", "/unit/T0007", "SELECT * FROM unit"),
        Page("units", "/units", "SELECT * FROM unit"),
        Page("map", "/map", "SELECT * FROM deployment"),
        Page("picture, medium, kept", f"/picture/{middle}/frame-1/medium",
             f"SELECT * FROM item WHERE seq = {middle + 1}"),
    ]  # fmt: skip


def measure(client: TestClient, db: sqlite3.Connection, page: Page) -> list[Result]:
    """Page and query in turns."""

    def ask() -> None:
        assert client.get(page.path).status_code == 200, page.path

    ask()
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(timed_ms(ask))
        bare.append(timed_ms(lambda: db.execute(page.query).fetchall()))
    p95 = statistics.quantiles(ours, n=20)[-1]
    name = f"dashboard, {page.name}"
    return [
        Result(f"{name}, p95 of {SIGHTINGS}", p95, "ms", "<= 200"),
        Result(f"{name}, median", statistics.median(ours), "ms", "",
               statistics.median(bare), "bare query"),
    ]  # fmt: skip


def timed_ms(work: Callable[[], object]) -> float:
    """How long it took."""
    start_s = time.perf_counter()
    work()
    return (time.perf_counter() - start_s) * 1000


def log_in(client: TestClient) -> None:
    """As the one who sees most."""
    secret = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert secret
    form = {"name": "admin", "password": PASSWORD, "csrf": secret[1]}
    assert client.post("/login", data=form).status_code == 200


def fill(data_dir: Path) -> None:
    """A year of a hundred units; every fourth sighting has a frame, all of them the same file."""
    rng = random.Random(1)
    file = io.BytesIO()
    Image.effect_noise((1600, 1200), 60).convert("RGB").save(file, "JPEG", quality=80)
    frame = file.getvalue()
    with Store(data_dir) as store:
        arrivals: list[Arrival] = []
        for number in range(SIGHTINGS):
            arrivals += sighting(rng, number, frame)
            if len(arrivals) >= BATCH:
                store.put(arrivals)
                arrivals = []
        store.put(arrivals + [health(unit) for unit in range(1, UNITS + 1)])
    with Survey(data_dir) as survey:
        survey.state([
            Placed(f"T{unit:04X}", f"Place {unit}", 42.5 + unit % 10 / 9, 130.5 + unit / 99, 0.0)
            for unit in range(1, UNITS + 1)
        ], "bench", NOW_S)  # fmt: skip
    with Accounts(data_dir) as accounts:
        accounts.add("admin", "admin", Passwords().make(PASSWORD), NOW_S)


def sighting(rng: random.Random, number: int, frame: bytes) -> list[Arrival]:
    """One record, and for some a frame."""
    unit = number % UNITS + 1
    species = RARE if rng.random() < SHARE else rng.choice(COMMON)
    time_s = NOW_S - (SIGHTINGS - number) * 30.0
    record = Sighting(f"T{unit:04X}", number, time_s, species, 0.9, 1, 3, True, "rtc", "0123abcd")
    made = [arrival(ItemId(unit, number, "sighting"), dump_record(record), "application/json")]
    if number % 4 == 0 or number == SIGHTINGS // 2:
        made.append(arrival(ItemId(unit, number, "frame", 1), frame, "image/jpeg"))
    return made


def health(unit: int) -> Arrival:
    """A report."""
    report = Health(f"T{unit:04X}", int(NOW_S), int(NOW_S), "rtc", 10, 1000, 0, 0)
    return arrival(ItemId(unit, int(NOW_S), "health"), dump_record(report), "application/json")


def arrival(item: ItemId, body: bytes, content_type: str) -> Arrival:
    """As the receiver makes them."""
    return Arrival(up_topic(item), NOW_S, content_type, hashlib.sha256(body).hexdigest(), body)

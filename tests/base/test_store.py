import contextlib
import dataclasses
import fcntl
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.base.store import DATABASE, SCHEMA, Arrival, Kept, Store, StoreError
from firmware.wire.commands import CommandResult
from firmware.wire.health import Health
from firmware.wire.ids import ItemId
from firmware.wire.records import Sighting, Status
from tests.base.pictures import (
    frame_arrival,
    health,
    picture,
    report_arrival,
    sighting,
    sighting_arrival,
    status_arrival,
)

TABLES = ("item", "sighting", "health", "answer", "unit")
ITEM = ItemId(7, 1, "frame", 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "base") as store:
        yield store


def rows(store: Store, table: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
        return sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)


def derived(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {table: rows(store, table) for table in TABLES}


def files(store: Store) -> list[Path]:
    return sorted(p for p in store.media.root.rglob("*") if p.is_file())


def test_a_frame_is_stored_under_its_hash_and_a_record_in_the_log(store: Store) -> None:
    body = picture()
    frame = frame_arrival(ITEM, body)
    assert store.put([sighting_arrival(sighting()), frame]) == ["stored", "stored"]
    path = store.media.path(frame.sha256, "image/jpeg")
    assert path.read_bytes() == body
    assert path.relative_to(store.media.root).parts == (
        frame.sha256[:2], frame.sha256[2:4], f"{frame.sha256}.jpg",
    )  # fmt: skip
    assert len(rows(store, "raw")) == 2
    assert files(store) == [path]


def test_the_same_again_changes_nothing(store: Store) -> None:
    arrivals = [
        sighting_arrival(sighting()),
        frame_arrival(ITEM, picture()),
        status_arrival(Status("T0007", "online", 1.7e9)),
    ]
    store.put(arrivals)
    before = (rows(store, "raw"), derived(store), files(store))
    later = [dataclasses.replace(a, received_s=1.9e9) for a in arrivals]
    assert store.put(later + later) == ["duplicate"] * 6
    assert (rows(store, "raw"), derived(store), files(store)) == before


def test_the_same_twice_in_one_commit_is_stored_once(store: Store) -> None:
    frame = frame_arrival(ITEM, picture())
    assert store.put([frame, frame]) == ["stored", "duplicate"]
    assert len(rows(store, "raw")) == 1


def test_other_bytes_under_a_known_id_are_kept_beside_the_first_and_marked(store: Store) -> None:
    first, second = frame_arrival(ITEM, picture(1)), frame_arrival(ITEM, picture(2))
    assert store.put([first]) == ["stored"]
    assert store.put([second, first]) == ["conflict", "duplicate"]
    assert [(row[4], row[-1]) for row in rows(store, "item")] == sorted(
        [(first.sha256, 0), (second.sha256, 1)]
    )
    assert len(files(store)) == 2


def test_two_items_with_the_same_picture_share_one_file(store: Store) -> None:
    body = picture()
    other = dataclasses.replace(ITEM, index=2)
    assert store.put([frame_arrival(ITEM, body), frame_arrival(other, body)]) == ["stored"] * 2
    assert len(files(store)) == 1
    assert len(rows(store, "item")) == 2


def test_a_unit_has_the_last_status_that_came_whatever_its_clock_says(store: Store) -> None:
    online = status_arrival(Status("T0007", "online", 1.7e9), 1.8e9)
    asleep = status_arrival(Status("T0007", "sleeping", 1.2e9, until_s=1.3e9), 1.8e9 + 1)
    assert store.put([online, online, asleep, online]) == [
        "stored", "duplicate", "stored", "stored",
    ]  # fmt: skip
    assert [row[:5] for row in rows(store, "unit")] == [("T0007", 1.8e9, "online", 1.7e9, None)]


@pytest.mark.parametrize(
    ("table", "record"), [("sighting", Sighting), ("health", Health), ("answer", CommandResult)]
)
def test_the_table_of_a_record_has_every_field_of_it(
    store: Store, table: str, record: type[Sighting] | type[Health] | type[CommandResult]
) -> None:
    with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
        columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    assert columns == {f.name for f in dataclasses.fields(record)} | {"seq", "received_s"}


def test_reports_and_answers_can_be_asked_for_by_unit_and_time(store: Store) -> None:
    answer = CommandResult("T0007", 12, 5, "refused", "stale")
    store.put([
        report_arrival(health(1, waiting=9), 1.8e9),
        report_arrival(health(2, waiting=4), 1.8e9 + 60),
        report_arrival(health(9, "T0008"), 1.8e9 + 90),
        report_arrival(answer),
    ])  # fmt: skip
    with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
        found = db.execute("SELECT number, waiting FROM health WHERE unit = 'T0007'"
                           " ORDER BY received_s DESC LIMIT 1").fetchone()  # fmt: skip
        assert found == (2, 4)
        assert db.execute("SELECT number, outcome, reason FROM answer").fetchall() == [
            (12, "refused", "stale")
        ]


def test_a_file_of_the_first_schema_gets_its_tables_when_it_is_opened(tmp_path: Path) -> None:
    with Store(tmp_path / "base") as store:
        store.put([report_arrival(health()), sighting_arrival(sighting())])
        before = derived(store)
        with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
            for table in ("health", "answer"):
                db.execute(f"DROP TABLE {table}")
            db.execute("PRAGMA user_version = 1")
            db.commit()
    with Store(tmp_path / "base") as store:
        assert derived(store) == before


def test_the_raw_log_cannot_be_changed_or_shortened(store: Store) -> None:
    store.put([frame_arrival(ITEM, picture())])
    with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
        for statement in ("DELETE FROM raw", "UPDATE raw SET received_s = 0"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def arrivals() -> st.SearchStrategy[Arrival]:
    small = st.integers(1, 2)
    frames = st.builds(
        lambda unit, number, index, seed: frame_arrival(
            ItemId(unit, number, "frame", index), picture(seed)
        ),
        small, small, small, small,
    )  # fmt: skip
    sightings = st.builds(
        lambda unit, number, species: sighting_arrival(sighting(number, f"T000{unit}", species)),
        small, small, st.sampled_from(("leopard", "tiger")),
    )  # fmt: skip
    statuses = st.builds(
        lambda unit, state: status_arrival(Status(f"T000{unit}", state, 1.7e9)),
        small, st.sampled_from(("online", "offline")),
    )  # fmt: skip
    reports = st.builds(
        lambda unit, number, waiting: report_arrival(health(number, f"T000{unit}", waiting)),
        small, small, small,
    )  # fmt: skip
    answers = st.builds(
        lambda unit, number, outcome: report_arrival(
            CommandResult(f"T000{unit}", number, 5, outcome)
        ),
        small, small, st.sampled_from(("done", "expired")),
    )  # fmt: skip
    return st.one_of(frames, sightings, statuses, reports, answers)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(arrivals(), max_size=6), max_size=6))
def test_any_history_leaves_each_item_and_content_once_and_rebuilds_identically(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Arrival]]
) -> None:
    with Store(tmp_path_factory.mktemp("any") / "base") as store:
        seen: dict[str, set[str]] = {}
        for number, batch in enumerate(batches):
            stamped = [dataclasses.replace(a, received_s=1.8e9 + number) for a in batch]
            outcomes = store.put(stamped)
            for arrival, outcome in zip(stamped, outcomes, strict=True):
                if not arrival.topic.endswith("/status"):
                    assert outcome == expected(seen, arrival)
        kept = {(row[0], row[1], row[2], row[3], row[4]) for row in rows(store, "item")}
        assert len(kept) == len(rows(store, "item")) == sum(map(len, seen.values()))
        before = derived(store)
        assert store.rebuild() == len(rows(store, "raw"))
        assert derived(store) == before


def expected(seen: dict[str, set[str]], arrival: Arrival) -> Kept:
    hashes = seen.setdefault(arrival.topic, set())
    outcome: Kept = "duplicate" if arrival.sha256 in hashes else "conflict" if hashes else "stored"
    hashes.add(arrival.sha256)
    return outcome


def test_a_rebuild_repairs_derived_tables_that_were_spoiled(store: Store) -> None:
    store.put([sighting_arrival(sighting()), frame_arrival(ITEM, picture())])
    before = derived(store)
    with contextlib.closing(sqlite3.connect(store.data_dir / DATABASE)) as db:
        db.execute("DELETE FROM item")
        db.execute("UPDATE sighting SET species = 'cow'")
        db.commit()
    assert derived(store) != before
    store.rebuild()
    assert derived(store) == before


@pytest.fixture
def small_disk() -> Iterator[int]:
    """No file of this process may grow past the limit yielded: what a full disk does to us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 400_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_picture_that_the_disk_refuses_leaves_nothing_and_may_come_again(
    store: Store, small_disk: int
) -> None:
    big = frame_arrival(ITEM, b"\xff\xd8" + bytes(small_disk))
    with pytest.raises(StoreError, match="not full"):
        store.put([sighting_arrival(sighting()), big])
    assert files(store) == []
    assert rows(store, "raw") == []
    assert store.put([sighting_arrival(sighting())]) == ["stored"]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert store.put([big]) == ["stored"]


def test_a_database_that_cannot_grow_stores_nothing_and_takes_the_same_later(
    store: Store, small_disk: int
) -> None:
    many = [sighting_arrival(sighting(n)) for n in range(2000)]
    with pytest.raises(StoreError):
        store.put(many)
    assert rows(store, "raw") == []
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert store.put(many) == ["stored"] * 2000


def test_a_picture_lost_from_the_folder_is_written_again_when_it_comes_again(store: Store) -> None:
    frame = frame_arrival(ITEM, picture())
    store.put([frame])
    path = store.media.path(frame.sha256, "image/jpeg")
    path.write_bytes(b"cut")
    assert store.put([frame]) == ["duplicate"]
    assert path.read_bytes() == frame.body


def test_opening_removes_what_a_dead_process_left_but_not_what_a_living_one_writes(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "base") as store:
        temps = store.media.root / "tmp"
        (temps / "dead").write_bytes(b"half")
        with (temps / "living").open("wb") as living:
            fcntl.flock(living, fcntl.LOCK_EX)
            with Store(tmp_path / "base"):
                assert [p.name for p in temps.iterdir()] == ["living"]


def test_two_stores_on_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    frame = frame_arrival(ITEM, picture())
    with Store(tmp_path / "base") as one, Store(tmp_path / "base") as two:
        assert one.put([frame]) == ["stored"]
        assert two.put([frame, sighting_arrival(sighting())]) == ["duplicate", "stored"]
        assert one.put([sighting_arrival(sighting())]) == ["duplicate"]


PUTTER = """
import sys
from pathlib import Path
from firmware.base.store import Store
from firmware.wire.commands import CommandResult
from firmware.wire.health import Health
from firmware.wire.ids import ItemId
from tests.base.pictures import frame_arrival, picture
with Store(Path(sys.argv[1])) as store:
    for number in range(100_000):
        store.put([frame_arrival(ItemId(7, number, "frame", 1), picture(number) + bytes(50_000))])
        print(number, flush=True)
"""


def test_what_put_has_returned_for_is_there_after_kill_9(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for kill_after in (3, 17):
        folder = tmp_path / str(kill_after)
        command = [sys.executable, "-c", PUTTER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
            assert process.stdout is not None
            done = [int(process.stdout.readline()) for _ in range(kill_after)]
            os.kill(process.pid, signal.SIGKILL)
            done += [int(line) for line in process.stdout.read().splitlines()]
        with Store(folder) as store:
            stored = {row[1]: str(row[4]) for row in rows(store, "item")}
            assert set(done) <= set(stored)
            for sha256 in stored.values():
                store.media.path(sha256, "image/jpeg").read_bytes()
            assert list((store.media.root / "tmp").iterdir()) == []


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "base"):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "base" / DATABASE)) as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    with pytest.raises(StoreError, match="newer version"):
        Store(tmp_path / "base")


def test_a_file_that_is_no_database_and_a_missing_disk_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path / "base")
    with pytest.raises(StoreError, match="mounted"):
        Store(tmp_path / "absent" / "base")

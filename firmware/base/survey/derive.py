"""The derived tables, one message and one statement at a time. Only `book.py` calls this.

Promises that it does not matter how messages and statements interleave: once all have come, the
tables say the same. Each of the two is taken in the order of its numbers.

Time: the unit's own, where its clock is set. Where it is not, the unit's time is believed only if
it lies within the 400 days before the message came; otherwise the time of coming stands in, and
either way the observation is marked as doubtful.
"""

import sqlite3
from collections.abc import Iterable
from typing import cast

from firmware.base.survey.events import Seen, visits
from firmware.base.survey.statements import (
    EMPTY,
    Ended,
    PeopleSeen,
    Placed,
    Review,
    Statement,
    Undone,
    Voided,
    load_statement,
)
from firmware.base.survey.view import current
from firmware.wire.errors import WireError
from firmware.wire.health import Health
from firmware.wire.records import Sighting, Status, load_record
from firmware.wire.topics import parse_up_topic

CARD_JSON = "application/json; source=card"  # the content type of a record read from a card
Group = tuple[str, int | None, str]  # unit, deployment, species: what events are made of
Touch = tuple[str, int | None, str, float]  # a group, and when something in it has changed
_IN_GROUP = "unit = ? AND deployment IS ? AND species = ?"

SLOT_S = 600  # heartbeats closer than this are one
SAME_S = 60.0  # two records of one name within this are one sighting, come on two roads
OLDEST_S = 400 * 86400.0
AHEAD_S = 86400.0


def take_message(
    db: sqlite3.Connection, seq: int, received_s: float, topic: str, content_type: str,
    record: bytes,
) -> set[Touch]:  # fmt: skip
    """One row of the store's log; returns where events may change. Raises WireError."""
    if topic.endswith("/status"):
        status = load_record(record, Status)
        if status.state != "offline":  # the broker says that one, not the unit
            _beat(db, status.unit, received_s, status.until_s)
        return set()
    kind = parse_up_topic(topic).kind
    if kind == "health":
        health = load_record(record, Health)
        at_s, _ = believed(float(health.time_s or 0), health.clock, received_s)
        _beat(db, health.unit, at_s)
    if kind == "sighting":
        road = "card" if content_type == CARD_JSON else "radio"
        return _take_sighting(db, seq, received_s, road, load_record(record, Sighting))
    return set()


def take_statement(
    db: sqlite3.Connection, seq: int, said_s: float, who: str, statement: Statement
) -> set[Touch]:
    """One row of the log of statements; returns where events may change. Raises WireError for what
    speaks of nothing that is there."""
    match statement:
        case Placed():
            db.execute(
                "INSERT INTO deployment VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (seq, statement.unit, statement.place, statement.latitude, statement.longitude,
                 statement.start_s, statement.end_s, statement.notes),
            )  # fmt: skip
            return _settle(db, statement.unit)
        case Ended():
            unit = _unit_of(db, statement.deployment)
            db.execute(
                "UPDATE deployment SET end_s = ? WHERE id = ?",
                (statement.end_s, statement.deployment),
            )
            return _settle(db, unit)
        case Voided():
            unit = _unit_of(db, statement.deployment)
            db.execute("DELETE FROM deployment WHERE id = ?", (statement.deployment,))
            return _settle(db, unit)
        case Review():
            db.execute("INSERT INTO review VALUES (?, ?, 0)", (seq, statement.observation))
            return _look_again(db, statement.observation)
        case Undone():
            db.execute("UPDATE review SET undone = 1 WHERE statement = ?", (statement.review,))
            rows = db.execute(
                "SELECT observation FROM review WHERE statement = ?", (statement.review,)
            ).fetchall()
            return {touch for (number,) in rows for touch in _look_again(db, number)}
        case PeopleSeen():
            db.execute(
                "UPDATE observation SET machine_people = 1 WHERE seq = ?", (statement.observation,)
            )
            return _look_again(db, statement.observation)
    return set()  # a line of the audit


def regroup(db: sqlite3.Connection, touched: Iterable[Touch], independence_s: float) -> None:
    """Make anew the events that come near what was touched. Those of one group that come nearer
    than the interval are one, so that all others are far from these and stay as they are."""
    windows: dict[Group, tuple[float, float]] = {}
    for *group, at_s in touched:
        name = cast(Group, tuple(group))
        low, high = windows.get(name, (at_s, at_s))
        windows[name] = min(low, at_s), max(high, at_s)
    for name, (low, high) in windows.items():
        first, last = db.execute(
            f"SELECT min(start_s), max(end_s) FROM event WHERE {_IN_GROUP}"
            " AND end_s >= ? AND start_s <= ?",
            (*name, low - independence_s, high + independence_s),
        ).fetchone()  # fmt: skip
        if first is not None:
            low, high = min(low, first), max(high, last)
        windows[name] = low, high
        db.execute(
            f"DELETE FROM event WHERE {_IN_GROUP} AND start_s BETWEEN ? AND ?", (*name, low, high)
        )
    for name, window in windows.items():  # only now: an event's number may come from another group
        _regroup_window(db, name, window, independence_s)


def _regroup_window(
    db: sqlite3.Connection, group: Group, window: tuple[float, float], independence_s: float
) -> None:
    rows = db.execute(
        f"SELECT seq, at_s, count, event FROM observation WHERE {_IN_GROUP}"
        " AND at_s BETWEEN ? AND ?", (*group, *window),
    ).fetchall()  # fmt: skip
    before = {row[0]: row[3] for row in rows}
    seen = [] if group[2] == EMPTY else [Seen(*row[:3]) for row in rows]
    runs = visits(seen, independence_s)
    db.executemany(
        "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(run.seqs[0], *group, run.start_s, run.end_s, len(run.seqs), run.count) for run in runs],
    )
    after = dict.fromkeys(before) | {seq: run.seqs[0] for run in runs for seq in run.seqs}
    db.executemany(
        "UPDATE observation SET event = ? WHERE seq = ?",
        [(event, seq) for seq, event in after.items() if event != before[seq]],
    )


def everything(db: sqlite3.Connection) -> set[Touch]:
    """The first and the last moment of every group."""
    ends = "SELECT unit, deployment, species, {}(at_s) FROM observation GROUP BY 1, 2, 3"
    return {*db.execute(ends.format("min")), *db.execute(ends.format("max"))}


def believed(time_s: float, clock: str, received_s: float) -> tuple[float, bool]:
    """When it was, and whether that is doubtful."""
    if clock != "unsynced" and time_s > 0:
        return time_s, False
    if received_s - OLDEST_S <= time_s <= received_s + AHEAD_S:
        return time_s, True
    return received_s, True


def _take_sighting(
    db: sqlite3.Connection, seq: int, received_s: float, road: str, record: Sighting
) -> set[Touch]:
    at_s, doubt = believed(record.time_s, record.clock, received_s)
    _beat(db, record.unit, at_s)
    twin = db.execute(
        "SELECT 1 FROM observation WHERE unit = ? AND sighting = ? AND abs(unit_s - ?) <= ?",
        (record.unit, record.sighting, record.time_s, SAME_S),
    ).fetchone()
    if twin:
        return set()
    view = current(record.species, record.individuals, (), people=record.people)
    deployment = _deployment_at(db, record.unit, at_s)
    db.execute(
        f"INSERT INTO observation VALUES ({', '.join('?' * 24)})",
        (seq, record.unit, record.sighting, deployment, at_s, record.time_s, received_s, doubt,
         record.night, record.model, record.species, record.confidence, record.individuals,
         record.people, road,
         view.species, view.count, view.sex, view.age, view.people, False, None, None, None),
    )  # fmt: skip
    return {(record.unit, deployment, view.species, at_s)}


def _look_again(db: sqlite3.Connection, observation: int) -> set[Touch]:
    """The observation as its reviews leave it."""
    row = db.execute(
        "SELECT unit, deployment, at_s, species, machine_species, machine_count, machine_people"
        " FROM observation WHERE seq = ?", (observation,),
    ).fetchone()  # fmt: skip
    if row is None:
        raise WireError(f"there is no observation {observation}")
    unit, deployment, at_s, before, machine, count, people = row
    said = db.execute(
        "SELECT who, said_s, body FROM review JOIN statement ON seq = statement"
        " WHERE observation = ? AND undone = 0 ORDER BY seq", (observation,),
    ).fetchall()  # fmt: skip
    reviews = [r for *_, body in said if isinstance(r := load_statement("review", body), Review)]
    view = current(machine, count, reviews, people=bool(people))
    who, when = said[-1][:2] if said else (None, None)
    db.execute(
        "UPDATE observation SET species = ?, count = ?, sex = ?, age = ?, people = ?, reviewed = ?,"
        " reviewed_by = ?, reviewed_s = ? WHERE seq = ?",
        (view.species, view.count, view.sex, view.age, view.people, view.reviewed, who, when,
         observation),
    )  # fmt: skip
    return {(unit, deployment, before, at_s), (unit, deployment, view.species, at_s)}


def _settle(db: sqlite3.Connection, unit: str) -> set[Touch]:
    """Put the unit's observations where the unit stood."""
    changed: set[Touch] = set()
    rows = db.execute("SELECT seq, at_s, deployment, species FROM observation WHERE unit = ?",
                      (unit,)).fetchall()  # fmt: skip
    for seq, at_s, before, species in rows:
        now = _deployment_at(db, unit, at_s)
        if now != before:
            db.execute("UPDATE observation SET deployment = ? WHERE seq = ?", (now, seq))
            changed |= {(unit, before, species, at_s), (unit, now, species, at_s)}
    return changed


def _deployment_at(db: sqlite3.Connection, unit: str, at_s: float) -> int | None:
    row = db.execute(
        "SELECT id FROM deployment"
        " WHERE unit = ? AND start_s <= ? AND (end_s IS NULL OR ? < end_s)", (unit, at_s, at_s),
    ).fetchone()  # fmt: skip
    return None if row is None else int(row[0])


def _unit_of(db: sqlite3.Connection, deployment: int) -> str:
    row = db.execute("SELECT unit FROM deployment WHERE id = ?", (deployment,)).fetchone()
    if row is None:
        raise WireError(f"there is no deployment {deployment}")
    return str(row[0])


def _beat(db: sqlite3.Connection, unit: str, at_s: float, until_s: float | None = None) -> None:
    """The unit lived then, and, where it said so, slept until."""
    slot = int(at_s // SLOT_S)
    db.execute(
        "INSERT INTO heartbeat VALUES (?, ?, ?) ON CONFLICT (unit, slot)"
        " DO UPDATE SET until_s = max(until_s, excluded.until_s)",
        (unit, slot, max(until_s or 0.0, slot * float(SLOT_S))),
    )

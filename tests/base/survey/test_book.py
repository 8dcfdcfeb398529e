import contextlib
import itertools
import math
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.base.store import DATABASE, Arrival, Store
from firmware.base.survey.book import INDEPENDENCE_S, Survey, SurveyError
from firmware.base.survey.events import Seen, visits
from firmware.base.survey.reading import Deployment, Observation, Reader
from firmware.base.survey.statements import Ended, Review, Statement, Undone, Voided
from firmware.base.survey.tables import DERIVED_TABLES
from firmware.wire.records import Status
from tests.base.pictures import status_arrival
from tests.base.survey.survey_store import DAY_S, T0, derived, health, placed, put, seen

NOW_S = T0 + 30 * DAY_S


def observation(data_dir: Path, number: int = 1) -> int:
    with Reader(data_dir) as reader:
        return reader.find("T0007", number)[0]


def test_a_sighting_belongs_to_the_deployment_in_which_it_was_taken(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 - 1), seen(2, T0), seen(3, T0 + DAY_S), seen(4, T0 + 9 * DAY_S))
    with Survey(tmp_path / "b") as survey:
        (first,) = survey.state([placed(end_s=T0 + DAY_S)], "Olga", NOW_S)
        (second,) = survey.state([placed(start_s=T0 + DAY_S, place="Creek")], "Olga", NOW_S)
    with Reader(tmp_path / "b") as reader:
        assert [o.deployment for o in reader.observations()] == [None, first, second, second]
        one, two = reader.deployments()
    assert (one.name, one.place, one.stated_by, one.stated_s) == (
        "D0001", "Ridge 3", "Olga", NOW_S,
    )  # fmt: skip
    assert two.end_s is None


def test_a_unit_cannot_be_in_two_places_and_nothing_of_a_bad_batch_is_kept(tmp_path: Path) -> None:
    with Survey(tmp_path / "b") as survey:
        survey.state([placed(end_s=T0 + DAY_S)], "Olga", NOW_S)
        for bad in (placed(start_s=T0 + 5), placed(start_s=T0 - 9, end_s=T0 + 1)):
            with pytest.raises(SurveyError, match="stands at Ridge 3"):
                survey.state([placed("T0009"), bad], "Olga", NOW_S)
        survey.state([placed(start_s=T0 - 9, end_s=T0)], "Olga", NOW_S)
    with Reader(tmp_path / "b") as reader:
        assert [d.unit for d in reader.deployments()] == ["T0007", "T0007"]
        assert len(reader.statements()) == 2


def test_a_deployment_ends_once_and_after_it_began_and_can_be_voided(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 + 10))
    with Survey(tmp_path / "b") as survey:
        (number,) = survey.state([placed()], "Olga", NOW_S)
        with pytest.raises(SurveyError, match="before it began"):
            survey.state([Ended(number, T0)], "Olga", NOW_S)
        survey.state([Ended(number, T0 + 20)], "Olga", NOW_S)
        with pytest.raises(SurveyError, match="ended already"):
            survey.state([Ended(number, T0 + 30)], "Olga", NOW_S)
        survey.state([Voided(number, "wrong hill")], "Olga", NOW_S)
        with pytest.raises(SurveyError, match="no deployment D0001"):
            survey.state([Voided(number, "again")], "Olga", NOW_S)
    with Reader(tmp_path / "b") as reader:
        assert reader.deployments() == []
        assert [o.deployment for o in reader.observations()] == [None]
        assert len(reader.statements()) == 3


def test_sightings_within_half_an_hour_of_the_last_are_one_event(tmp_path: Path) -> None:
    minutes = (0, 20, 45, 80, 110)
    put(tmp_path / "b", *(seen(n, T0 + m * 60, individuals=n) for n, m in enumerate(minutes, 1)))
    put(tmp_path / "b", seen(9, T0 + 60, "deer"), seen(10, T0 + 90, "empty"))
    with Survey(tmp_path / "b") as survey:
        survey.state([placed()], "Olga", NOW_S)
    with Reader(tmp_path / "b") as reader:
        found = {(e.species, e.start_s - T0, e.sightings, e.count) for e in reader.events()}
        assert found == {("leopard", 0, 3, 3), ("leopard", 4800, 2, 5), ("deer", 60, 1, 1)}
    with Survey(tmp_path / "b", independence_s=3600), Reader(tmp_path / "b") as reader:
        assert [e.sightings for e in reader.events() if e.species == "leopard"] == [5]


def test_reviews_change_what_is_believed_and_undo_takes_the_last_one_back(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 + 10))
    with Survey(tmp_path / "b") as survey:
        number = observation(tmp_path / "b")
        survey.state([Review(number, "confirm")], "Olga", NOW_S)
        survey.state([Review(number, "correct", "tiger", 2, "female", "adult")], "Ivan", NOW_S + 1)
        with Reader(tmp_path / "b") as reader:
            (now,) = reader.observations()
            assert (now.species, now.count, now.sex, now.age) == ("tiger", 2, "female", "adult")
            assert (now.machine_species, now.reviewed_by) == ("leopard", "Ivan")
            assert [e.species for e in reader.events()] == ["tiger"]
        survey.undo(number, "Ivan", NOW_S + 2)
        with Reader(tmp_path / "b") as reader:
            (now,) = reader.observations()
            assert (now.species, now.count, now.reviewed_by) == ("leopard", 1, "Olga")
            assert [u for _, u in reader.history(number)] == [False, True]
        survey.undo(number, "Olga", NOW_S + 3)
        with pytest.raises(SurveyError, match="no review"):
            survey.undo(number, "Olga", NOW_S + 4)
    with Reader(tmp_path / "b") as reader:
        (now,) = reader.observations()
        assert (now.reviewed, now.reviewed_by) == (False, None)


def test_what_is_no_animal_leaves_the_events(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 + 10), seen(2, T0 + 20))
    with Survey(tmp_path / "b") as survey:
        survey.state([Review(observation(tmp_path / "b", 1), "not_animal")], "Olga", NOW_S)
    with Reader(tmp_path / "b") as reader:
        (event,) = reader.events()
        assert (event.seq, event.sightings) == (observation(tmp_path / "b", 2), 1)


def test_statements_about_what_is_not_there_or_by_nobody_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0))
    with Survey(tmp_path / "b") as survey:
        for statement in (Review(99, "confirm"), Undone(99), Ended(99, T0)):
            with pytest.raises(SurveyError, match="there is no"):
                survey.state([statement], "Olga", NOW_S)
        with pytest.raises(SurveyError, match="name"):
            survey.state([placed()], "  ", NOW_S)
        with pytest.raises(SurveyError, match="shorter"):
            survey.state([placed(place="\U0001f406" * 400)], "Olga", NOW_S)


def test_one_sighting_on_two_roads_is_one_observation_but_a_number_used_twice_is_two(
    tmp_path: Path,
) -> None:
    put(tmp_path / "b", seen(1, T0), seen(1, T0 + 0.4), seen(1, T0 + 9 * DAY_S))
    with Survey(tmp_path / "b"), Reader(tmp_path / "b") as reader:
        assert [o.at_s for o in reader.observations()] == [T0, T0 + 9 * DAY_S]
        assert len(reader.find("T0007", 1)) == 2


def test_the_log_of_statements_cannot_be_changed_or_shortened(tmp_path: Path) -> None:
    with Survey(tmp_path / "b") as survey:
        survey.state([placed()], "Olga", NOW_S)
    with contextlib.closing(sqlite3.connect(tmp_path / "b" / DATABASE)) as db:
        for statement in (
            "DELETE FROM statement", "UPDATE statement SET who = 'x'", "DELETE FROM survey_key",
        ):  # fmt: skip
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_the_book_is_read_while_the_store_is_written_and_survives_the_stores_rebuild(
    tmp_path: Path,
) -> None:
    put(tmp_path / "b", seen(1, T0 + 10))
    with Survey(tmp_path / "b") as survey, Store(tmp_path / "b") as store:
        survey.state([placed()], "Olga", NOW_S)
        store.put([seen(2, T0 + 20)])
        store.rebuild()
        assert survey.catch_up() == 1
        before = derived(tmp_path / "b")
        assert survey.rebuild() == 2
        assert derived(tmp_path / "b") == before


@pytest.mark.parametrize(
    "spoil",
    ["UPDATE survey_state SET schema = 1", "DROP TABLE survey_state", "DELETE FROM observation"],
)
def test_tables_of_an_older_version_or_lost_ones_are_made_anew(tmp_path: Path, spoil: str) -> None:
    put(tmp_path / "b", seen(1, T0 + 10), seen(2, T0 + 20))
    with Survey(tmp_path / "b") as survey:
        survey.state([placed()], "Olga", NOW_S)
        survey.state([Review(observation(tmp_path / "b"), "not_animal")], "Olga", NOW_S)
    before = derived(tmp_path / "b")
    with contextlib.closing(sqlite3.connect(tmp_path / "b" / DATABASE)) as db:
        db.execute(spoil)
        if "DROP" in spoil:
            for table in set(DERIVED_TABLES) - {"survey_state"}:
                db.execute(f"DROP TABLE {table}")
        db.commit()
    with Survey(tmp_path / "b") as survey:
        if "DELETE" in spoil:
            survey.rebuild()
    assert derived(tmp_path / "b") == before


def test_a_survey_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Survey(tmp_path / "b").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "b" / DATABASE)) as db:
        db.execute("UPDATE survey_state SET schema = 99")
        db.commit()
    with pytest.raises(SurveyError, match="newer version"):
        Survey(tmp_path / "b")


def test_a_statement_about_what_is_no_longer_understood_costs_only_itself(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 + 10))
    with Survey(tmp_path / "b") as survey:
        survey.state([placed()], "Olga", NOW_S)
        before = derived(tmp_path / "b")
        with contextlib.closing(sqlite3.connect(tmp_path / "b" / DATABASE)) as db:
            body = b'{"observation":77,"action":"confirm"}'
            insert = "INSERT INTO statement (said_s, who, kind, body) VALUES (1, 'x', ?, ?)"
            db.executemany(insert, [("review", body), ("prophecy", b"{}"), ("placed", b"?")])
            db.commit()
        survey.rebuild()
        for table in ("observation", "event", "deployment"):
            assert derived(tmp_path / "b")[table] == before[table]


def messages() -> st.SearchStrategy[Arrival]:
    units = st.sampled_from(("T0001", "T0002"))
    times = st.integers(0, 200).map(lambda n: T0 + n * 600)
    return st.one_of(
        st.builds(
            seen, st.integers(1, 30), times, st.sampled_from(("leopard", "deer", "empty")), units,
            st.integers(0, 3),
        ),
        st.builds(health, times, units),
        st.builds(
            lambda unit, at_s, state: status_arrival(
                Status(unit, state, at_s, until_s=at_s + 7200), at_s
            ),
            units, times, st.sampled_from(("online", "sleeping", "offline")),
        ),
    )  # fmt: skip


def statements() -> st.SearchStrategy[Statement]:
    small = st.integers(1, 25)
    return st.one_of(
        st.builds(
            lambda unit, start, days: placed(
                unit, T0 + start * 3600, T0 + start * 3600 + days * DAY_S if days else None
            ),
            st.sampled_from(("T0001", "T0002")), st.integers(0, 30), st.integers(0, 2),
        ),
        st.builds(lambda n, h: Ended(n, T0 + h * 3600), small, st.integers(0, 40)),
        st.builds(lambda n: Voided(n, "wrong"), small),
        st.builds(lambda n: Review(n, "confirm"), small),
        st.builds(lambda n: Review(n, "not_animal"), small),
        st.builds(
            lambda n, species: Review(n, "correct", species), small,
            st.sampled_from(("leopard", "tiger", "human")),
        ),
        st.builds(Undone, small),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.one_of(st.lists(messages(), min_size=1, max_size=5), statements()), max_size=25
    ),
    seed=st.integers(0, 99),
)
def test_any_history_rebuilds_identically_and_is_the_same_read_at_once_or_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[list[Arrival] | Statement],
    seed: int,
) -> None:
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("any") / "b"
    with Survey(folder) as survey, Store(folder) as store:
        for number, step in enumerate(steps):
            if isinstance(step, list):
                store.put(step)
                if rng.random() < 0.5:
                    survey.catch_up()
                continue
            with contextlib.suppress(SurveyError):
                survey.state([step], "Olga", NOW_S + number)
        survey.catch_up()
        before = derived(folder)
        survey.rebuild()
        assert derived(folder) == before
    with Reader(folder) as reader:
        assert_events_are_the_visits(reader)
        deployments = {d.id: d for d in reader.deployments()}
        for one, other in itertools.combinations(deployments.values(), 2):
            assert one.unit != other.unit or not overlap(one, other)
        for observation in reader.observations():
            stood = [d for d in deployments.values() if inside(observation, d)]
            assert [d.id for d in stood] == (
                [] if observation.deployment is None else [observation.deployment]
            )


def assert_events_are_the_visits(reader: Reader) -> None:
    """Each event against all of its group's sightings at once."""
    groups: dict[tuple[str, int | None, str], list[Observation]] = {}
    for one in reader.observations():
        groups.setdefault((one.unit, one.deployment, one.species), []).append(one)
    expected = {
        (*group, run.seqs[0], run.start_s, run.end_s, len(run.seqs), run.count)
        for group, seen in groups.items() if group[2] != "empty"
        for run in visits((Seen(o.seq, o.at_s, o.count) for o in seen), INDEPENDENCE_S)
    }  # fmt: skip
    assert expected == {
        (e.unit, e.deployment, e.species, e.seq, e.start_s, e.end_s, e.sightings, e.count)
        for e in reader.events()
    }
    for one in reader.observations():
        assert (one.event is None) == (one.species == "empty")


def overlap(one: Deployment, other: Deployment) -> bool:
    ends = (one.end_s or math.inf, other.end_s or math.inf)
    return max(one.start_s, other.start_s) < min(ends)


def inside(observation: Observation, deployment: Deployment) -> bool:
    until = deployment.end_s or math.inf
    return observation.unit == deployment.unit and deployment.start_s <= observation.at_s < until

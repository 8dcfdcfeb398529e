"""Public exports depend on nothing finer than the cell and the month."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.base.export.profiles import cell_centre
from firmware.base.export.write import FORMS
from firmware.base.survey.statements import Placed
from tests.base.export.exported import PLACES, contents, put_sightings, run, say
from tests.base.survey.survey_store import DAY_S, T0

UNITS = ("T0007", "T0008")
NUMBER = re.compile(rb"-?\d+\.\d+")
WORDS = (b"T0007", b"T0008", b"Secretova", b"hidden place", b"hidden note", b"Ivan")

coordinates = st.tuples(
    st.floats(42.0, 44.99).map(lambda v: round(v, 5)),
    st.floats(130.0, 132.99).map(lambda v: round(v, 5)),
)
within_a_cell = st.tuples(st.integers(1, 9999), st.integers(1, 9999))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sightings, and the same key for opaque names, for every example."""
    folder = tmp_path_factory.mktemp("template") / "b"
    put_sightings(folder)
    return folder


def exported(template: Path, work: Path, places: list[Placed], form: str) -> dict[str, bytes]:
    shutil.copytree(template, work / "b")
    say(work / "b", places)
    run(work / "b", work / "out", "public", form)
    return contents(work / "out")


@settings(max_examples=8, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(420, 449), st.integers(1300, 1329)), min_size=2,
                   max_size=2),
    ones=st.lists(within_a_cell, min_size=2, max_size=2),
    others=st.lists(within_a_cell, min_size=2, max_size=2),
    day=st.integers(1, 19),
    form=st.sampled_from(sorted(FORMS)),
)  # fmt: skip
def test_moving_a_camera_within_its_cell_or_renaming_it_changes_not_one_byte(
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cells: list[tuple[int, int]],
    ones: list[tuple[int, int]],
    others: list[tuple[int, int]],
    day: int,
    form: str,
) -> None:
    def places(inside: list[tuple[int, int]], start_s: float, name: str) -> list[Placed]:
        return [
            Placed(unit, f"{name} {unit}", (row + north / 10_000) / 10,
                   (column + east / 10_000) / 10, start_s, None, f"note of {name}")
            for unit, (row, column), (north, east) in zip(UNITS, cells, inside, strict=True)
        ]  # fmt: skip

    one = exported(template, tmp_path_factory.mktemp("a"), places(ones, T0 - DAY_S, "A"), form)
    other = exported(
        template, tmp_path_factory.mktemp("b"), places(others, T0 - day * DAY_S, "B"), form
    )
    assert one == other


@settings(max_examples=8, deadline=None)
@given(where=st.lists(coordinates, min_size=2, max_size=2), form=st.sampled_from(sorted(FORMS)))
def test_no_number_within_a_kilometre_of_a_camera_stands_in_any_file(
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    where: list[tuple[float, float]],
    form: str,
) -> None:
    places = [
        Placed(unit, f"hidden place {unit}", latitude, longitude, T0 - DAY_S, None, "hidden note")
        for unit, (latitude, longitude) in zip(UNITS, where, strict=True)
    ]
    files = exported(template, tmp_path_factory.mktemp("c"), places, form)
    coarse = set()  # centres and edges of cells: that they can lie near a camera is no news of it
    for pair in where:
        for value in pair:
            coarse |= {round(cell_centre(value) + edge, 3) for edge in (-0.05, 0, 0.05)}
    assert any(name.startswith("media/") for name in files)
    for name, body in files.items():
        for word in WORDS:
            assert word not in body, (name, word)
        for pair in where:
            for value in pair:
                assert f"{value:.5f}".encode() not in body, (name, value)
        if name.startswith("media/"):
            continue  # coded pixels; that nothing else is in them, test_pictures.py shows
        for number in map(float, NUMBER.findall(body)):
            if any(abs(number - value) < 0.01 for pair in where for value in pair):
                assert number in coarse, (name, number)


@pytest.mark.parametrize("form", FORMS)
def test_sightings_at_other_times_of_the_same_month_change_not_one_byte(
    tmp_path: Path, form: str
) -> None:
    found = []
    for later_s in (0.0, 3600.0, 6471.3):
        work = tmp_path / str(later_s)
        work.mkdir()
        put_sightings(work / "b", later_s, key=b"k" * 16)
        say(work / "b", PLACES)
        run(work / "b", work / "out", "public", form)
        found.append(contents(work / "out"))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 3


def test_a_leak_would_be_seen(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "b")
    say(tmp_path / "b", [Placed("T0007", "hidden place", 43.01234, 131.04321, T0 - DAY_S)])
    run(tmp_path / "b", tmp_path / "out", "partner", "csv", recipient="WWF")
    body = b"".join(contents(tmp_path / "out").values())
    assert b"43.01234" in body and b"hidden place" in body

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.export.profiles import (
    METRES_A_DEGREE,
    cell_centre,
    cell_radius_m,
    month_end,
    month_start,
    opaque,
)


@pytest.mark.parametrize(
    ("exact", "centre"),
    [(43.0512, 43.05), (43.0, 43.05), (43.0999, 43.05), (131.1487, 131.15), (-0.01, -0.05),
     (0.0, 0.05), (-43.01, -43.05)],
)  # fmt: skip
def test_a_coordinate_becomes_the_centre_of_its_cell(exact: float, centre: float) -> None:
    assert cell_centre(exact) == centre


@given(st.floats(-90, 90))
def test_a_cells_centre_is_near_valid_and_its_own_centre(latitude: float) -> None:
    centre = cell_centre(latitude, 90)
    assert abs(centre - latitude) <= 0.05 + 1e-9
    assert -90 < centre < 90
    assert cell_centre(centre, 90) == centre
    assert cell_centre(180.0) == 179.95


@given(
    latitude=st.floats(-89, 89), east=st.floats(-0.0499, 0.0499), north=st.floats(-0.0499, 0.0499)
)
def test_the_uncertainty_covers_the_whole_cell(latitude: float, east: float, north: float) -> None:
    centre = cell_centre(latitude, 90)
    metres = math.hypot(
        north * METRES_A_DEGREE,
        east * METRES_A_DEGREE * math.cos(math.radians(centre + north)),
    )
    assert metres <= cell_radius_m(latitude)


def test_months_begin_and_end_in_utc() -> None:
    def utc(*when: int) -> float:
        return datetime.datetime(*when, tzinfo=datetime.UTC).timestamp()  # type: ignore[misc,arg-type]

    assert month_start(utc(2026, 2, 28, 23, 59)) == utc(2026, 2, 1)
    assert month_end(utc(2026, 1, 31)) == utc(2026, 2, 1)
    assert month_end(utc(2026, 12, 1)) == utc(2027, 1, 1)


def test_opaque_names_need_the_key_and_differ_by_kind() -> None:
    assert opaque(b"k", "event", "E1") == opaque(b"k", "event", "E1")
    names = {opaque(key, kind, "E1") for key in (b"k", b"l") for kind in ("event", "picture")}
    assert len(names) == 4

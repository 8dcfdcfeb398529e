import contextlib
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.survey.deployment_csv import TableError, parse_time, read_deployments
from firmware.base.survey.statements import Placed

HEADER = "unit,place,latitude,longitude,start,end,notes"


def test_a_table_gives_its_rows_with_optional_columns_empty_or_absent() -> None:
    (one,) = read_deployments([HEADER, 't0007,"Ridge 3, upper",43.0512,131.1487,2026-03-01,,north'])
    assert one == Placed("T0007", "Ridge 3, upper", 43.0512, 131.1487, 1772323200.0, None, "north")
    (two,) = read_deployments(
        [
            "Start, Unit, place, latitude, longitude, colour",
            "2026-03-01T09:30+10:00,T0007,x,1,2,red",
        ]
    )
    assert two.start_s == 1772321400.0


def test_every_problem_is_told_at_once_by_line() -> None:
    with pytest.raises(TableError) as caught:
        read_deployments(
            [HEADER, "X,a,1,2,2026-03-01", "T0001,,1,2,2026-03-01", "T0001,a,91,2,2026-03-01",
             "T0001,a,1,nan,2026-03-01", "T0001,a,1,2,March", "T0001,a,1,2,2026-03-01,2026-02-01"]
        )  # fmt: skip
    assert [p.split(":")[0] for p in caught.value.problems] == [f"line {n}" for n in range(2, 8)]


def test_a_table_without_a_needed_column_says_which() -> None:
    with pytest.raises(TableError, match="no column latitude, longitude"):
        read_deployments(["unit,place,start"])
    with pytest.raises(TableError, match="unit"):
        read_deployments([])


@given(st.text())
def test_whatever_the_text_only_table_errors_escape(text: str) -> None:
    for lines in (text.splitlines(), [HEADER, text]):
        with contextlib.suppress(TableError):
            read_deployments(lines)


@given(st.datetimes())
def test_times_without_a_zone_are_utc(moment: datetime.datetime) -> None:
    assert parse_time(moment.isoformat()) == parse_time(moment.isoformat() + "Z")

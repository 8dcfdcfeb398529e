"""The pages: lists and their addresses, an event with its burst, units that fell silent."""

import dataclasses
import re

import pytest

from firmware.base.dashboard.sightings import PER_PAGE
from firmware.wire.ids import ItemId
from tests.base.dashboard.conftest import NOW_S, Base
from tests.base.pictures import frame_arrival, health, picture, report_arrival
from tests.base.survey.survey_store import DAY_S, put, seen


def shown(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li class="card sighting" id="s(\d+)">', page)]


def preview(index: int, number: int = 50) -> ItemId:
    return ItemId(7, number, "preview", index)


def test_the_list_is_newest_first_with_verdict_time_and_clock(base: Base) -> None:
    page = base.logged_in("viewer").get("/").text
    assert shown(page) == [15, 17, 13, 11, 9, 7, 5, 3, 1]
    assert "Leopard" in page and "T0007" in page and "97\u00a0%" in page
    assert ">clock</span>" in page and "reviewed" in page and "people blurred" in page


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("species=leopard", [13, 3, 1]), ("unit=T0008&species=leopard", [13]),
        ("from=2026-10-31", [15, 17, 13, 11, 9, 7]), ("to=2026-09-22", [5, 3, 1]),
        ("from=2026-10-31&to=2026-11-01", [9, 7]), ("species=goral", []),
    ],
)  # fmt: skip
def test_a_filter_is_in_the_address(base: Base, query: str, numbers: list[int]) -> None:
    assert shown(base.logged_in("viewer").get(f"/?{query}").text) == numbers


@pytest.mark.parametrize("query", [
    "species=dragon", "unit=7", "from=yesterday", "before=x:y", "before=1:", "to=9999-12-31",
    "before=nan:" + "9" * 30,
])  # fmt: skip
def test_an_address_that_cannot_be_is_refused_politely(base: Base, query: str) -> None:
    assert base.logged_in("viewer").get(f"/?{query}").status_code == 400


def test_older_pages_follow_without_gap_or_repetition(base: Base) -> None:
    many = [seen(100 + n, NOW_S - 50 * n, "fox", "T0009") for n in range(60)]
    put(base.data_dir, *many)
    client = base.logged_in("viewer")
    found: list[int] = []
    path = "/?species=fox"
    for _ in range(3):
        page = client.get(path).text
        found += shown(page)
        link = re.search(r'href="(/\?[^"]*before=[^"]*)"', page)
        path = link[1].replace("&amp;", "&") if link else ""
    assert path == "" and len(found) == len(set(found)) == 60
    assert found == sorted(found)  # put newest first
    assert PER_PAGE < 60


def test_what_another_process_stored_is_on_the_next_page(base: Base) -> None:
    client = base.logged_in("viewer")
    before = shown(client.get("/").text)
    put(base.data_dir, seen(50, NOW_S, "tiger"))
    assert len(shown(client.get("/").text)) == len(before) + 1


def test_a_preview_is_replaced_by_its_refinement_and_by_the_frame(base: Base) -> None:
    client = base.logged_in("viewer")
    put(base.data_dir, seen(50, NOW_S))
    assert "No picture yet" in client.get("/?species=leopard").text
    for item, name, words in (
        (preview(0), "preview-0", "small picture by radio"),
        (preview(1), "preview-1", "small picture by radio"),
        (ItemId(7, 50, "frame", 1), "frame-1", "1 of 3 pictures"),
    ):
        put(base.data_dir, frame_arrival(item, picture(item.index + 9)))
        page = client.get("/?species=leopard").text
        number = shown(page)[0]
        assert f"/picture/{number}/{name}/small" in page and words in page


def test_an_event_page_has_the_whole_burst_and_the_others_of_its_event(base: Base) -> None:
    put(base.data_dir, *(seen(n, NOW_S + 60 * n, "deer") for n in (50, 51)))
    for index in (1, 2, 3):
        put(base.data_dir, frame_arrival(ItemId(7, 50, "frame", index), picture(index)))
    client = base.logged_in("ranger")
    first = min(shown(client.get("/?species=deer&unit=T0007").text)[:2])
    page = client.get(f"/event/{first}").text
    for index in (1, 2, 3):
        assert f"/picture/{first}/frame-{index}/medium" in page
    assert "3 frames taken, 3 here" in page and "One event: 2 sightings" in page
    assert "Kedrovaya ridge" in page


def test_units_tell_how_they_are_and_the_silent_ones_come_first(base: Base) -> None:
    well = dataclasses.replace(
        health(unit="T0009"), battery_mv=3900, disk_free_mb=18_000, waiting=2
    )
    put(base.data_dir, report_arrival(well, NOW_S - 27 * 3600))
    page = base.logged_in("viewer").get("/units").text
    assert re.findall(r'href="/unit/(T\w+)"', page) == ["T0009", "T0007", "T0008"]
    assert "Silent for more than 26 hours: 1" in page
    assert "3.90 V" in page and "18.0\u00a0GB" in page


def test_a_sleeping_unit_is_silent_only_after_it_meant_to_wake(base: Base) -> None:
    from firmware.wire.records import Status
    from tests.base.pictures import status_arrival

    status = Status("T0009", "sleeping", NOW_S - 40 * 3600, NOW_S - 3600)
    put(base.data_dir, status_arrival(status, NOW_S - 40 * 3600))
    client = base.logged_in("viewer")
    assert "Silent for more" not in client.get("/units").text
    base.clock.now_s += 26 * 3600
    client = base.logged_in("viewer")
    assert "Silent for more than 26 hours: 1" in client.get("/units").text


def test_what_is_not_there_is_404(base: Base) -> None:
    client = base.logged_in("admin")
    for path in (
        "/event/999",
        "/event/2",
        "/nothing",
        "/event/x",
        "/unit/T0001",
        "/unit/x",
        f"/event/{10**30}",
        f"/picture/{2**63}/frame-1/full",
        "/static/../accounts.sqlite",
    ):
        assert client.get(path).status_code == 404, path


def test_a_units_page_has_a_picture_of_each_day_and_its_curves(base: Base) -> None:
    for day in range(4):
        at_s = NOW_S - day * DAY_S
        put(base.data_dir, seen(60 + 2 * day, at_s - 60, "fox", "T0009"))
        put(base.data_dir, seen(61 + 2 * day, at_s - 30, "fox", "T0009"))
        item = ItemId(9, 60 + 2 * day, "frame", 1)
        put(base.data_dir, frame_arrival(item, picture(day + 1)))
        report = dataclasses.replace(
            health(day + 1, "T0009"), battery_mv=3600 + 100 * day, waiting=day
        )  # fmt: skip
        put(base.data_dir, report_arrival(report, at_s))
    page = base.logged_in("viewer").get("/unit/T0009").text
    names = re.findall(r"sighting (T0009-\d+)", page)
    assert names == ["T0009-000060", "T0009-000062", "T0009-000064", "T0009-000066"]
    assert page.count("<polyline") == 3
    assert "<b>3.6</b>" in page and "3.9 V" in page

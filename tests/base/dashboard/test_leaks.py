"""What a page may not tell: walked over every page and every role.

The survey under test has coordinates, names, notes, and pictures whose metadata hold all of these.
"""

import io
import itertools
import re
from collections.abc import Iterator

import pytest
from PIL import Image
from starlette.routing import Mount, Route

from firmware.base.dashboard.pages import PAGES
from firmware.base.dashboard.render import FULL, SIZES
from firmware.base.dashboard.roles import EXACT, PEOPLE, ROLES, Role
from tests.base.dashboard.conftest import Base, post
from tests.base.export.exported import PLACES

SIGHTINGS = range(1, 18, 2)  # the numbers of the nine records; the pictures have the others
HUMAN = 5
SECRET_WORDS = ("Kedrovaya", "Spring", "by oak", "salt lick", "Secretova")
TELLING = (b"Exif", b"Secret Maker", b"salt lick", b"43.09871", b"xmpmeta", b"TRAILER",
           b"ICC_PROFILE", b"Photoshop", b"http")  # fmt: skip
LIVE = "/live"  # never ends; what it says, test_watch.py shows


def addresses(method: str = "GET") -> Iterator[str]:
    """Every page that there is, with every sighting, picture and size."""
    for page in PAGES:
        if page.method != method or page.path == LIVE:
            continue
        if "{shot}" in page.path:
            yield from (
                f"/picture/{number}/frame-1/{size}"
                for number in SIGHTINGS for size in (*SIZES, FULL)
            )  # fmt: skip
        elif "{unit}" in page.path:
            yield from ("/unit/T0007", "/unit/T0008")
        elif "{number:int}" in page.path:
            yield from (page.path.replace("{number:int}", str(number)) for number in SIGHTINGS)
        else:
            yield page.path
    if method == "GET":
        yield from (
            "/?species=leopard",
            "/?unit=T0007",
            "/review?species=human",
            "/?from=2026-01-01",
        )


def documents() -> Iterator[str]:
    """Every page that is no picture; what pictures hold has tests of its own."""
    return (path for path in addresses() if not path.startswith("/picture"))


def test_every_page_says_who_may_see_it_and_nothing_else_answers(base: Base) -> None:
    routes = [route for route in base.app.routes if isinstance(route, Route)]
    assert [(route.path, page.method) for route, page in zip(routes, PAGES, strict=True)] == [
        (page.path, page.method) for page in PAGES
    ]
    mounts = [route for route in base.app.routes if not isinstance(route, Route)]
    assert [mount.path for mount in mounts if isinstance(mount, Mount)] == ["/static"]
    assert len(mounts) == 1
    assert {page.path for page in PAGES if page.may is None} == {"/login"}
    for page in PAGES:
        assert page.may is None or page.may, f"{page.path} is for nobody"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_exactly_the_pages_that_name_it(base: Base, role: Role) -> None:
    client = base.logged_in(role)
    for page in PAGES:
        if page.path in (LIVE, "/logout", "/login"):
            continue
        path = page.path.replace("{number:int}", "1").format(
            shot="frame-1", size="small", unit="T0007"
        )
        if page.method == "GET":
            status = client.get(path).status_code
        else:
            status = post(client, path, action="confirm")
        assert (status == 403) == (page.may is not None and role not in page.may), path
        assert status in (200, 303, 403, 409), path


def test_a_viewer_sees_no_place_finer_than_a_cell_on_any_page(base: Base) -> None:
    client = base.logged_in("viewer")
    for path in documents():
        answer = client.get(path)
        for word in SECRET_WORDS:
            assert word not in answer.text, (path, word)
        for number in map(float, re.findall(r"-?\d+\.\d+", answer.text)):
            for place in PLACES:
                for value in (place.latitude, place.longitude):
                    near = abs(number - value) < 0.05
                    assert not near or number == round(number, 1), (path, number)
    assert not [line for line in base.audit() if line[1] == "coordinates"]


def test_a_viewers_map_is_the_same_wherever_in_its_cell_a_camera_stands(base: Base) -> None:
    from dataclasses import replace

    from firmware.base.dashboard.places import draw
    from firmware.base.survey.reading import Reader

    with Reader(base.data_dir) as reader:
        here = reader.deployments()
    there = [replace(d, latitude=43.1001 if d.latitude > 43.1 else 43.0001) for d in here]
    assert here != there
    assert draw(here, set(), exact=False) == draw(there, set(), exact=False)
    assert draw(here, set(), exact=True) != draw(there, set(), exact=True)


@pytest.mark.parametrize("role", sorted(EXACT))
def test_exact_coordinates_are_on_the_map_alone_and_each_look_is_audited(
    base: Base, role: Role
) -> None:
    client = base.logged_in(role)
    for path in documents():
        assert ("43.113" in client.get(path).text) == (path == "/map"), path
    assert [line for line in base.audit() if line[1] == "coordinates"] == [
        (role, "coordinates", "map with 2 cameras")
    ]


@pytest.mark.parametrize("role", ROLES)
def test_no_picture_holds_anything_but_the_picture(base: Base, role: Role) -> None:
    client = base.logged_in(role)
    if role in PEOPLE:
        assert post(client, f"/event/{HUMAN}/people") == 303
    seen = 0
    for path in (path for path in addresses() if path.startswith("/picture")):
        body = client.get(path).content
        for word in TELLING:
            assert word not in body, (path, word)
        with Image.open(io.BytesIO(body)) as image:
            assert not image.getexif() and not {"comment", "icc_profile", "xmp"} & set(image.info)
        seen += 1
    assert seen == len(SIGHTINGS) * (len(SIZES) + 1)


def detail(body: bytes) -> float:
    """How much neighbours differ: a blurred picture has next to none of the test's noise."""
    with Image.open(io.BytesIO(body)) as image:
        grey = image.convert("L").resize((48, 32))
    pixels = list(grey.tobytes())
    return sum(abs(a - b) for a, b in itertools.pairwise(pixels)) / len(pixels)


def human(base: Base, role: str, size: str) -> float:
    return detail(base.logged_in(role).get(f"/picture/{HUMAN}/frame-1/{size}").content)


@pytest.mark.parametrize("role", ROLES)
def test_people_are_blurred_for_everybody_in_every_size(base: Base, role: Role) -> None:
    client = base.logged_in(role)
    for size in (*SIZES, FULL):
        person, animal = (
            detail(client.get(f"/picture/{number}/frame-1/{size}").content) for number in (HUMAN, 1)
        )
        assert person < animal / 4, size


def test_somebody_beside_an_animal_is_blurred_too(base: Base) -> None:
    client = base.logged_in("viewer")
    sizes = [detail(client.get(f"/picture/{n}/frame-1/full").content) for n in (13, 1)]
    assert sizes[0] < sizes[1] / 4


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_who_may_sees_people_after_asking_and_that_is_audited(base: Base, role: Role) -> None:
    client = base.logged_in(role)
    before = detail(client.get(f"/picture/{HUMAN}/frame-1/full").content)
    assert post(client, f"/event/{HUMAN}/people") == 303
    assert base.audit()[-1] == (role, "people", "T0007-000003")
    answer = client.get(f"/picture/{HUMAN}/frame-1/full")
    assert detail(answer.content) > 4 * before
    assert answer.headers["cache-control"] == "no-store"
    other = base.logged_in(role).get(f"/picture/{HUMAN}/frame-1/full").content
    assert detail(other) == before, "another session has not asked"
    base.clock.now_s += 601
    assert detail(client.get(f"/picture/{HUMAN}/frame-1/full").content) == before


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_not_see_people_cannot_ask(base: Base, role: Role) -> None:
    client = base.logged_in(role)
    assert post(client, f"/event/{HUMAN}/people") == 403
    assert human(base, role, FULL) < 8


@pytest.mark.parametrize("said", [
    {"action": "not_animal"}, {"action": "correct", "species": "deer"},
    {"action": "correct", "people": "no"}, {"action": "correct", "species": "deer", "people": "no"},
])  # fmt: skip
def test_nobody_uncovers_people_by_guessing_that_there_are_none(
    base: Base, said: dict[str, str]
) -> None:
    assert post(base.logged_in("analyst"), f"/event/{HUMAN}/review", **said) == 403
    ranger = base.logged_in("ranger")
    assert post(ranger, f"/event/{HUMAN}/review", **said) == 409, "not without looking"
    assert post(base.logged_in("analyst"), f"/event/{HUMAN}/undo") == 403
    assert human(base, "viewer", FULL) < 8
    assert post(ranger, f"/event/{HUMAN}/people") == 303
    assert post(ranger, f"/event/{HUMAN}/review", **said) == 303
    assert base.audit()[-1][1] == "people cleared"


def test_a_picture_without_a_record_is_not_shown(base: Base) -> None:
    client = base.logged_in("admin")
    for path in ("/picture/2/frame-1/full", "/picture/1/frame-9/full", "/picture/1/frame-1/raw",
                 "/picture/1/sighting-0/full", "/picture/999/frame-1/full"):  # fmt: skip
        assert client.get(path).status_code == 404, path


def test_a_browser_may_keep_a_picture_but_must_ask_each_time(base: Base) -> None:
    client = base.logged_in("viewer")
    first = client.get("/picture/1/frame-1/small")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get("/picture/1/frame-1/small", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content

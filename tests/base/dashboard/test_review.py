"""The review queue, and asking a unit for its full pictures."""

import re
from dataclasses import astuple

from firmware.base.command import list_issued
from firmware.base.survey.reading import Observation, Reader
from tests.base.dashboard.conftest import Base, hidden_field, post


def observation(base: Base, number: int) -> Observation:
    with Reader(base.data_dir) as reader:
        return reader.observation(number)


def in_question(page: str) -> int:
    found = re.search(r'action="/event/(\d+)/review"', page)
    return int(found[1]) if found else 0


def test_the_queue_goes_from_one_to_the_next_by_forms_alone(base: Base) -> None:
    client = base.logged_in("analyst")
    page = client.get("/review")
    asked = []
    while number := in_question(page.text):
        asked.append(number)
        next_path = re.search(r'class="acts">.*?name="next" value="([^"]+)"', page.text, re.DOTALL)
        assert next_path
        form = {
            "csrf": hidden_field(page.text), "action": "confirm",
            "next": next_path[1].replace("&amp;", "&"),
        }  # fmt: skip
        answer = client.post(f"/event/{number}/review", data=form)
        assert answer.status_code == 303
        page = client.get(answer.headers["location"])
    assert asked == [11, 7]  # of the nine all others are reviewed or empty
    assert "Nothing is left to review." in page.text and "T0007-000004" in page.text
    assert observation(base, 11).reviewed_by == "analyst"


def test_a_correction_says_species_count_sex_and_age(base: Base) -> None:
    said = {"action": "correct", "species": "leopard", "count": "2", "sex": "female",
            "age": "adult"}  # fmt: skip
    assert post(base.logged_in("ranger"), "/event/11/review", **said) == 303
    now = observation(base, 11)
    assert (now.species, now.count, now.sex, now.age) == ("leopard", 2, "female", "adult")
    page = base.logged_in("ranger").get("/event/11").text
    assert "ranger: Correct" in page and "female" in page


def test_people_can_be_looked_at_from_the_queue_and_one_is_back_at_the_same_item(
    base: Base,
) -> None:
    client = base.logged_in("ranger")
    assert post(client, "/event/11/review", action="correct", species="human") == 303
    assert post(client, "/event/11/people", next="/review?species=human") == 303
    assert post(client, "/event/11/undo", next="/review") == 303
    client.get("/units")
    form = {"csrf": hidden_field(client.get("/units").text), "next": "/review?unit=T0008"}
    answer = client.post("/event/11/people", data=form)
    assert answer.headers["location"] == "/review?unit=T0008"
    form["next"] = "//evil.example"
    assert client.post("/event/11/people", data=form).headers["location"] == "/"


def test_undo_takes_the_last_review_back_and_keeps_it_in_the_history(base: Base) -> None:
    client = base.logged_in("ranger")
    before = astuple(observation(base, 11))
    assert post(client, "/event/11/review", action="not_animal") == 303
    assert observation(base, 11).species == "empty"
    assert post(client, "/event/11/undo") == 303
    assert astuple(observation(base, 11)) == before
    assert "(undone)" in client.get("/event/11").text
    assert post(client, "/event/11/undo") == 409, "there is none left"


def test_words_that_mean_nothing_are_refused(base: Base) -> None:
    client = base.logged_in("ranger")
    for form in (
        {}, {"action": "eat"}, {"action": "correct"}, {"action": "correct", "species": "dragon"},
        {"action": "correct", "count": "many"}, {"action": "correct", "count": "-1"},
        {"action": "correct", "people": "perhaps"}, {"action": "confirm", "action2": "x"},
    ):  # fmt: skip
        status = post(client, "/event/11/review", **form)
        assert status == (303 if form.get("action") == "confirm" else 400), form
    assert post(client, "/event/999/review", action="confirm") == 404


def test_full_pictures_are_asked_for_with_one_click(base: Base) -> None:
    client = base.logged_in("ranger")
    assert post(client, "/event/11/frame") == 303
    (issued,) = list_issued(base.data_dir)
    assert (issued.command.unit, issued.command.action, issued.command.sighting) == (
        "T0008", "frame", 6,
    )  # fmt: skip
    assert base.audit()[-1] == ("ranger", "frame", "T0008-000006")
    assert "requested, not sent yet" in client.get("/event/11").text

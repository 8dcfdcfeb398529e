import pytest

from firmware.base.survey.statements import Review
from firmware.base.survey.view import View, current
from firmware.wire.errors import WireError


def test_without_a_review_the_machine_is_believed_and_an_animal_is_at_least_one() -> None:
    assert current("deer", 0, []) == View("deer", 1)
    assert current("empty", 0, []) == View("empty", 0)
    assert current("human", 0, []).people


def test_a_correction_replaces_only_what_it_names() -> None:
    view = current("leopard", 1, [
        Review(1, "correct", sex="female"), Review(1, "correct", count=2),
        Review(1, "correct", age="adult"),
    ])  # fmt: skip
    assert view == View("leopard", 2, "female", "adult", False, True)


def test_an_animal_that_was_none_loses_what_was_said_of_it_and_may_come_back() -> None:
    said = [Review(1, "correct", sex="male"), Review(1, "not_animal")]
    assert current("leopard", 3, said) == View("empty", 0, reviewed=True)
    back = [*said, Review(1, "correct", "tiger")]
    assert current("leopard", 3, back) == View("tiger", 3, reviewed=True)


def test_people_beside_an_animal_stay_until_a_person_says_otherwise() -> None:
    said = [Review(1, "correct", people=True), Review(1, "confirm")]
    assert current("leopard", 1, said).people
    assert not current("leopard", 1, [*said, Review(1, "correct", people=False)]).people
    assert current("human", 0, [Review(1, "correct", people=False)]).people
    assert not current("human", 0, [Review(1, "correct", "deer")]).people


@pytest.mark.parametrize(
    "bad",
    [
        {"action": "perhaps"}, {"action": "correct"}, {"action": "confirm", "species": "deer"},
        {"action": "not_animal", "people": True}, {"action": "correct", "species": "unicorn"},
        {"action": "correct", "count": 0}, {"action": "correct", "sex": "both"},
    ],
)  # fmt: skip
def test_a_review_that_says_nothing_or_nonsense_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(WireError):
        Review(1, **bad)  # type: ignore[arg-type]

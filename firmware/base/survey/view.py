"""What is believed of one sighting: the machine's word, then people's, in the order said. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from firmware.base.survey.statements import EMPTY, PEOPLE, UNCERTAIN, Review

NO_ANIMALS = (EMPTY, UNCERTAIN, *PEOPLE)


@dataclass(frozen=True)
class View:
    """`reviewed`: a person has looked at it. `people`: none of its pictures may leave the base."""

    species: str
    count: int
    sex: str = ""
    age: str = ""
    people: bool = False
    reviewed: bool = False


def current(species: str, count: int, reviews: Iterable[Review], *, people: bool = False) -> View:
    """The view after all reviews that still count. `people`: the machine saw somebody beside."""
    view = View(species, count if species in NO_ANIMALS else max(count, 1), people=people)
    for review in reviews:
        view = _after(view, review, max(count, 1))
    return replace(view, people=view.people or view.species in PEOPLE)


def _after(view: View, review: Review, count: int) -> View:
    view = replace(view, reviewed=True)
    if review.action == "confirm":
        return view
    if review.action == "not_animal":
        return replace(view, species=EMPTY, count=0, sex="", age="")
    species = review.species or view.species
    if species in NO_ANIMALS:
        view = replace(view, sex="", age="", count=0)
    elif view.count == 0:
        view = replace(view, count=count)
    return replace(
        view,
        species=species,
        count=view.count if review.count is None else review.count,
        sex=review.sex or view.sex,
        age=review.age or view.age,
        people=view.people if review.people is None else review.people,
    )

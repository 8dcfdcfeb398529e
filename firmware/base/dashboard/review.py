"""The review queue: what nobody has looked at, one after the other, and what people say of it.

Every act is a plain form; keys.js presses its button. Who may not see people may not say either
that none are there: a picture must not become clear because somebody guessed.
"""

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from firmware.base.dashboard import sightings
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.live import LISTS, read_filter
from firmware.base.dashboard.pictures import sees_people
from firmware.base.dashboard.roles import PEOPLE
from firmware.base.dashboard.sightings import Sighting
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import Refused, Visit, html
from firmware.base.survey.book import SurveyError
from firmware.base.survey.statements import PEOPLE as PEOPLE_SPECIES
from firmware.base.survey.statements import Review
from firmware.wire.errors import WireError

COMMAND_VALID_S = 7 * 86400.0
PEOPLE_WORDS = {"": None, "yes": True, "no": False}
QUICK = (
    "leopard", "tiger", "wild_boar", "sika_deer", "roe_deer", "bear", "fox", "human", "bird",
)  # fmt: skip
"""Behind the keys 1 to 9."""


async def queue(site: Site, visit: Visit) -> Response:
    """The next one to look at."""
    query = visit.request.query_params
    wanted = read_filter(query, unreviewed=True)
    done = query.get("done", "")
    last_seq = int(done) if done.isascii() and done.isdigit() and len(done) < 16 else None

    def work(books: Books) -> dict[str, object]:
        books.fresh()
        rows = sightings.find(books.db, wanted, 2)
        return {
            "one": rows[0] if rows else None,
            "clear": bool(rows) and sees_people(books, visit, rows[0].seq),
            "then": rows[1] if len(rows) > 1 else None,
            "last": None if last_seq is None else sightings.one(books.db, last_seq),
            "waiting": sightings.waiting(books.db),
            "units": sightings.units(books.db),
        }

    values = await site.ask(work)
    kept = {name: query[name] for name in ("species", "unit", "from", "to") if query.get(name)}
    shown = values["one"]
    after = kept | {"before": shown.key} if isinstance(shown, Sighting) else kept
    values |= {
        "kept": kept, "quick": QUICK, "skip": f"/review?{urlencode(after)}",
        "start": f"/review?{urlencode(kept)}",
    }  # fmt: skip
    return html(site, visit, "review.html", values | LISTS)


async def say(site: Site, visit: Visit) -> Response:
    """Confirm, correct, or not an animal; then on to where the form says."""
    try:
        said = _review(visit)
    except (WireError, ValueError) as problem:
        raise Refused(400, "error.form") from problem

    def work(books: Books) -> None:
        found = _found(books, visit)
        if _might_clear(found, said):
            _may_clear(books, visit, found)
        books.survey.state([said], visit.who.name, visit.now_s)

    await _stated(site, work)
    return RedirectResponse(visit.next_path, 303)


async def undo(site: Site, visit: Visit) -> Response:
    """The last review of it counts no more."""

    def work(books: Books) -> None:
        found = _found(books, visit)
        if found.hidden:
            _may_clear(books, visit, found)
        books.survey.undo(found.seq, visit.who.name, visit.now_s)

    await _stated(site, work)
    return RedirectResponse(visit.next_path, 303)


async def ask_frame(site: Site, visit: Visit) -> Response:
    """Have the unit send the full pictures of this sighting."""

    def work(books: Books) -> None:
        found = _found(books, visit)
        books.commands.issue(
            found.unit, "frame", {"sighting": found.number}, visit.now_s, COMMAND_VALID_S
        )
        books.accounts.audit(visit.who.name, "frame", found.name, visit.now_s)

    await site.ask(work)
    return RedirectResponse(visit.next_path, 303)


def _review(visit: Visit) -> Review:
    form = visit.form
    action, count = form.get("action", ""), form.get("count", "")
    if action != "correct":
        return Review(visit.number, action)
    people = form.get("people", "")
    if people not in PEOPLE_WORDS:
        raise ValueError(f"people {people!r} is neither yes nor no")
    return Review(
        visit.number, action, form.get("species", ""), int(count) if count else None,
        form.get("sex", ""), form.get("age", ""), PEOPLE_WORDS[people],
    )  # fmt: skip


def _might_clear(found: Sighting, said: Review) -> bool:
    """Whether people are hidden now and would not be after these words."""
    if not found.hidden:
        return False
    if said.action == "confirm":
        return not found.people
    return said.people is not True and said.species not in PEOPLE_SPECIES


def _may_clear(books: Books, visit: Visit, found: Sighting) -> None:
    """Only who has seen the people may say that there are none; that is audited."""
    if not visit.may(PEOPLE):
        raise Refused(403, "error.people")
    if not sees_people(books, visit, found.seq):
        raise Refused(409, "error.look")
    books.accounts.audit(visit.who.name, "people cleared", found.name, visit.now_s)


def _found(books: Books, visit: Visit) -> Sighting:
    books.fresh()
    found = sightings.one(books.db, visit.number)
    if found is None:
        raise Refused(404, "error.missing")
    return found


async def _stated(site: Site, work: Callable[[Books], None]) -> None:
    try:
        await site.ask(work)
    except SurveyError as problem:
        raise Refused(409, "error.said") from problem

"""What came, newest first, and one event with its whole burst.

The address says which sightings are meant (`/?species=leopard&unit=T0007&from=2026-03-01`), so that
a list can be kept and sent. The first page of a list renews itself.
"""

import datetime
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from firmware.base.dashboard import sightings
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.pictures import sees_people
from firmware.base.dashboard.roles import COMMAND, REVIEW
from firmware.base.dashboard.sightings import Filter
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import MOST_NUMBER, Refused, Visit, html
from firmware.base.survey.statements import AGES, SEXES
from firmware.wire.alert import SPECIES
from firmware.wire.errors import WireError
from firmware.wire.ids import parse_unit

LISTS: dict[str, object] = {"species": SPECIES, "sexes": SEXES[1:], "ages": AGES[1:]}
DAY = datetime.timedelta(days=1)


async def sightings_page(site: Site, visit: Visit) -> Response:
    """The list."""
    query = visit.request.query_params
    wanted = read_filter(query)

    def work(books: Books) -> tuple[str, list[sightings.Sighting], list[str], int]:
        books.fresh()
        rows = sightings.find(books.db, wanted, sightings.PER_PAGE + 1)
        return books.mark(), rows, sightings.units(books.db), sightings.waiting(books.db)

    mark, rows, units, waiting = await site.ask(work)
    more = len(rows) > sightings.PER_PAGE
    rows = rows[: sightings.PER_PAGE]
    kept = {name: query[name] for name in ("species", "unit", "from", "to") if query.get(name)}
    return html(
        site, visit, "sightings.html",
        {
            "rows": rows, "units": units, "mark": mark, "kept": kept, "waiting": waiting,
            "species": SPECIES, "first": wanted.before is None,
            "older": f"/?{urlencode(kept | {'before': rows[-1].key})}" if more else "",
        },
    )  # fmt: skip


async def event(site: Site, visit: Visit) -> Response:
    """One sighting with its burst, and the others of its event."""

    def work(books: Books) -> dict[str, object]:
        books.fresh()
        found = sightings.one(books.db, visit.number)
        if found is None:
            raise Refused(404, "error.missing")
        return {
            "mark": books.mark(),
            "one": found,
            "event": sightings.event_of(books.db, found),
            "history": books.reader.history(found.seq) if visit.may(REVIEW) else [],
            "clear": found.hidden and sees_people(books, visit, found.seq),
            "commands": books.asked(found.unit, found.number) if visit.may(COMMAND) else [],
        }

    values = await site.ask(work)
    return html(site, visit, "event.html", values | LISTS)


async def stream(site: Site, visit: Visit) -> Response:
    """Server-sent events: something new is stored."""
    if site.watch.full:
        raise Refused(503, "error.busy")
    request, session = visit.request, visit.who
    seen = request.headers.get("last-event-id") or request.query_params.get("since", "")

    async def allowed() -> bool:
        return await site.ask(lambda b: b.accounts.is_open(session, site.now_s()))

    return StreamingResponse(
        site.watch.stream(seen, allowed), media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # a proxy must not keep it back
    )  # fmt: skip


def read_filter(query: Mapping[str, str], *, unreviewed: bool = False) -> Filter:
    """What an address asks for. Raises Refused."""
    species, unit = query.get("species", ""), query.get("unit", "")
    if species and species not in SPECIES:
        raise Refused(400, "error.form")
    try:
        if unit:
            parse_unit(unit)
        start, end = _day(query.get("from", "")), _day(query.get("to", ""))
        at_s, _, seq = query.get("before", "").partition(":")
        before = (float(at_s), int(seq)) if at_s else None
        to_s = None if end is None else (end + DAY).timestamp()
        from_s = None if start is None else start.timestamp()
    except (ValueError, OverflowError, WireError) as problem:
        raise Refused(400, "error.form") from problem
    if before is not None and abs(before[1]) > MOST_NUMBER:
        raise Refused(400, "error.form")
    return Filter(species, unit, from_s, to_s, before, unreviewed)


def _day(text: str) -> datetime.datetime | None:
    if not text:
        return None
    day = datetime.date.fromisoformat(text)
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC)

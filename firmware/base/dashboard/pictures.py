"""Pictures, never as they were stored: scaled, without metadata, and blurred where people are.

To see people, a ranger asks for one sighting at a time; that is audited before anything is shown,
and holds for ten minutes in that session.
"""

import hashlib

from starlette.responses import RedirectResponse, Response

from firmware.base.dashboard import sightings
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.render import FULL, SIZES, render
from firmware.base.dashboard.roles import PEOPLE
from firmware.base.dashboard.sightings import Shot
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import Refused, Visit
from firmware.base.export.pictures import CONTENT_TYPE, PictureError
from firmware.base.media import picture_path


async def picture(site: Site, visit: Visit) -> Response:
    """One picture of one sighting."""
    name, size = visit.request.path_params["shot"], visit.request.path_params["size"]
    if size not in (*SIZES, FULL):
        raise Refused(404, "error.missing")

    def work(books: Books) -> tuple[Shot, bool, bool]:
        found = sightings.one(books.db, visit.number)
        shot = next((s for s in found.shots if s.name == name), None) if found else None
        if found is None or shot is None:
            raise Refused(404, "error.missing")
        return shot, found.hidden, found.hidden and not sees_people(books, visit, found.seq)

    shot, people, blurred = await site.ask(work)
    key = (shot.sha256, size, blurred)
    tag = f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}"'
    # A browser may keep a picture and asks each time whether it still may; people it may not keep.
    keep = "no-store" if people and not blurred else "private, no-cache"
    headers = {"ETag": tag, "Cache-Control": keep}
    if visit.request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        body = await site.paint(
            lambda: site.cache.get(key, lambda: _make(site, shot, size, blurred))
        )
    except (OSError, PictureError) as error:
        raise Refused(404, "error.picture") from error
    return Response(body, media_type=CONTENT_TYPE, headers=headers)


async def show_people(site: Site, visit: Visit) -> Response:
    """From now on, and not for long, this session sees the people of this sighting."""

    def work(books: Books) -> None:
        found = sightings.one(books.db, visit.number)
        if found is None:
            raise Refused(404, "error.missing")
        books.accounts.audit(visit.who.name, "people", found.name, visit.now_s)
        books.accounts.grant_people(visit.who, found.seq, visit.now_s)

    await site.ask(work)
    return RedirectResponse(visit.next_path, 303)


def sees_people(books: Books, visit: Visit, number: int) -> bool:
    """Whether the visitor has asked to see those of this sighting, and may."""
    return visit.may(PEOPLE) and books.accounts.sees_people(visit.who, number, visit.now_s)


def _make(site: Site, shot: Shot, size: str, blurred: bool) -> bytes:
    path = picture_path(
        site.settings.store.data_dir / "media", shot.sha256, shot.content_type
    )  # fmt: skip
    return render(path.read_bytes(), size, blurred=blurred)

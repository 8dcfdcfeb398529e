"""One request: who asks, in which language, with which form; and whether it may.

A page is a row of a table (pages.py): path, method, who may, and what answers. Nothing else
answers, so nothing is reachable whose row does not say for whom. Every POST carries the session's
secret (the login form: one that a cookie carries too), and is refused without.
"""

import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from firmware.base.command import BookError
from firmware.base.dashboard.accounts import AccountError, Session
from firmware.base.dashboard.roles import ADMIN, COMMAND, EXACT, PEOPLE, REVIEW, Role
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.words import LANGUAGES, Words, choose
from firmware.base.store import StoreError

MOST_FORM_BYTES = 16_384
MOST_NUMBER = 2**62  # SQLite has 64 bits
MAY = {"places": EXACT, "review": REVIEW, "people": PEOPLE, "command": COMMAND, "audit": ADMIN}
THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE, THEME_COOKIE = "rosette_language", "rosette_theme"

log = logging.getLogger(__name__)


class Refused(Exception):
    """Not answered; `key` is the word for why."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


@dataclass(frozen=True)
class Visit:
    """One request, read."""

    request: Request
    session: Session | None
    words: Words
    theme: str
    form: Mapping[str, str]
    now_s: float

    @property
    def who(self) -> Session:
        """The session, on a page that needs one."""
        assert self.session is not None
        return self.session

    def may(self, roles: frozenset[Role]) -> bool:
        """Whether the visitor is one of these."""
        return self.session is not None and self.session.role in roles

    @property
    def number(self) -> int:
        """The sighting in the path. Raises Refused for one that no store can have."""
        number = int(self.request.path_params["number"])
        if number > MOST_NUMBER:
            raise Refused(404, "error.missing")
        return number

    @property
    def next_path(self) -> str:
        """Where the form wants to go on; else the sighting's page."""
        return local(self.form.get("next", f"/event/{self.number}"))

    @property
    def address(self) -> str:
        """Where from."""
        return self.request.client.host if self.request.client else "?"


Answer = Callable[[Site, Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """`may`: the roles that it answers; None: anybody, without a session."""

    path: str
    method: str
    may: frozenset[Role] | None
    answer: Answer


def endpoint(site: Site, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page behind its checks."""

    async def answer(request: Request) -> Response:
        visit = Visit(request, None, _words(site, request), _theme(request), {}, site.now_s())
        try:
            visit = await _read(site, request, visit)
            if page.may is not None and visit.session is None:
                return RedirectResponse("/login", 303)
            if page.may is not None and not visit.may(page.may):
                raise Refused(403, "error.role")
            if page.method == "POST":
                _check_form(site, visit)
            return await page.answer(site, visit)
        except Refused as refused:
            return error(site, visit, refused.status, refused.key)
        except (StoreError, AccountError, BookError) as trouble:
            log.error("page_failed path=%s reason=%s", page.path, trouble)  # noqa: TRY400
            return error(site, visit, 503, "error.store")

    return answer


def html(
    site: Site, visit: Visit, template: str, values: Mapping[str, object], status: int = 200
) -> Response:
    """A page of the site."""
    shared = {
        "t": visit.words, "session": visit.session, "theme": visit.theme, "themes": THEMES,
        "languages": LANGUAGES, "path": visit.request.url.path, "now_s": visit.now_s,
        "back": _here(visit.request),
        "may": {key for key, roles in MAY.items() if visit.may(roles)},
    }  # fmt: skip
    return HTMLResponse(site.render(template, shared | dict(values)), status)


def error(site: Site, visit: Visit, status: int, key: str) -> Response:
    """A page that says what is wrong."""
    return html(site, visit, "error.html", {"key": key, "status": status}, status)


def cookie_name(site: Site, name: str) -> str:
    """`__Host-`: a browser takes it over HTTPS only, and from nobody but this host."""
    return f"__Host-{name}" if site.settings.dashboard.https else name


def set_cookie(site: Site, response: Response, name: str, value: str, *, age_s: int) -> None:
    """One that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        name, value, max_age=age_s, path="/", secure=site.settings.dashboard.https, httponly=True,
        samesite="strict",
    )  # fmt: skip


def local(path: str) -> str:
    """The path, if it is one of this site; else the first page."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() else "/"


def login_secret() -> str:
    """For the login form, before there is a session."""
    return secrets.token_urlsafe(32)


async def _read(site: Site, request: Request, visit: Visit) -> Visit:
    token = request.cookies.get(cookie_name(site, "rosette"), "")
    session = await site.ask(lambda b: b.accounts.session(token, visit.now_s)) if token else None
    form = await _form(request.stream()) if request.method == "POST" else {}
    return Visit(request, session, visit.words, visit.theme, form, visit.now_s)


def _check_form(site: Site, visit: Visit) -> None:
    known = visit.session.csrf if visit.session else ""
    if visit.request.url.path == "/login":
        known = visit.request.cookies.get(cookie_name(site, "rosette_login"), "")
    if not known or not hmac.compare_digest(known.encode(), visit.form.get("csrf", "").encode()):
        raise Refused(403, "error.csrf")


async def _form(stream: AsyncIterator[bytes]) -> dict[str, str]:
    body = b""
    async for part in stream:
        body += part
        if len(body) > MOST_FORM_BYTES:
            raise Refused(413, "error.form")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=40,
                          errors="strict")  # fmt: skip
    except ValueError as problem:
        raise Refused(400, "error.form") from problem
    return {name: values[-1].strip() for name, values in fields.items()}


def _words(site: Site, request: Request) -> Words:
    asked = request.cookies.get(LANGUAGE_COOKIE)
    return site.words[choose(asked, request.headers.get("accept-language", ""))]


def _theme(request: Request) -> str:
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def _here(request: Request) -> str:
    url = request.url
    return f"{url.path}?{url.query}" if url.query else url.path

"""Logging in and out, how pages look, and the audit.

Ten wrong passwords for a name, or thirty from an address, within a quarter of an hour: no more
until that has passed. Logins and failures are audited.
"""

from starlette.responses import RedirectResponse, Response

from firmware.base.dashboard.accounts import LONGEST_S
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    Refused,
    Visit,
    cookie_name,
    html,
    local,
    login_secret,
    set_cookie,
)
from firmware.base.dashboard.words import LANGUAGES

YEAR_S = 365 * 86400


async def login_form(site: Site, visit: Visit) -> Response:
    """The form, with a secret that its cookie carries too."""
    return _form(site, visit, 200, "")


async def login(site: Site, visit: Visit) -> Response:
    """A session, or the form again."""
    name, password = visit.form.get("name", "")[:64], visit.form.get("password", "")
    limits = ((site.by_name, name), (site.by_address, visit.address))
    if any(limit.wait_s(key, visit.now_s) > 0 for limit, key in limits):
        return _form(site, visit, 429, "login.wait")
    for limit, key in limits:
        limit.failed(key, visit.now_s)  # until it turns out otherwise: many may try at once
    known = await site.ask(lambda b: b.accounts.hash_of(name))
    good = await site.paint(lambda: site.passwords.match(known, password))
    what = "login" if good else "login refused"
    await site.ask(lambda b: b.accounts.audit(name, what, visit.address, visit.now_s))
    if not good:
        return _form(site, visit, 401, "login.wrong")
    site.by_name.succeeded(name)
    site.by_address.take_back(visit.address)
    token = await site.ask(lambda b: b.accounts.begin(name, visit.now_s))
    response = RedirectResponse("/", 303)
    set_cookie(site, response, cookie_name(site, "rosette"), token, age_s=int(LONGEST_S))
    return response


async def logout(site: Site, visit: Visit) -> Response:
    """The session ends."""
    await site.ask(lambda b: b.accounts.end(visit.who))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        cookie_name(site, "rosette"), secure=site.settings.dashboard.https, httponly=True
    )
    return response


async def look(site: Site, visit: Visit) -> Response:
    """Another language or theme."""
    response = RedirectResponse(local(visit.form.get("back", "/")), 303)
    language, theme = visit.form.get("language"), visit.form.get("theme")
    if language in LANGUAGES:
        set_cookie(site, response, LANGUAGE_COOKIE, str(language), age_s=YEAR_S)
    if theme in THEMES:
        set_cookie(site, response, THEME_COOKIE, str(theme), age_s=YEAR_S)
    return response


async def audit(site: Site, visit: Visit) -> Response:
    """Who did what."""
    before = visit.request.query_params.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) < 16):
        raise Refused(400, "error.form")
    lines = await site.ask(lambda b: b.accounts.audit_lines(int(before) if before else None))
    return html(site, visit, "audit.html", {"lines": lines})


def _form(site: Site, visit: Visit, status: int, problem: str) -> Response:
    secret = login_secret()
    response = html(site, visit, "login.html", {"problem": problem, "secret": secret}, status)
    set_cookie(site, response, cookie_name(site, "rosette_login"), secret, age_s=3600)
    return response

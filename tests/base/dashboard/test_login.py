"""Logging in and out, sessions, secrets in forms, and what every answer's headers say."""

import pytest

from firmware.base.dashboard.accounts import IDLE_S
from firmware.base.dashboard.app import HEADERS
from tests.base.dashboard.conftest import PASSWORD, Base, hidden_field, log_in, post


def test_nobody_sees_a_page_without_a_session(base: Base) -> None:
    client = base.browser()
    for path in ("/", "/units", "/map", "/review", "/audit", "/live", "/picture/1/frame-1/small"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/login"), path


def test_the_right_password_opens_a_session_and_logging_out_ends_it(base: Base) -> None:
    client = base.logged_in("viewer")
    assert client.get("/").status_code == 200
    cookie = client.cookies["__Host-rosette"]
    assert post(client, "/logout") == 303
    client.cookies.set("__Host-rosette", cookie)
    assert client.get("/").status_code == 303


def test_the_session_cookie_is_for_this_host_over_https_and_not_for_scripts(base: Base) -> None:
    client = base.browser()
    secret = hidden_field(client.get("/login").text)
    form = {"name": "viewer", "password": PASSWORD, "csrf": secret}
    cookie = client.post("/login", data=form).headers["set-cookie"].lower()
    assert cookie.startswith("__host-rosette=")
    for flag in ("httponly", "secure", "samesite=strict", "path=/"):
        assert flag in cookie


def test_a_wrong_password_and_an_unknown_name_look_the_same(base: Base) -> None:
    client = base.browser()
    wrong = [log_in(client, "viewer", "not the password"), log_in(client, "nobody", PASSWORD)]
    assert wrong == [401, 401]
    assert [line[:2] for line in base.audit()] == [
        ("viewer", "login refused"), ("nobody", "login refused"),
    ]  # fmt: skip


def test_after_ten_wrong_passwords_even_the_right_one_waits(base: Base) -> None:
    client = base.browser()
    assert [log_in(client, "viewer", "guess") for _ in range(10)] == [401] * 10
    assert log_in(client, "viewer") == 429
    base.clock.now_s += 901
    assert log_in(client, "viewer") == 303


def test_a_login_form_from_elsewhere_is_refused(base: Base) -> None:
    client = base.browser()
    form = {"name": "viewer", "password": PASSWORD, "csrf": ""}
    assert client.post("/login", data=form).status_code == 403
    client.get("/login")
    assert client.post("/login", data=form | {"csrf": "guess"}).status_code == 403


def test_an_idle_session_ends(base: Base) -> None:
    client = base.logged_in("viewer")
    base.clock.now_s += IDLE_S + 1
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("secret", ["", "guess"])
def test_a_form_without_the_sessions_secret_changes_nothing(base: Base, secret: str) -> None:
    client = base.logged_in("admin")
    form = {"action": "confirm", "csrf": secret}
    assert client.post("/event/1/review", data=form).status_code == 403
    assert "reviewed_by" not in client.get("/event/1").text


def test_a_form_that_is_too_long_or_no_form_is_refused(base: Base) -> None:
    client = base.logged_in("admin")
    assert client.post("/look", content=b"x" * 20_000).status_code == 413
    assert client.post("/look", content=b"\xff\xfe").status_code == 400


def test_every_answer_forbids_what_comes_from_elsewhere(base: Base) -> None:
    client = base.logged_in("viewer")
    for path in ("/", "/login", "/static/style.css", "/nothing", "/picture/1/frame-1/small"):
        headers = client.get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value, (path, name)
    assert client.get("/").headers["cache-control"] == "no-store"
    assert client.get("/units/").status_code == 404, "a redirect would believe the Host header"


def test_after_the_look_was_changed_one_is_sent_back_but_never_off_the_site(base: Base) -> None:
    client = base.logged_in("viewer")
    secret = hidden_field(client.get("/").text)
    for back, where in (
        ("/units?a=b", "/units?a=b"), ("//evil.example/", "/"), ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
    ):  # fmt: skip
        form = {"csrf": secret, "back": back, "theme": "dark", "language": "ru"}
        answer = client.post("/look", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, where)
    page = client.get("/").text
    assert 'lang="ru" data-theme="dark"' in page and "Наблюдения" in page

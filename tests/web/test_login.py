"""Login, lockout, sessions, CSRF, passwords."""

from __future__ import annotations

import re
import statistics
import time
from datetime import timedelta

import httpx
import pytest

from callbacks.http.login import HOME_OF, LEAST_PASSWORD, inner_path
from data.accounts import MIN_PASSWORD, check_password
from incidents.access import RIGHTS, ROLES
from incidents.model import Rejected
from tests.web.conftest import PASSWORD, VILLAGE, Stage, log_in, make


def fresh(stage: Stage, login: str, role: str = "operator") -> str:
    """A new account with the tests' password, already changed."""
    with stage.db.transaction() as cursor:
        make(stage.accounts, cursor, login, role, VILLAGE, "", stage.clock())
        cursor.execute("UPDATE accounts SET must_change = false WHERE login = %s", (login,))
    return login


@pytest.mark.parametrize("role", ROLES)
def test_every_role_lands_on_its_page(stage: Stage, role: str) -> None:
    client = stage.client()
    reply = log_in(client, role.replace("_", "-"), PASSWORD)
    assert (reply.status_code, reply.headers["location"]) == (303, HOME_OF[role])
    assert client.get("/").headers["location"] == HOME_OF[role]
    assert client.get("/api/v1/me").json()["role"] == role


@pytest.mark.parametrize("role", [r for r in ROLES if "incident.take" in RIGHTS[r]])
def test_who_takes_orders_lands_where_they_are_taken(stage: Stage, role: str) -> None:
    reply = log_in(stage.client(), role.replace("_", "-"), PASSWORD)
    assert reply.headers["location"] == "/phone", "the desk has no button to take an order"


def test_cookies(stage: Stage) -> None:
    client = stage.client()
    cookies = {
        c.split("=")[0]: c for c in log_in(client, "operator", PASSWORD).headers.get_list("set-cookie")
    }
    assert "HttpOnly" in cookies["chengyun_session"] and "SameSite=lax" in cookies["chengyun_session"]
    assert "HttpOnly" not in cookies["chengyun_csrf"]
    token = client.cookies["chengyun_session"]
    stored = stage.db.query("SELECT token_hash FROM sessions")
    assert token.encode() not in {bytes(row[0]) for row in stored}


def test_wrong_unknown_and_locked_look_the_same(stage: Stage) -> None:
    login = fresh(stage, "look-alike")
    client = stage.client()
    pages = {}
    for name, who in (("wrong", login), ("unknown", "nobody-at-all")):
        reply = log_in(client, who, "not the password")
        assert reply.status_code == 401
        pages[name] = reply.text.replace(who, "")
    for _ in range(5):
        log_in(client, login, "not the password")
    reply = log_in(client, login, PASSWORD)
    assert reply.status_code == 401, "a locked account takes not even the right password"
    pages["locked"] = reply.text.replace(login, "")
    assert pages["wrong"] == pages["unknown"] == pages["locked"]


def test_unknown_login_costs_the_same_work(stage: Stage) -> None:
    from argon2 import PasswordHasher

    from data.accounts import Accounts

    login = fresh(stage, "same-work")
    slow = Accounts(stage.db, attempts=1000, lock_min=15, hasher=PasswordHasher(2, 8192, 1))
    slow.check(login, PASSWORD, stage.clock())  # re-hashes to these parameters

    def median(who: str) -> float:
        took = []
        for _ in range(15):
            began = time.perf_counter()
            assert slow.check(who, "wrong password", stage.clock()) is None
            took.append(time.perf_counter() - began)
        return statistics.median(took)

    known, unknown = median(login), median("nobody-here")
    assert 0.4 < known / unknown < 2.5, (known, unknown)


def test_lockout_ends(stage: Stage) -> None:
    login = fresh(stage, "locked-out")
    client = stage.client()
    for _ in range(5):
        assert log_in(client, login, "wrong password").status_code == 401
    assert log_in(client, login, PASSWORD).status_code == 401
    stage.clock.ahead = timedelta(minutes=16)
    assert log_in(client, login, PASSWORD).status_code == 303
    # A success forgets the failures before it.
    for _ in range(4):
        assert log_in(client, login, "wrong password").status_code == 401
    assert log_in(client, login, PASSWORD).status_code == 303


def test_parallel_guesses_gain_nothing(stage: Stage) -> None:
    from concurrent.futures import ThreadPoolExecutor

    login = fresh(stage, "parallel")
    with ThreadPoolExecutor(8) as pool:
        guesses = [pool.submit(stage.accounts.check, login, f"guess {n}", stage.clock()) for n in range(40)]
        assert all(guess.result() is None for guess in guesses)
    assert stage.accounts.check(login, PASSWORD, stage.clock()) is None
    (failed,) = stage.db.query("SELECT failed FROM accounts WHERE login = %s", (login,))[0]
    assert failed <= 5 + 8, "attempts after the lock were still looked at"


@pytest.mark.parametrize("bad", ["\x00", "a' OR '1'='1", "operator\x00", "ä" * 5000, "\ud800"])
def test_hostile_logins(stage: Stage, bad: str) -> None:
    client = stage.client()
    page = client.get("/login").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf
    body = httpx.QueryParams({"csrf": csrf[1]})
    raw = (
        f"{body}&login=" + "".join(f"%{b:02X}" for b in bad.encode("utf-8", "surrogatepass")) + "&password=x"
    )
    reply = client.post("/login", content=raw, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert reply.status_code in (400, 401), reply.text[:200]
    assert "<script" not in reply.text


def test_login_form_needs_its_token(stage: Stage) -> None:
    client = stage.client()
    form = {"login": "operator", "password": PASSWORD, "next": ""}
    assert client.post("/login", data=form).status_code == 403
    client.get("/login")
    assert client.post("/login", data=form | {"csrf": "guess"}).status_code == 403
    token = client.cookies["chengyun_csrf"]
    foreign = {"Origin": "http://evil.example"}
    assert client.post("/login", data=form | {"csrf": token}, headers=foreign).status_code == 403
    assert client.post("/login", data=form | {"csrf": token}).status_code == 303


def test_csrf_on_every_unsafe_method(stage: Stage) -> None:
    client = stage.login("operator")
    token = client.headers.pop("X-CSRF-Token")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/api/v1/commands/note_incident", "/_dash-update-component", "/desk"):
            reply = client.request(method, path, json={})
            assert (reply.status_code, reply.json()["code"]) == (403, "csrf"), (method, path)
    wrong = client.post("/_dash-update-component", json={}, headers={"X-CSRF-Token": token[:-1] + "x"})
    assert wrong.status_code == 403
    elsewhere = {"X-CSRF-Token": token, "Origin": "https://evil.example"}
    assert client.post("/_dash-update-component", json={}, headers=elsewhere).status_code == 403
    right = client.post("/_dash-update-component", json={}, headers={"X-CSRF-Token": token})
    assert right.json()["login"] == "operator"
    assert client.post("/logout").status_code in (403, 415)
    assert client.get("/api/v1/me").status_code == 200


def test_another_sessions_token_is_no_good(stage: Stage) -> None:
    one, other = stage.login("operator"), stage.login("dispatcher")
    other.headers["X-CSRF-Token"] = one.headers["X-CSRF-Token"]
    assert other.post("/api/v1/language", json={"language": "en"}).status_code == 403


def test_logout(stage: Stage) -> None:
    client = stage.login("operator")
    session = client.cookies["chengyun_session"]
    assert client.post("/logout").status_code == 204
    again = httpx.get(f"{stage.url}/api/v1/me", cookies={"chengyun_session": session})
    assert again.status_code == 401


def test_absolute_and_idle_expiry(stage: Stage) -> None:
    desk, wall = stage.login("operator"), stage.login("wall")
    stage.clock.ahead = timedelta(minutes=119)
    assert desk.get("/api/v1/me").status_code == 200
    stage.clock.ahead = timedelta(minutes=119 + 121)
    assert desk.get("/api/v1/me").status_code == 401
    assert wall.get("/api/v1/me").status_code == 200, "a wall may stay untouched"
    stage.clock.ahead = timedelta(hours=12, minutes=1)
    assert wall.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True},
        {"role": "dispatcher"},
        {"areas": ["990100/990101/"]},
    ],
)
def test_changed_rights_end_sessions(stage: Stage, change: dict[str, object]) -> None:
    login = fresh(stage, f"changed-{next(iter(change))}")
    client, admin = stage.login(login), stage.login("administrator-city")
    reply = admin.post("/api/v1/commands/change_account", json={"login": login, **change})
    assert reply.status_code == 200, reply.text
    assert client.get("/api/v1/me").status_code == 401


def test_first_password_must_be_changed(stage: Stage) -> None:
    admin = stage.login("administrator-city")
    body = {"login": "newcomer", "name": "新人", "role": "operator", "areas": [VILLAGE]}
    first = admin.post("/api/v1/commands/create_account", json=body).json()["password"]
    client = stage.client()
    assert log_in(client, "newcomer", first).headers["location"] == "/password"
    assert client.get("/desk").headers["location"] == "/password"
    refused = client.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "password")
    assert client.get("/live").status_code == 403
    token = client.cookies["chengyun_csrf"]

    def change(old: str, new: str, again: str = "") -> httpx.Response:
        form = {"csrf": token, "old": old, "new": new, "again": again or new}
        return client.post("/password", data=form)

    for old, new, again in (
        (first, "short", ""),
        (first, first, ""),
        (first, "aaaaaaaaaaaa", ""),
        (first, "long enough 1", "long enough 2"),
        ("not it at all", "long enough 1", ""),
    ):
        assert change(old, new, again).status_code == 422, new
    other = stage.client()
    log_in(other, "newcomer", first)
    done = change(first, "my own password 7")
    assert (done.status_code, done.headers["location"]) == (303, "/desk")
    assert client.get("/api/v1/me").json()["login"] == "newcomer"
    assert other.get("/api/v1/me").status_code == 401, "other sessions end with the password"
    assert log_in(stage.client(), "newcomer", first).status_code == 401


def test_password_rules() -> None:
    assert MIN_PASSWORD == LEAST_PASSWORD
    for login, old, new in (
        ("longlogin99", "old password", "longlogin99"),
        ("x1", "old password", "too short"),
        ("x1", "old password", "old password"),
        ("x1", "old password", "a" * 201),
    ):
        with pytest.raises(Rejected) as error:
            check_password(login, old, new)
        assert error.value.field == "new" and new not in str(error.value)


def test_languages(stage: Stage) -> None:
    client = stage.client()
    zh = client.get("/login").text
    assert 'lang="zh-CN"' in zh and "登录" in zh and "Log in" not in zh
    en = client.get("/login?lang=en").text
    assert 'lang="en"' in en and "Log in" in en and "密码" not in en
    assert "Log in" in client.get("/login").text, "the choice is kept"
    desk = stage.login("operator")
    assert desk.post("/api/v1/language", json={"language": "en"}).status_code == 204
    assert desk.get("/api/v1/me").json()["language"] == "en"
    assert desk.post("/api/v1/language", json={"language": "fr"}).status_code == 422


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/desk?incident=7", "/desk?incident=7"),
        ("//evil.example/", ""),
        ("/\\evil.example", ""),
        ("https://evil.example/", ""),
        ("/desk\r\nSet-Cookie: a=b", ""),
        ("/a\\b", ""),
        ("/login", ""),
        ("", ""),
    ],
)
def test_next_stays_here(text: str, path: str) -> None:
    assert inner_path(text) == path


def test_audited(stage: Stage) -> None:
    log_in(stage.client(), "auditor", "wrong password")
    stage.login("auditor")
    rows = stage.db.query(
        "SELECT allowed FROM audit WHERE actor = 'auditor' AND action = 'session.login' ORDER BY id DESC LIMIT 2"
    )
    assert [row[0] for row in rows] == [True, False]
    assert stage.audit.verify().whole

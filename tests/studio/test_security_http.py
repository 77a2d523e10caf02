from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from aiohttp import web
from auth_cases import DAY_US
from pages_cases import Browser, Stage, serve

from livestream.studio.auth.base import Scope
from livestream.studio.http import security
from livestream.studio.http.context import caller_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route, id_of
from livestream.studio.settings import StudioLimits

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
        " font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


async def tell(request: web.Request) -> web.Response:
    return json_response({"name": caller_of(request).name, "scopes": caller_of(request).scopes})


async def tell_id(request: web.Request) -> web.Response:
    return json_response({"id": id_of(request)})


async def tell_text(request: web.Request) -> web.Response:
    return json_response({"text": request.match_info["path"]})


async def explode(request: web.Request) -> web.Response:
    raise RuntimeError("lst_secret in a message")


async def refuse(request: web.Request) -> web.Response:
    raise ProblemError(409, "name: taken", {"Retry-After": "7"})


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Cache-Control": "max-age=5"})
    await response.prepare(request)
    await response.write(b"half")
    if "break" in request.query:
        raise ProblemError(500, "too late")
    return response


def route(
    path: str, handler: object, scope: Scope | None = "read", method: Literal["GET", "POST", "DELETE"] = "GET"
) -> Route:
    return Route(method=method, path=path, handler=handler, summary="", scope=scope, texts=("path",))  # type: ignore[arg-type]


ROUTES = (
    route("/test/read", tell),
    route("/test/ingest", tell, "ingest"),
    route("/test/admin", tell, "admin"),
    route("/test/change", tell, "read", "POST"),
    route("/test/change", tell, "read", "DELETE"),
    route("/test/open", refuse, None, "POST"),
    route("/test/items/{id}", tell_id),
    route("/test/texts/{path}/end", tell_text),
    route("/test/explode", explode),
    route("/test/refuse", refuse),
    route("/test/stream", stream),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with serve(tmp_path / "data", ROUTES) as running:
        yield running


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser() as fresh:
        yield fresh


@pytest.mark.parametrize("scheme", ["token", "Bearer", "TOKEN", "bearer", "token "])
async def test_a_token_opens_what_its_scope_opens(stage: Stage, browser: Browser, scheme: str) -> None:
    answer = await browser.ask("GET", "test/read", Authorization=f"{scheme} {stage.token('read')}")

    assert answer.status == 200
    assert answer.json == {"name": "tests", "scopes": ["read"]}


async def test_who_sends_no_token_is_told_how_to_get_one(browser: Browser) -> None:
    answer = await browser.ask("GET", "test/read")

    assert answer.status == 401
    assert "livestream token create" in answer.detail
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("sent", ["token", "token ", "token lst_wrong", "Bearer lst_wrong", "Basic bHN0Og==", "lst_x"])
async def test_what_is_no_good_token_is_refused(browser: Browser, sent: str) -> None:
    answer = await browser.ask("GET", "test/read", Authorization=sent)

    assert answer.status == 401
    assert "lst_" not in answer.text


@pytest.mark.parametrize(
    ("scopes", "opened"),
    [
        (("ingest",), {"test/ingest"}),
        (("read",), {"test/read"}),
        (("ingest", "read"), {"test/ingest", "test/read"}),
        (("admin",), {"test/ingest", "test/read", "test/admin"}),
    ],
)
async def test_a_scope_opens_what_it_says(
    stage: Stage, browser: Browser, scopes: tuple[str, ...], opened: set[str]
) -> None:
    secret = stage.token(*scopes)
    for path in ("test/ingest", "test/read", "test/admin"):
        answer = await browser.ask("GET", path, Authorization=f"token {secret}")
        assert answer.status == (200 if path in opened else 403)
        if answer.status == 403:
            assert answer.detail.endswith(f"this needs {path.rpartition('/')[2]}")


async def test_a_dead_token_gets_401_at_its_next_request(stage: Stage, browser: Browser) -> None:
    secret = stage.token("read")
    headers = {"Authorization": f"token {secret}"}
    assert (await browser.ask("GET", "test/read", **headers)).status == 200

    stage.keeper.delete("tests")

    assert (await browser.ask("GET", "test/read", **headers)).status == 401


async def test_every_answer_carries_the_headers(stage: Stage, browser: Browser) -> None:
    token = {"Authorization": f"token {stage.token('read')}"}
    asked = [
        await browser.ask("GET", path, **token)
        for path in ("test/read", "test/explode", "test/refuse", "nothing/here", "sign-in")
    ]
    asked += [await browser.ask("GET", "test/read"), await browser.ask("PUT", "test/read")]
    asked += [await browser.get("test/read"), await browser.ask("HEAD", "test/read", **token)]

    assert [answer.status for answer in asked] == [200, 500, 409, 404, 200, 401, 405, 303, 200]
    for answer in asked:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


async def test_a_handlers_own_headers_win_and_streams_have_the_rest(stage: Stage, browser: Browser) -> None:
    answer = await browser.ask("GET", "test/stream", Authorization=f"token {stage.token('read')}")

    assert answer.text == "half"
    assert answer.headers["cache-control"] == "max-age=5"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_stream_that_breaks_ends_broken(stage: Stage, browser: Browser) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await browser.ask("GET", "test/stream?break=1", Authorization=f"token {stage.token('read')}")


async def test_an_unexpected_error_says_nothing_and_is_logged(
    stage: Stage, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await browser.ask("GET", "test/explode", Authorization=f"token {stage.token('read')}")

    assert answer.status == 500
    assert answer.detail == "internal error: the Studio's log says more"
    assert [record.message for record in caplog.records] == ["livestream.studio_request_failed"]


async def test_a_problem_is_json_with_its_headers(stage: Stage, browser: Browser) -> None:
    answer = await browser.ask("GET", "test/refuse", Authorization=f"token {stage.token('read')}")

    assert (answer.status, answer.detail, answer.headers["retry-after"]) == (409, "name: taken", "7")
    assert answer.headers["content-type"] == "application/json"


async def test_a_person_gets_a_page_instead_of_json(stage: Stage) -> None:
    async with stage.browser(signed_in=True) as browser:
        problem = await browser.get("test/refuse")
        lost = await browser.get("deep/in/nowhere")

    assert (problem.status, lost.status) == (409, 404)
    for answer in (problem, lost):
        assert answer.headers["content-type"].startswith("text/html")
    assert "name: taken" in problem.text
    assert re.search(r'href="\.\./\.\./static/[0-9a-f]{16}/studio\.css"', lost.text)


async def test_a_wrong_method_names_the_right_ones(browser: Browser) -> None:
    answer = await browser.ask("PUT", "test/change")

    assert answer.status == 405
    assert set(answer.headers["allow"].split(",")) == {"POST", "DELETE"}
    assert "POST" in answer.detail


async def test_placeholders_take_numbers_or_texts(stage: Stage, browser: Browser) -> None:
    token = {"Authorization": f"token {stage.token('read')}"}

    async def ask(path: str) -> tuple[int, object]:
        answer = await browser.ask("GET", path, **token)
        return answer.status, answer.json

    assert await ask("test/items/12") == (200, {"id": 12})
    assert await ask("test/texts/a/b%20c/end") == (200, {"text": "a/b c"})
    for wrong in ("test/items/x", "test/items/-1", "test/items/1.5", "test/items/%D9%A1", f"test/items/{'9' * 30}"):
        assert (await ask(wrong))[0] == 404


async def test_head_is_answered_without_a_body(stage: Stage, browser: Browser) -> None:
    answer = await browser.ask("HEAD", "test/read", Authorization=f"token {stage.token('read')}")

    assert (answer.status, answer.text) == (200, "")
    assert (await browser.ask("HEAD", "test/read")).status == 401


async def test_options_opens_nothing_to_other_origins(browser: Browser) -> None:
    answer = await browser.ask("OPTIONS", "test/read", Origin="https://evil.example")

    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8585", "127.0.0.1.evil.example", "8.8.8.8", "[::2]:80"])
async def test_a_name_that_points_at_loopback_is_not_loopback(stage: Stage, browser: Browser, host: str) -> None:
    answer = await browser.ask("GET", "test/read", Host=host, Authorization=f"token {stage.token('read')}")

    assert answer.status == 421
    assert answer.detail.startswith("Host: ")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8585", "127.0.0.1:1", "127.1.2.3", "[::1]:8585"])
async def test_loopbacks_own_names_are_served(stage: Stage, browser: Browser, host: str) -> None:
    answer = await browser.ask("GET", "test/read", Host=host, Authorization=f"token {stage.token('read')}")

    assert answer.status == 200


async def test_the_public_name_is_served_too(tmp_path: Path) -> None:
    async with (
        serve(tmp_path / "data", ROUTES, public_url="https://studio.example.com/here") as stage,
        stage.browser() as browser,
    ):
        good = await browser.ask("GET", "sign-in", Host="studio.example.com")
        bad = await browser.ask("GET", "sign-in", Host="example.com")

    assert (good.status, bad.status) == (200, 421)


async def test_a_studio_on_the_network_is_served_under_any_name(tmp_path: Path) -> None:
    async with serve(tmp_path / "data", ROUTES, host="0.0.0.0") as stage, stage.browser() as browser:
        assert (await browser.ask("GET", "sign-in", Host="node17.cluster:8585")).status == 200


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_signed_in_browser_changes_things_from_our_pages_only(stage: Stage, method: str) -> None:
    host = stage.url.partition("://")[2]
    async with stage.browser(signed_in=True) as browser:

        async def status(**headers: str) -> int:
            return (await browser.ask(method, "test/change", **headers)).status

        assert await status(Origin=stage.url) == 200
        assert await status(Sec_Fetch_Site="same-origin") == 200
        assert await status(Origin=stage.url, Sec_Fetch_Site="same-origin") == 200
        assert await status() == 403
        for origin in (
            "null",
            "",
            "https://evil.example",
            f"{stage.url}.evil.example",
            f"http://{host.partition(':')[0]}:1",
            f"ftp://{host}",
            f"http://user@evil.example/{host}",
            "http://[",
        ):
            assert await status(Origin=origin) == 403
            assert await status(Origin=origin, Sec_Fetch_Site="same-origin") == 403
        for site in ("cross-site", "same-site", "none", ""):
            assert await status(Sec_Fetch_Site=site) == 403
            assert await status(Origin=stage.url, Sec_Fetch_Site=site) == 403


async def test_a_form_of_another_site_does_not_sign_anybody_in(stage: Stage, browser: Browser) -> None:
    answer = await browser.post("sign-in", {"secret": stage.token("admin")}, Origin="https://evil.example")

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


async def test_a_program_with_a_token_needs_no_origin(stage: Stage, browser: Browser) -> None:
    token = {"Authorization": f"token {stage.token('read')}"}

    assert (await browser.ask("POST", "test/change", **token)).status == 200
    assert (await browser.ask("POST", "test/change", Origin="https://notebook.example", **token)).status == 200


async def test_a_cookie_beside_a_bad_token_opens_nothing(stage: Stage) -> None:
    async with stage.browser(signed_in=True) as browser:
        answer = await browser.ask("POST", "test/change", Origin=stage.url, Authorization="token lst_wrong")

    assert answer.status == 401


async def test_a_proxys_own_password_leaves_the_cookie_in_force(stage: Stage) -> None:
    async with stage.browser(signed_in=True) as browser:
        assert (await browser.ask("GET", "test/read", Authorization="Basic dXNlcjpwYXNz")).status == 200


async def test_behind_a_proxy_the_public_origin_is_ours(tmp_path: Path) -> None:
    async with (
        serve(tmp_path / "data", ROUTES, public_url="https://studio.example.com") as stage,
        stage.browser(signed_in=True) as browser,
    ):
        cookie = {"Cookie": f"{stage.keeper.cookie}={stage.keeper.sign_in(stage.code())}"}  # secure: not sent by itself

        async def status(origin: str, **headers: str) -> int:
            return (await browser.ask("POST", "test/change", Origin=origin, **cookie, **headers)).status

        assert await status("https://studio.example.com") == 200
        assert await status("https://studio.example.com:443") == 200
        assert await status("http://studio.example.com") == 403
        assert await status("https://studio.example.com:444") == 403
        assert await status("https://studio.example.com", Host="studio.example.com") == 200


async def test_a_token_has_a_rate_of_its_own(tmp_path: Path) -> None:
    limits = StudioLimits(requests_per_s=0.01, request_burst=3)
    async with serve(tmp_path / "data", ROUTES, limits=limits) as stage, stage.browser() as browser:
        first, second = (stage.token("read", name=name) for name in "ab")
        asked = [await browser.ask("GET", "test/read", Authorization=f"token {first}") for _ in range(5)]
        other = await browser.ask("GET", "test/read", Authorization=f"token {second}")

    assert [answer.status for answer in asked] == [200, 200, 200, 429, 429]
    assert 0 < int(asked[-1].headers["retry-after"]) <= 100
    assert "too many requests with this token" in asked[-1].detail
    assert other.status == 200


async def test_answers_are_counted_by_route_and_status(stage: Stage, browser: Browser) -> None:
    token = {"Authorization": f"token {stage.token('read')}"}
    for path in ("test/items/1", "test/items/2", "test/refuse", "a/b", "c/d"):
        await browser.ask("GET", path, **token)

    assert stage.services.counters.answers == {
        ("GET /test/items/{id}", 200): 2,
        ("GET /test/refuse", 409): 1,
        ("none", 404): 2,
    }


async def test_an_expired_token_is_refused(stage: Stage, browser: Browser) -> None:
    _, secret = stage.keeper.create("short", ["read"], expires_us=stage.clock() + DAY_US)
    assert (await browser.ask("GET", "test/read", Authorization=f"token {secret}")).status == 200
    stage.clock.go_on(DAY_US)
    assert (await browser.ask("GET", "test/read", Authorization=f"token {secret}")).status == 401


async def test_nobody_unknown_holds_a_handler_by_sending_slowly(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_OPEN_BODY_S", 0.1)
    host, _, port = stage.url.partition("://")[2].partition(":")
    for path in (b"/sign-in", b"/api/device-login"):
        reader, writer = await asyncio.open_connection(host, int(port))
        kind = b"application/json" if path.startswith(b"/api") else b"application/x-www-form-urlencoded"
        writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + kind)
        writer.write(b"\r\nContent-Length: 100\r\n\r\n{")
        status = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        await writer.wait_closed()
        assert status.split()[1] == b"408"


async def test_hostile_headers_break_nothing(stage: Stage) -> None:
    host, _, port = stage.url.partition("://")[2].partition(":")
    for line in (
        b"Authorization: token \xff\xfe\x80",
        b"Authorization: token " + b"x" * 7000,
        b"Cookie: " + stage.keeper.cookie.encode() + b"=\xff\xfe; a=b;;;=;",
        b"Host: [::1",
        b"Host: \xff",
        b"Origin: http://[::1",
        b"X-Forwarded-For: \xff, ,,",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        start = b"POST /test/change HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n"
        named = b"" if line.startswith(b"Host") else b"Host: localhost\r\n"
        writer.write(start + named + line + b"\r\n\r\n")
        status = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        await writer.wait_closed()
        assert status.split()[1] in {b"400", b"401", b"403", b"421"}, (line[:60], status)

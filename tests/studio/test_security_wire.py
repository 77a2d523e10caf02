from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from security_cases import (
    CHANGING,
    ENDLESS,
    IRIS,
    READING,
    add_marked,
    applied,
    everything,
    filled,
    headers_of,
    raw,
    request,
    sent_by,
    status_of,
)
from studio_stage import OpenStudio, body, open_studio, token_for

from livestream.events import JsonObject
from livestream.studio.app import ROUTES
from livestream.studio.http import connections, routes
from livestream.studio.http.routes import Route
from livestream.studio.settings import StudioLimits
from livestream.studio.store import fold

PLACES: Final = {"id": 1, "series": 1}
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
UNREAD: Final = {"/sign-out", "/tokens/{id}/delete", "/tokens/revoke-all"}
"""Forms without fields: what comes with them is passed over."""
WITH_BODIES: Final = [
    route for route in CHANGING if route.body is not None or (not route.listed and route.path not in UNREAD)
]
MIB: Final = 1024 * 1024


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[OpenStudio]:
    async with open_studio(tmp_path / "data") as running:
        await add_marked(running, "mine", IRIS, "a")
        yield running


def key(studio: OpenStudio) -> str:
    return f"Authorization: {studio.client.headers['Authorization']}"


def kind_of(route: Route) -> str:
    is_form = not route.path.startswith(("/api", "/webhook"))
    return f"Content-Type: application/{'x-www-form-urlencoded' if is_form else 'json'}"


# -- what every answer has


async def test_every_answer_of_every_route_is_locked_down(studio: OpenStudio) -> None:
    for route in ROUTES:
        if route.path == ENDLESS:
            continue
        for lines in ((), (key(studio),), (key(studio), "Accept: text/html")):
            answer = await raw(
                studio.url, request("HEAD" if route.method == "GET" else "PUT", filled(route, PLACES), *lines)
            )
            headers = headers_of(answer)
            assert {name: headers.get(name) for name in HEADERS} == HEADERS, (route.path, answer)
            assert headers["content-security-policy"].partition(";")[0] in {"default-src 'none'", "sandbox"}, route.path
            assert "'unsafe" not in headers["content-security-policy"]
            is_kept = route.path.startswith(("/static", "/api/images"))
            assert is_kept or headers["cache-control"] == "no-store", route.path
            assert not [name for name in headers if name.startswith("access-control")]
            assert "aiohttp" not in headers.get("server", ""), "it need not say what it is made of"


async def test_every_reading_route_answers_head_without_a_body_and_at_once(studio: OpenStudio) -> None:
    async def ask(route: Route) -> bytes:
        line = "" if route.path != ENDLESS else "Last-Event-ID: 0"
        return await raw(
            studio.url, request("HEAD", filled(route, PLACES), key(studio), *filter(None, [line])), wait_s=5
        )

    for route, answer in zip(READING, await asyncio.gather(*map(ask, READING)), strict=True):
        assert status_of(answer) in {200, 303, 400, 404}, (route.path, answer)
        assert answer.endswith(b"\r\n\r\n"), (route.path, answer[-100:])


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "0.0.0.0", ""])
async def test_no_route_answers_under_a_name_that_is_not_this_machines(studio: OpenStudio, host: str) -> None:
    before = await everything(studio.client)
    for route in ROUTES:
        for path in (filled(route, PLACES), "http://evil.example" + filled(route, PLACES)):
            answer = await raw(studio.url, request(route.method, path, key(studio), host=host))
            assert status_of(answer) == 421, (route.path, answer)
    assert await everything(studio.client) == before


@pytest.mark.parametrize(
    "line",
    [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost.evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "X-Nothing: 1",
    ],
)
async def test_no_other_sites_page_changes_anything_by_a_persons_cookie(studio: OpenStudio, line: str) -> None:
    keeper = studio.services.keeper
    session = keeper.sign_in(keeper.new_sign_in_code())
    before, tokens = await everything(studio.client), keeper.list()
    for route in CHANGING:
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            sent = request(
                route.method,
                filled(route, PLACES),
                f"Cookie: {keeper.cookie}={session}",
                f"Content-Type: {kind}",
                line,
                body=b"{}",
            )
            answer = await raw(studio.url, sent)
            assert status_of(answer) == 403, (route.path, answer)
            assert b"Origin: not a page of this Studio" in answer
    assert await everything(studio.client) == before
    assert [token.id for token in keeper.list()] == [token.id for token in tokens]
    assert keeper.session(session or "") is not None


# -- headers


@pytest.mark.parametrize(
    "place",
    [
        "{path}?x=%0d%0aSet-Cookie:%20evil=1",
        "{path}?next=/%0d%0aSet-Cookie:%20evil=1",
        "{path}%0d%0aSet-Cookie:%20evil=1",
    ],
)
async def test_no_line_break_of_a_request_gets_into_a_header(studio: OpenStudio, place: str) -> None:
    for route in READING:
        if route.path == ENDLESS:
            continue
        path = place.format(path=filled(route, PLACES))
        for lines in ((key(studio),), ("Accept: text/html",)):
            answer = await raw(studio.url, request("GET", path, *lines))
            assert status_of(answer) >= 200, (path, answer)
            assert status_of(answer) < 500, (path, answer)
            assert "set-cookie" not in headers_of(answer), (path, answer)


async def test_names_get_into_no_header(studio: OpenStudio) -> None:
    hostile = '"; filename=evil.html\u2028\u00ff\U0001f600'
    number = (await studio.client.post(sent_by(hostile, IRIS)))["experiment"]
    for path in (f"/api/experiments/{number}/export?format={kind}" for kind in ("csv", "jsonl")):
        answer = await raw(studio.url, request("GET", path, key(studio)))
        assert status_of(answer) == 200
        assert "evil" not in str(headers_of(answer)), answer


async def test_requests_that_can_be_read_in_two_ways_are_refused(studio: OpenStudio) -> None:
    start = f"POST /api/live HTTP/1.1\r\nHost: localhost\r\n{key(studio)}\r\n".encode()
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for framing in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"Content-Length: +5\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5, 5\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5;\n\r\nabcde0\r\n\r\n",
        b"Host: evil.example\r\n\r\n",
        b"X: a\x00b\r\n\r\n",
        b"X: a\rb\r\n\r\n",
    ):
        answer = await raw(studio.url, start + framing + hidden, until_closed=True)
        assert status_of(answer) == 400, (framing, answer)
        assert b'"status":"ok"' not in answer, framing


# -- bodies that are too much


async def test_a_bomb_costs_next_to_nothing(studio: OpenStudio) -> None:
    once = gzip.compress(bytes(48 * MIB), 6)
    packed = {"gzip": once, "deflate": zlib.compress(bytes(48 * MIB)), "gzip, gzip": gzip.compress(once), "br": b"\xff"}
    loop = asyncio.get_running_loop()
    for route in CHANGING:
        if route not in WITH_BODIES:
            continue
        for encoding, content in packed.items():
            start = loop.time()
            lines = (key(studio), kind_of(route), f"Content-Encoding: {encoding}")
            answer = await raw(studio.url, request(route.method, filled(route, PLACES), *lines, body=content))
            assert status_of(answer) in {400, 413, 415}, (route.path, encoding, answer)
            assert loop.time() - start < 5


@pytest.mark.parametrize("framing", ["Content-Length: 99999999999", "Transfer-Encoding: chunked"])
async def test_a_body_without_end_is_ended(tmp_path: Path, framing: str) -> None:
    async with open_studio(tmp_path / "data", limits=StudioLimits(max_request_bytes=MIB)) as studio:
        piece = b" " * 0x10000
        chunk = b"10000\r\n" + piece + b"\r\n" if "chunked" in framing else piece

        async def pour(route: Route) -> tuple[Route, bytes]:
            head = request(route.method, filled(route, PLACES), key(studio), kind_of(route), framing)
            return route, await raw(studio.url, head, *[chunk] * (6 * MIB // len(piece)))

        for route, answer in await asyncio.gather(*map(pour, WITH_BODIES)):
            assert status_of(answer) == 413, (route.path, answer)
        assert await studio.client.get("/healthz")


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_body_that_comes_slowly_is_given_up_on_every_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, framing: str
) -> None:
    monkeypatch.setattr(routes, "BODY_S", 0.3)
    async with open_studio(tmp_path / "data", limits=StudioLimits(body_timeout_s=0.3)) as studio:

        async def trickle(route: Route) -> tuple[Route, bytes]:
            head = request(route.method, filled(route, PLACES), key(studio), kind_of(route), framing)
            drop = b"1\r\n{\r\n" if "chunked" in framing else b"{"
            return route, await raw(studio.url, head, *[drop] * 20, pause_s=0.05)

        answers = await asyncio.gather(*map(trickle, WITH_BODIES))
        alive = await studio.client.get("/healthz")

    for route, answer in answers:
        assert status_of(answer) == 408, (route.path, answer)
    assert alive["status"] == "ok"


async def test_a_body_that_is_cut_or_badly_framed_is_no_error_of_ours(
    studio: OpenStudio, caplog: pytest.LogCaptureFixture
) -> None:
    for route in WITH_BODIES:
        lines = (key(studio), kind_of(route), "Transfer-Encoding: chunked")
        for content in (b"zz\r\n{}\r\n", b"2\r\n{}xx0\r\n\r\n", b"ffffffffffffffffff\r\n"):
            answer = await raw(studio.url, request(route.method, filled(route, PLACES), *lines, body=content), wait_s=1)
            assert status_of(answer) in {0, 400}, (route.path, content, answer)
        cut = request(route.method, filled(route, PLACES), key(studio), kind_of(route), "Content-Length: 50", body=b"{")
        await raw(studio.url, cut, wait_s=0.05)
    assert (await studio.client.get("/healthz"))["status"] == "ok"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_headers_that_come_slowly_hold_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.5)
    head = request("GET", "/healthz").replace(b"Connection: close", b"Connection: keep-alive")
    async with open_studio(tmp_path / "data") as studio:
        loop = asyncio.get_running_loop()
        start = loop.time()
        slow, silent, second = await asyncio.gather(
            raw(studio.url, *[b"%c" % byte for byte in head[:-2]] * 2, pause_s=0.02),
            raw(studio.url),
            raw(studio.url, head, head[:-2], until_closed=True),
        )
        took_s = loop.time() - start

    assert (status_of(slow), silent) == (0, b"")
    assert second.count(b"HTTP/1.1 200") == 1
    assert took_s < 18


async def test_what_is_no_http_leaves_no_secret_and_no_traceback_in_the_log(
    studio: OpenStudio, caplog: pytest.LogCaptureFixture
) -> None:
    secret = token_for(studio.services.settings.data, "spilled")
    for content in (
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization token {secret}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: token {secret}\r\n\r\n",
        f"GET /{secret}{'x' * 20_000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET /\x00{secret} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"{secret} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {secret}\rY\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + secret,
    ):
        answer = await raw(studio.url, content.encode("latin-1"), wait_s=2)
        assert status_of(answer) in {0, 400}, answer
    assert secret not in caplog.text
    assert "Traceback" not in caplog.text


async def test_memory_that_a_query_can_name_is_bounded(studio: OpenStudio) -> None:
    for path in (
        "/api/experiments?limit=5000&offset=4611686018427387903",
        "/api/experiments?" + "&".join(f"id={number}" for number in range(1, 600)),
        "/api/experiments/1/log?limit=5000",
        "/api/experiments/1/series/1?points=10000&from=-9223372036854775808&to=9223372036854775807",
        "/api/changes?since=4611686018427387903",
        "/api/projects/1/commits?commits=1000&branches=1000",
    ):
        answer = await raw(studio.url, request("GET", path, key(studio)))
        assert status_of(answer) in {200, 400}, (path, answer)
        assert len(answer) < MIB
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])


async def test_a_run_does_not_grow_without_end_and_its_numbers_go_on(
    studio: OpenStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "MAX_HELD_BYTES", 300_000)
    filler = "x" * 40_000
    for step in range(20):
        more: JsonObject = {"params": {"p.yaml": {f"key {step}": filler}}, "machine": {f"key {step}": filler}}
        more |= {"env": {f"key {step}": filler}, "unknown": {f"key {step}": filler}}
        metrics = {"m.json": {"data": {"loss": 1 / (step + 1), "text": filler, f"key {step}": filler}}}
        await studio.client.post(body(name="big", step=step, metrics=metrics, **more))
    (shown,) = (await studio.client.get("/api/experiments?name=big"))["experiments"]

    assert len(msgspec.json.encode(shown)) < 300_000 + 8 * len(filler)
    assert (shown["step"], shown["metrics"]["m.json"]["loss"]) == (19, 1 / 20)
    assert [warning["cls"] for warning in shown["warnings"]] == ["livestream.TooMuch"]


async def test_a_large_body_of_tiny_things_is_refused_where_it_would_keep_all_waiting(studio: OpenStudio) -> None:
    head = msgspec.json.encode(body(name="nested", step=1))[:-1]
    for count, status in ((1_000_000, 400), (99_000, 200)):
        for field in (b"params", b"metrics", b"machine"):
            inner = b'{"a":[' + b"[]," * count + b"[]]}"
            wrapped = {b"params": b'{"p":' + inner + b"}", b"metrics": b'{"m":{"data":' + inner + b"}}"}.get(
                field, inner
            )
            hostile = head + b',"' + field + b'":' + wrapped + b"}"
            lines = (key(studio), "Content-Type: application/json")
            answer = await raw(studio.url, request("POST", "/api/live", *lines, body=hostile), wait_s=30)
            assert status_of(answer) == status, (field, answer)
    await applied(studio)


async def test_times_beyond_the_end_of_time_break_no_delivery(studio: OpenStudio) -> None:
    for count in (1, 500):  # read row by row, and by the type of their columns
        for at, moment in enumerate((2**63 - 1, 2**63 // 1000, 2**63 // 1000 + 1, 2**64, -(2**63), 1e300, "9" * 30)):
            rows = [{"step": step, "timestamp": moment, "loss": 0.5} for step in range(count)]
            plots = {"dvclive/plots/metrics/loss.tsv": {"data": rows}}
            number = (await studio.client.post(body(name=f"{count} {at}", step=1, plots=plots)))["experiment"]
            (series,) = (await studio.client.get(f"/api/experiments/{number}/series"))["series"]
            chart = await studio.client.get(f"/api/experiments/{number}/series/{series['id']}?points=100")
            assert (series["count"], chart["total"]) == (count, count)
            status, exported = await studio.client("GET", f"/api/experiments/{number}/export")
            assert (status, exported.count("\r\n")) == (200, count + 1)


@pytest.mark.parametrize("deep", [b"[" * 60_000, b'{"a":' * 10_000, b'{"z":' + b"[" * 30_000 + b"]" * 30_000 + b"}"])
async def test_a_body_of_any_depth_is_the_senders_error(
    studio: OpenStudio, caplog: pytest.LogCaptureFixture, deep: bytes
) -> None:
    for route in WITH_BODIES:
        if route.body is None and not route.path.startswith("/api"):
            continue  # a form
        answer = await raw(
            studio.url, request(route.method, filled(route, PLACES), key(studio), kind_of(route), body=deep)
        )
        assert 400 <= status_of(answer) < 500, (route.path, answer)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
import pytest
from api_cases import PNG, SVG, image
from pages_cases import OWN_SCRIPT
from security_cases import (
    ENDLESS,
    IRIS,
    READING,
    Run,
    add_marked,
    everything,
    filled,
    headers_of,
    raw,
    request,
    sample,
    spoiled,
    status_of,
)
from studio_stage import SHA, OpenStudio, body

from livestream.events import Json, JsonObject
from livestream.studio.app import ROUTES
from livestream.studio.http.openapi import document
from livestream.studio.http.routes import Route

SQL: Final = (
    "'",
    "' OR '1'='1",
    "x'; DROP TABLE experiment; --",
    '"); DELETE FROM point; --',
    "1 UNION SELECT digest, digest FROM token --",
    "'||(SELECT hint FROM token)||'",
    "$.a[#-1]",
    "%' ESCAPE '\\",
    "\\",
    "0x7f",
    "?1",
    ":ids",
)
SCRIPTS: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'\"--></style></title></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>{0}{name.__class__}%s",
    "</script><script src=//evil.example></script>",
    "\u202egpj.exe\u2066<b>",
    "=cmd|' /C calc'!A0",
    "&lt;b&gt;&#60;i&#62;",
)
DOCUMENT: Final = json.loads(msgspec.json.encode(document(ROUTES)))
SCHEMAS: Final = DOCUMENT["components"]["schemas"]
ENDING: Final = {"/api/tokens/revoke-all", "/api/tokens/{id}", "/api/tokens/{id}/regenerate"}
"""They end the caller's own token when they are asked rightly; here nothing but their path is spoiled."""


@pytest.fixture
async def run(studio: OpenStudio) -> Run:
    return await add_marked(studio, "mine", IRIS, "a")


# -- SQL


def tables(data: Path) -> JsonObject:
    """Read the schema and the size of every table of both databases, past everything that is ours."""
    found: JsonObject = {}
    for name in ("studio.db", "auth.db"):
        with closing(sqlite3.connect(f"file:{data / name}?mode=ro", uri=True)) as connection:
            found[f"{name} schema"] = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            found[f"{name} whole"] = connection.execute("PRAGMA integrity_check").fetchall()
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                found[f"{name} {table}"] = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return found


def operations() -> Iterator[tuple[str, str, JsonObject]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if path != ENDLESS:
                yield path, method, operation


def queries(operation: JsonObject, text: str) -> Iterator[str]:
    """Give the query once for each parameter, the others as they should be."""
    asked = [one for one in operation["parameters"] if one["in"] == "query"]
    good = {one["name"]: sample(one["schema"], SCHEMAS) for one in asked if one["required"]}
    for name in [one["name"] for one in asked] + [text]:
        given = {key: value for key, value in good.items() if key != name} | {name: text}
        yield "?" + "&".join(f"{quote(key)}={quote(str(value))}" for key, value in given.items())


@pytest.mark.parametrize(
    ("path", "method", "operation"), [pytest.param(*one, id=f"{one[1]} {one[0]}") for one in operations()]
)
async def test_sql_in_any_parameter_is_a_text_like_any_other(
    studio: OpenStudio, run: Run, path: str, method: str, operation: JsonObject
) -> None:
    places = run.places(path)
    rightly = path.format(**places)
    asked: list[tuple[str, Json]] = []
    for text in SQL:
        asked += [
            (path.format(**(places | {name: quote(text, safe="")})), None) for name in places if f"{{{name}}}" in path
        ]
        if method == "get":
            asked += [(rightly + query, None) for query in queries(operation, text)]
        if "requestBody" in operation and path not in ENDING:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            asked += [(rightly, sent) for sent in spoiled(sample(schema, SCHEMAS), text)]
    data = studio.services.settings.data
    before, there = tables(data), await everything(studio.client)
    for where, sent in asked:
        more = {} if sent is None else {"json": sent}
        status, answer = await studio.client(method.upper(), where, allow_redirects=False, **more)
        assert status < 500, (where, sent, answer)
        assert "syntax error" not in str(answer)
        assert "sqlite" not in str(answer).lower()
    after = tables(data)
    assert [after[name] for name in after if name.endswith(("schema", "whole"))] == [
        before[name] for name in before if name.endswith(("schema", "whole"))
    ]
    assert all(after[name] >= before[name] for name in before if not name.endswith(("schema", "whole", "device")))
    if method == "get":
        assert (await everything(studio.client)) == there


async def test_sql_in_headers_is_a_text_like_any_other(studio: OpenStudio, run: Run) -> None:
    keeper = studio.services.keeper
    key = f"Authorization: {studio.client.headers['Authorization']}"
    before = tables(studio.services.settings.data)
    sent = json.dumps(body(step=1, name="new")).encode()
    for text in SQL:
        for line in (
            f"Authorization: token {text}",
            f"Authorization: Bearer {text}",
            f"Cookie: {keeper.cookie}={quote(text)}",
            f'Cookie: {keeper.cookie}="{text}"',
        ):
            answer = await raw(studio.url, request("GET", "/api/experiments", line))
            assert status_of(answer) == 401, (line, answer)
        for name in ("Livestream-Update", "Livestream-Backlog", "Livestream-Losses", "Livestream-Repair"):
            kind = "Content-Type: application/json"
            answer = await raw(studio.url, request("POST", "/api/live", key, kind, f"{name}: {text}", body=sent))
            assert status_of(answer) == 400, (name, text, answer)
        answer = await raw(studio.url, request("HEAD", ENDLESS, key, f"Last-Event-ID: {text}"))
        assert status_of(answer) == 200
    assert tables(studio.services.settings.data) == before
    assert (await studio.client.get(f"/api/experiments/{run.experiment}"))["name"] == "mine"


# -- names and messages


class Page(HTMLParser):
    """Refuses what no page of ours has, and collects the rest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"img", "iframe", "object", "embed", "base", "style", "b", "i"}, (tag, attrs)
        assert tag != "script" or OWN_SCRIPT.fullmatch(dict(attrs).get("src") or ""), attrs
        self.is_script = tag == "script"
        for name, value in attrs:
            assert not name.startswith("on"), (tag, attrs)
            assert name != "style", (tag, attrs)
            if name in {"href", "src", "action", "formaction"}:
                assert re.match(r"(\.|static/|tokens|sign-in|device-login|http://127\.0\.0\.1:)", value or ""), attrs

    def handle_endtag(self, tag: str) -> None:
        self.is_script = self.is_script and tag != "script"

    def handle_data(self, data: str) -> None:
        assert not self.is_script, data
        self.words.append(data)


def words_of(text: str) -> str:
    page = Page()
    page.feed(text)
    page.close()
    return " ".join(page.words)


async def fill_with(studio: OpenStudio, text: str) -> Run:
    """Put a hostile text wherever one can come from."""
    repo_url = f"https://github.com/octo/{text}"
    run = await add_marked(studio, text, repo_url)
    await studio.client.post(body("done", text, repo_url=repo_url, errors=[{"cls": text, "text": text}]))
    await studio.client.post(
        body("done", text, repo_url=repo_url, client=text), Livestream_Update=f"{quote(text, safe='')[:99]}/1/1/1/1"
    )
    keeper = studio.services.keeper
    keeper.create(text, ("read",), run.project)
    return run


def seeable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


@pytest.mark.parametrize("text", SCRIPTS)
async def test_a_hostile_text_is_shown_on_no_page_as_anything_but_text(studio: OpenStudio, text: str) -> None:
    text = seeable(text)
    run = await fill_with(studio, text)
    keeper = studio.services.keeper
    cookie = f"Cookie: {keeper.cookie}={keeper.sign_in(keeper.new_sign_in_code())}"
    pages = [filled(route, run.places(route.path)) for route in READING if not route.listed]
    odd = quote(text, safe="")
    pages += [f"/{odd}", f"/sign-in?next=/{odd}", f"/sign-in?code={odd}", f"/auth/device-login?code={odd}"]
    pages += [f"/api/experiments?{odd}", f"/api/experiments?sort={odd}", f"/static/{odd}", f"/projects/{odd}"]
    told = ""
    for path in pages:
        for who in ((cookie,), ()):
            answer = await raw(studio.url, request("GET", path, "Accept: text/html", *who))
            headers, content = headers_of(answer), answer.partition(b"\r\n\r\n")[2].decode()
            assert 200 <= status_of(answer) < 500, (path, answer)
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
            if headers.get("content-type", "").startswith("text/html"):
                told += words_of(content)
    assert text in told, "the page of tokens shows it as it came"


@pytest.mark.parametrize("text", SCRIPTS)
async def test_a_hostile_text_comes_back_as_it_came_and_never_as_a_document(studio: OpenStudio, text: str) -> None:
    text = seeable(text)
    run = await fill_with(studio, text)
    key = f"Authorization: {studio.client.headers['Authorization']}"
    for route in READING:
        if not route.listed or route.path == ENDLESS:
            continue
        for lines in ((key,), (key, "Accept: text/html")):
            answer = await raw(studio.url, request("GET", filled(route, run.places(route.path)), *lines))
            headers = headers_of(answer)
            assert 200 <= status_of(answer) < 500, answer
            assert headers["x-content-type-options"] == "nosniff"
            kind = headers["content-type"].partition(";")[0]
            assert kind in {"application/json", "text/csv", "application/x-ndjson", "image/png", "text/plain"}, (
                route.path
            )
    shown = await studio.client.get(f"/api/experiments/{run.experiment}")
    assert (shown["name"], shown["message"]) == (text, f"message {text}")
    assert shown["metrics"] == {f"{text}.json": {text: 0.5, "text": text}}
    assert shown["params"] == {f"{text}.yaml": {text: text}}
    assert {error["text"] for error in shown["errors"]} == {text}
    assert (await studio.client.get(f"/api/experiments/{run.experiment}/images"))["images"][0]["path"].count(text)
    path = f"dvclive/plots/custom/{text}.json"
    content = await studio.client.get(f"/api/experiments/{run.experiment}/plots/content", path=path)
    assert content["rows"] == [{"x": text}]
    _, exported = await studio.client("GET", f"/api/experiments/{run.experiment}/export")
    cells = next(iter(list(csv.reader(io.StringIO(exported)))[1:]))
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "-"))] == []


async def test_a_text_of_many_lines_is_one_event_of_a_stream(studio: OpenStudio) -> None:
    forged = 'x\n\nid: 1\nevent: reset\ndata: {"seq": 0}\n\n'
    url, headers = f"{studio.url}/api/feed", studio.client.headers
    async with studio.client.session.get(url, headers=headers) as feed, asyncio.timeout(20):
        streamed = await feed.content.readuntil(b"\n\n")
        metrics = {"m.json": {"data": {forged: forged, "end": "here"}}}
        await studio.client.post(body(step=1, metrics=metrics, params={"p.yaml": {forged: 1}}, message=forged))
        while b"here" not in streamed:
            streamed += await feed.content.readuntil(b"\n\n")
    assert b"event: reset" not in streamed.replace(b"\\nevent: reset", b"")
    assert {line.partition(b":")[0] for line in streamed.splitlines() if line} <= {b"id", b"event", b"data", b"retry"}


@pytest.mark.parametrize("sign", ["\x00", "\x1b[2J", "\x7f", "\r\n", "\x9b31m"])
async def test_names_that_would_steer_a_terminal_are_refused(studio: OpenStudio, sign: str) -> None:
    hostile = f"a{sign}b"
    for sent in (
        body("start", hostile),
        body("start") | {"repo_url": f"https://h/{hostile}"},
        body(step=1, metrics={hostile: {"data": {}}}),
        body(step=1, params={hostile: {}}),
        body(step=1, plots={hostile: {"data": []}}),
        body("start", subdir=hostile),
    ):
        status, answer = await studio.client("POST", "/api/live", json=sent)
        assert (status, "control characters" in answer["detail"]) == (400, True), (sent, answer)
        assert answer["detail"].isprintable()
    for path, sent in (
        ("/api/tokens", {"name": hostile, "scopes": ["read"]}),
        ("/api/projects", {"repo_url": IRIS, "name": hostile}),
        ("/api/device-login", {"client_name": hostile, "token_name": "t"}),
        ("/webhook/dvc", {"repo_url": f"https://h/{hostile}", "refs": {}}),
    ):
        status, answer = await studio.client("POST", path, json=sent)
        assert status == 400, (path, answer)


# -- files


PATHS: Final = (
    "../../../../outside",
    "/etc/outside",
    "..\\..\\outside",
    "%2e%2e%2foutside",
    "a/../../../outside",
    "....//....//outside",
    "~/outside",
    "file:///outside",
    "C:\\outside",
    "blobs/../studio.db",
    ".",
    "..",
    "//",
    "con",
    "a" * 999,
)
OURS: Final = re.compile(
    r"(studio|auth)\.db(-wal|-shm)?|studio\.(lock|json)|blobs(/unfinished|/[0-9a-f]{2}(/[0-9a-f]{64})?)?|ingest(/refused)?|repositories"
)


async def test_a_path_on_the_wire_names_no_file(studio: OpenStudio, tmp_path: Path) -> None:
    png = base64.b64encode(PNG).decode()
    sent: list[Json] = []
    for path in PATHS:
        plots = {path: {"data": [{"step": 1, "timestamp": 1, "v": 1.0}]}, f"{path}.png": {"image": png}}
        plots |= {f"dvclive/plots/custom/{path}": {"data": [{"x": 1}]}}
        sent += [
            body(step=1, name=path, plots=plots, metrics={path: {"data": {"a": 1}}}, params={path: {"b": 1}}),
            body("start", path, subdir=path, repo_url=f"local://{path}/{path}"),
            body("start", path, subdir=path, repo_url=path),
        ]
    large = {"dvclive/plots/images/../../outside.png": {"image": base64.b64encode(PNG + bytes(400_000)).decode()}}
    sent.append(body(step=1, name="large", plots=large))
    for one in sent:
        status, answer = await studio.client("POST", "/api/live", json=one)
        assert status in {200, 400}, answer
    for path in PATHS:
        told = {"repo_url": path, "refs": {"pushed": [f"refs/exps/{SHA[:2]}/{SHA[2:]}/{path}"]}}
        assert (await studio.client("POST", "/webhook/dvc", json=told))[0] in {200, 400}
        made = {"repo_url": path, "subdir": path, "name": path}
        assert (await studio.client("POST", "/api/projects", json=made))[0] in {200, 400, 409}
    for shown in (await studio.client.get("/api/experiments", limit="500"))["experiments"]:
        for picture in (await studio.client.get(f"/api/experiments/{shown['id']}/images"))["images"]:
            answer = await raw(
                studio.url,
                request(
                    "GET", f"/api/images/{picture['id']}", f"Authorization: {studio.client.headers['Authorization']}"
                ),
            )
            assert PNG in answer
    data = studio.services.settings.data
    names = {
        path.relative_to(data).as_posix() for path in data.rglob("*") if not path.name.endswith((".part", ".body"))
    }
    assert {name for name in names if not OURS.fullmatch(name)} == set()
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("route", [route for route in READING if "{" in route.path], ids=lambda route: route.path)
async def test_a_path_in_an_address_reaches_no_file(studio: OpenStudio, run: Run, route: Route) -> None:
    key = f"Authorization: {studio.client.headers['Authorization']}"
    for path in (
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/auth.db",
        "..%5cauth.db",
        "%00",
        "/etc/passwd",
    ):
        for name in re.findall(r"\{(\w+)\}", route.path):
            places: JsonObject = run.places(route.path) | {name: path}
            where = route.path
            for place, value in places.items():
                where = where.replace(f"{{{place}}}", str(value))
            answer = await raw(studio.url, request("GET", where.replace("{name}", path), key))
            assert status_of(answer) in {400, 404}, (where, answer)
            assert b"root:" not in answer
            assert b"SQLite format" not in answer


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG + b"<script>alert(1)</script>", "image/png"),
        (b"GIF89a/*<script>alert(1)</script>*/", "image/gif"),
        (b"\xff\xd8\xff<svg onload=alert(1)>", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBP<html>", "image/webp"),
        (SVG, None),
        (b"<!doctype html><script>alert(1)</script>", None),
        (b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"%PDF-1.7 javascript", None),
        (b"<?xml version='1.0'?><?xml-stylesheet href='x.xsl'?>", None),
        (b"BM\x00\x00", None),
        (b"\x00\x00\x00\x0cftypavif", None),
        (b"", None),
    ],
)
async def test_an_upload_runs_nothing(studio: OpenStudio, content: bytes, kind: str | None) -> None:
    number = (await studio.client.post(body(step=1, plots=image(content, "images/a.svg"))))["experiment"]
    (told,) = (await studio.client.get(f"/api/experiments/{number}/images"))["images"]
    key = f"Authorization: {studio.client.headers['Authorization']}"
    for lines in ((), ("Accept: text/html",), ("Range: bytes=0-100",), ("Accept-Encoding: gzip, br",)):
        answer = await raw(studio.url, request("GET", f"/api/images/{told['id']}", key, *lines))
        headers = headers_of(answer)
        if status_of(answer) != 416:
            assert headers["content-type"] == (kind or "application/octet-stream")
            assert headers["content-disposition"] == (
                f'attachment; filename="image-{told["id"]}.bin"' if not kind else "inline"
            )
            assert answer.partition(b"\r\n\r\n")[2] == content[: 101 if "Range" in str(lines) else None]
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"

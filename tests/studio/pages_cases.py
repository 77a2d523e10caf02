"""A Studio's own pages over real sockets, with routes of the test's beside them, and a browser of sorts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from auth_cases import Clock

from livestream.events import Json
from livestream.files import private_folder
from livestream.studio.alerts.desk import Desk
from livestream.studio.alerts.parts import Parts
from livestream.studio.auth.keeper import Keeper
from livestream.studio.broker import Broker
from livestream.studio.counters import Counters
from livestream.studio.git_tree.tree import GitTree
from livestream.studio.http import device, pages, tokens
from livestream.studio.http.context import SERVICES, Services
from livestream.studio.http.routes import Route
from livestream.studio.http.security import bind
from livestream.studio.ingest.ingest import Ingest
from livestream.studio.settings import StudioSettings
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.readers import Readers
from livestream.studio.store.sqlite.reader import SqliteReader
from livestream.studio.store.sqlite.writer import open_writer

ROUTES: Final = (*device.ROUTES, *tokens.ROUTES, *pages.ROUTES)
PAGE: Final = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN_SCRIPT: Final = re.compile(r"(\./|(\.\./)+)static/[0-9a-f]{16}/[\w/.-]+\.js")


class Answer(msgspec.Struct, frozen=True):
    """What came: ``text`` is the body, ``headers`` without duplicates."""

    status: int
    headers: dict[str, str]
    text: str
    url: str

    @property
    def json(self) -> Json:
        return msgspec.json.decode(self.text)

    @property
    def detail(self) -> str:
        detail: str = self.json["detail"]
        return detail


class Browser:
    """Sends what a person's browser sends: cookies, Accept, and on forms an Origin; follows redirects if asked."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.origin = url

    async def ask(
        self, method: str, path: str, *, follow: Json = False, data: Json = None, json: Json = None, **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, urljoin(self.url + "/", path), data=data, json=json, headers=named, allow_redirects=follow
        ) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, lower, await answer.text(), str(answer.url))

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **PAGE | headers)

    async def follow(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, follow=True, **PAGE | headers)

    async def post(self, path: str, fields: dict[str, Json] | None = None, **headers: str) -> Answer:
        """Send a form, as from a page of ours."""
        return await self.ask("POST", path, data=fields or {"": ""}, **PAGE | {"Origin": self.origin} | headers)


class Stage:
    """A Studio that serves."""

    def __init__(self, services: Services, clock: Clock, url: str) -> None:
        self.services = services
        self.keeper: Keeper = services.keeper
        self.clock = clock
        self.url = url

    def code(self) -> str:
        return self.keeper.new_sign_in_code()

    def token(self, *scopes: str, name: str = "tests", project: int | None = None) -> str:
        return self.keeper.create(name, scopes, project)[1]

    @asynccontextmanager
    async def browser(self, *, signed_in: bool = False) -> AsyncIterator[Browser]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            browser = Browser(session, self.url)
            if signed_in:
                answer = await browser.get(f"sign-in?code={self.code()}")
                assert answer.status == 303, answer
            yield browser


@asynccontextmanager
async def serve(data: Path, routes: Sequence[Route] = (), **settings: Json) -> AsyncIterator[Stage]:
    """Serve on a free port of this machine; ``settings`` are fields of `StudioSettings`."""
    private_folder(data)
    clock, counters, broker = Clock(), Counters(), Broker()
    wanted = StudioSettings(**{"data": data, "port": 0, **settings})
    blobs = Blobs(data)
    writer = open_writer(data, blobs)
    ingest = Ingest(writer, data, wanted.limits, broker.publish, counters, clock)
    await ingest.start()
    readers = Readers(lambda: SqliteReader(data))
    services = Services(
        settings=wanted,
        readers=readers,
        blobs=blobs,
        ingest=ingest,
        broker=broker,
        keeper=Keeper(data, clock),
        tree=GitTree(data),
        counters=counters,
        alerts=Desk(data, Parts(broker, readers, counters, wanted.bounds, ingest.applying, "http://studio", clock)),
        clock_us=clock,
    )
    app = web.Application()
    app[SERVICES] = services
    bind(app, (*ROUTES, *routes))
    server = TestServer(app)
    await server.start_server()
    try:
        yield Stage(services, clock, str(server.make_url("")).rstrip("/"))
    finally:
        await server.close()
        await ingest.stop()
        await services.readers.close()
        services.keeper.close()
        writer.close()


def field_of(page: str, name: str) -> str:
    """Give the value of a form's field."""
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found is not None, page
    return unescape(found[1])


def secret_in(page: str) -> str:
    """Give the token that a page shows once."""
    found = re.search(r"<code>(lst_[\w-]{43})</code>", page)
    assert found is not None, page
    return found[1]


class Strict(HTMLParser):
    """Refuses what the content policy would block, and tags that do not match."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"style", "iframe", "object"}
        assert tag != "script" or OWN_SCRIPT.fullmatch(dict(attrs).get("src") or ""), attrs
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]
        assert not [value for name, value in attrs if name in {"href", "src", "action"} and ":" in (value or "")[:12]]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Pass SVG's own closed tags."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(page: str) -> None:
    """Refuse a page that holds what `Strict` does."""
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []

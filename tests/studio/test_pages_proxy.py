from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from pages_cases import Browser, field_of, secret_in, serve

PREFIX = "/team/studio"
_HOP_BY_HOP = {"host", "content-length", "transfer-encoding", "connection"}


class Proxy:
    """Takes ``PREFIX`` off and passes on, as nginx's ``proxy_pass http://127.0.0.1:8585/`` does."""

    def __init__(self) -> None:
        self.target = ""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        assert request.path.startswith(f"{PREFIX}/"), request.path
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["X-Forwarded-For"] = request.remote or ""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session,
            session.request(
                request.method,
                self.target + request.raw_path.removeprefix(PREFIX),
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


@asynccontextmanager
async def proxied() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    server = TestServer(app)
    await server.start_server()
    proxy.url = str(server.make_url(PREFIX))
    try:
        yield proxy
    finally:
        await server.close()


async def test_everything_works_under_a_prefix_that_a_proxy_takes_off(tmp_path: Path) -> None:
    async with proxied() as proxy, serve(tmp_path / "data", public_url=proxy.url) as stage:
        proxy.target = stage.url
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            browser = Browser(session, proxy.url)
            browser.origin = proxy.url.removesuffix(PREFIX)
            codes = (await browser.ask("POST", "api/device-login", json={"client_name": "dvc"})).json
            assert codes["verification_uri"] == f"{proxy.url}/auth/device-login"

            form = await browser.follow(f"{codes['verification_uri']}?code={codes['user_code']}")
            assert form.url.startswith(f"{proxy.url}/sign-in")
            for address in re.findall(r'(?:href|src)="([^"]*static/[^"]*)"', form.text):
                assert (await browser.ask("GET", urljoin(form.url, address))).status == 200, address
            fields = {"secret": stage.token("admin"), "next": field_of(form.text, "next")}
            signed_in = await browser.post(urljoin(form.url, "sign-in"), fields)
            assert f"path={PREFIX}" in signed_in.headers["set-cookie"].lower()
            asked = await browser.get(urljoin(form.url, signed_in.headers["location"]))
            assert codes["user_code"] in asked.text
            decided = await browser.post("auth/device-login", {"code": codes["user_code"], "decision": "approve"})
            assert "Approved" in decided.text
            polled = await browser.ask(
                "POST", codes["token_uri"], json={"code": codes["device_code"]}, Origin=browser.origin
            )
            assert polled.status == 200

            made = await browser.post("tokens", {"name": "ci", "scope": "ingest"})
            assert stage.keeper.check(secret_in(made.text))
            assert f"DVC_STUDIO_URL={proxy.url}" in made.text
            out = await browser.post("sign-out")
            assert urljoin(f"{proxy.url}/sign-out", out.headers["location"]) == f"{proxy.url}/sign-in"
            assert (await browser.get("tokens")).status == 303

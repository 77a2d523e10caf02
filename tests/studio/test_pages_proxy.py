from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from pages_cases import Browser, field_of, secret_in, serve
from proxy_stage import proxied

PREFIX = "/team/studio"


async def test_everything_works_under_a_prefix_that_a_proxy_takes_off(tmp_path: Path) -> None:
    async with proxied(PREFIX) as proxy, serve(tmp_path / "data", public_url=proxy.url) as stage:
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
            assert all(path.startswith(f"{PREFIX}/") for path in proxy.asked), proxy.asked

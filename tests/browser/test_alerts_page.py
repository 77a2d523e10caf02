"""Alerts on the settings page: made, tried, switched off and deleted by hand."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestServer
from browser_stage import Tab
from playwright.async_api import expect
from studio_stage import body, eventually

from livestream.events import Json

HOSTILE = "<img src=x onerror=alert(1)>\u202e<!channel>"


async def test_an_alert_is_made_tried_switched_off_and_deleted(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    came: list[Json] = []

    async def hook(request: web.Request) -> web.Response:
        came.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/secret-path", hook)
    async with TestServer(app) as server:
        await tab.open("settings")
        await page.get_by_role("button", name="New alert").click()
        await page.get_by_label("Tell").fill("ftp://nowhere")
        await page.get_by_role("button", name="Make alert").click()
        await page.get_by_text("expected https://host/path").wait_for()
        tab.troubles = [trouble for trouble in tab.troubles if "400" not in trouble]
        await page.get_by_label("Tell").fill(str(server.make_url("/secret-path")))
        await page.get_by_label("Stalled").check()
        await page.get_by_role("button", name="Make alert").click()
        await page.get_by_text(f"Tell 127.0.0.1:{server.port} (Slack) when a run fails, is lost or stalls").wait_for()
        assert "secret-path" not in await page.content()

        await page.get_by_role("button", name="Send test").click()
        await page.get_by_text("Sent; it answered 200").first.wait_for()  # in the list, and in the corner
        await client.post(body("start", HOSTILE))
        await client.post(body("done", HOSTILE, errors=[{"cls": "E", "text": "broke"}]))
        await eventually(lambda: len(came) == 2)
        assert "&lt;!channel&gt;" in came[1]["text"]
        assert "\u202e" not in came[1]["text"]

        await page.get_by_role("switch").set_checked(False, force=True)
        await expect(page.get_by_role("switch", name="Off")).not_to_be_checked()
        while (await client.get("/api/alerts"))["alerts"][0]["enabled"]:  # the switch moves before the answer comes
            await page.wait_for_timeout(50)
        await page.get_by_role("button", name="Delete the alert").click()
        await page.get_by_role("button", name="Delete alert", exact=True).click()
        await page.get_by_text("None yet. A chat or a program").wait_for()

"""What a browser that has nothing yet loads: little, and all of it from the Studio."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from browser_stage import new_tab
from playwright.async_api import BrowserContext, Request, expect
from studio_stage import OpenStudio, body, scalars

from livestream.studio.auth.keeper import sign_in_link

BOUND_BYTES: Final = 200_000
"""Issue 4: the table page and the plots page, each, before Vega; the answers of the API are not the page's."""


async def test_table_and_plots_are_light_and_all_from_here(context: BrowserContext, studio: OpenStudio) -> None:
    await studio.client.post(body(name="one", step=49, plots=scalars([(step, 1 / (step + 1)) for step in range(50)])))
    tab = await new_tab(context, studio, signed_in=False)
    finished: list[Request] = []

    def note(request: Request) -> None:  # Playwright takes no method of a list
        finished.append(request)

    tab.page.on("requestfinished", note)

    await tab.page.goto(sign_in_link(studio.url, studio.services.keeper.new_sign_in_code()))
    await expect(tab.page.locator(".line.experiment")).to_have_count(1)
    await expect(tab.page.locator(".plot-card canvas")).to_have_count(1)

    addresses = [urlsplit(request.url) for request in finished]
    assert {address.netloc for address in addresses} == {urlsplit(studio.url).netloc}
    assert not any("vega" in address.path for address in addresses)
    page = [request for request in finished if "/api/" not in request.url]
    sizes = {request.url: (await request.sizes())["responseBodySize"] for request in page}
    assert any(url.endswith("vendor/uplot.js") for url in sizes)
    assert 50_000 < sum(sizes.values()) < BOUND_BYTES
    assert not tab.troubles

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from pages_cases import Browser, Stage, check, serve

from livestream._version import __version__

PAGES = ["", "experiments/12", "compare?id=1&id=2", "projects", "settings", "?project=1&q=%3Cb%3E"]


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser(signed_in=True) as signed_in:
        yield signed_in


def linked(page: str) -> list[str]:
    """Give the addresses of all that a page loads."""
    return re.findall(r'<(?:link|script)[^>]*? (?:href|src)="([^"]+)"', page)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_of_the_application_is_the_same_document(admin: Browser, path: str) -> None:
    page = await admin.get(path)
    assert page.status == 200
    assert page.headers["cache-control"] == "no-store"
    check(page.text)
    assert '<main id="app" class="app"><div class="outline"' in page.text
    assert '<div id="tools"></div>' in page.text
    assert "<noscript>" in page.text
    assert 'data-scopes="ingest read admin"' in page.text
    assert f'data-version="{__version__}"' in page.text
    assert f'data-url="{admin.url}"' in page.text


async def test_all_that_a_page_names_is_there_for_good_and_no_module_is_named_twice(admin: Browser) -> None:
    page = await admin.get("experiments/12")
    found = linked(page.text)
    assert len(found) == len(set(found)) + 1, "only the main module, once as a preload"
    for address in found:
        answer = await admin.ask("GET", urljoin(page.url, address))
        assert (answer.status, "immutable" in answer.headers["cache-control"]) == (200, True), address
    names = [re.sub(r"^[./]+static/\w+/", "", address) for address in found]
    assert names[0] == "theme.js", "before anything is painted"
    assert names[-1] == "app/main.js"
    assert {"vendor/preact.js", "vendor/signals-core.js", "app/lib.js"} <= set(names)
    assert not [name for name in names if "vega" in name]


async def test_the_bar_leads_to_the_pages_that_the_viewer_may_open(stage: Stage, admin: Browser) -> None:
    async def entries(browser: Browser, path: str) -> list[tuple[str, str]]:
        bar = (await browser.get(path)).text.partition("<nav")[2].partition("</nav>")[0]
        return [
            (name, "current" if current else "")
            for current, name in re.findall(r"<a [^>]*?( aria-c[^>]*)?>(\w+)<", bar)
        ]

    for path in ("", "experiments/1", "compare"):
        assert await entries(admin, path) == [
            ("Experiments", "current"),
            ("Projects", ""),
            ("Tokens", ""),
            ("Settings", ""),
        ]
    assert (await entries(admin, "tokens"))[2] == ("Tokens", "current")
    assert (await entries(admin, "settings"))[3] == ("Settings", "current")
    async with stage.browser() as reader:
        await reader.post("sign-in", {"secret": stage.token("read")})
        assert [name for name, _ in await entries(reader, "")] == ["Experiments", "Projects", "Settings"]
        page = (await reader.get("")).text
    assert 'data-scopes="read"' in page
    assert 'data-name="tests"' in page


async def test_a_hostile_name_is_data(stage: Stage) -> None:
    async with stage.browser() as browser:
        name = "\"><script>alert('1')</script>{x}"
        await browser.post("sign-in", {"secret": stage.token("read", name=name)})
        page = await browser.get("")
    check(page.text)
    assert 'data-name="&quot;&gt;&lt;script&gt;' in page.text


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_session_every_page_leads_to_the_form(stage: Stage, path: str) -> None:
    async with stage.browser() as browser:
        assert (await browser.get(path)).status == 303
        await browser.post("sign-in", {"secret": stage.token("ingest")})
        assert (await browser.get(path)).status == 303


async def test_the_public_address_is_the_one_that_is_told(tmp_path: Path) -> None:
    async with (
        serve(tmp_path / "data", public_url="https://a.example/here/") as stage,
        stage.browser() as browser,
    ):
        page = await browser.ask("GET", "", Authorization=f"token {stage.token('read')}")
    assert 'data-url="https://a.example/here"' in page.text

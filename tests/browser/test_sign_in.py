"""Coming in and going out, by a link and by the form; the page of tokens; and deleting as somebody else sees it."""

from __future__ import annotations

import re

from acceptance_stage import emit, forgive, names
from browser_stage import Tab, new_tab
from playwright.async_api import Browser, BrowserContext, expect
from studio_stage import OpenStudio, token_for

from livestream.studio.auth.keeper import sign_in_link


async def test_a_link_signs_in_once_and_the_form_leads_to_where_one_wanted(
    context: BrowserContext, studio: OpenStudio
) -> None:
    await emit(studio.client, "one", 0.5)
    tab = await new_tab(context, studio, signed_in=False)
    page = tab.page
    link = sign_in_link(studio.url, studio.services.keeper.new_sign_in_code())
    await page.goto(link)
    await expect(names(page)).to_have_text(["one"])
    await expect(page).to_have_url(re.compile(r"/$"))  # the code is not left in the address
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in")
    await page.goto(link)
    await expect(page.get_by_role("status")).to_contain_text("links work once")

    await tab.open("?layout=table&rows=flat&q=one")
    await page.wait_for_url(re.compile(r"/sign-in\?next="))
    secret = page.get_by_label("Token or sign-in code")
    await secret.fill("lst_nonsense")
    await secret.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("no token that may read")
    await secret.fill(token_for(studio.studio.services.settings.data, "me", "read"))
    await secret.press("Enter")
    await expect(names(page)).to_have_text(["one"])
    await expect(page.get_by_role("combobox")).to_have_value("one")
    await expect(page.locator(".bar")).not_to_contain_text("Tokens")  # which needs the scope admin
    forgive(tab, "401")
    assert not tab.troubles


async def test_a_token_is_made_used_and_revoked(tab: Tab) -> None:
    page, studio = tab.page, tab.studio
    await page.get_by_role("link", name="Tokens").click()
    await expect(page.get_by_role("heading", name="Tokens")).to_be_visible()
    await page.get_by_label("Name").fill("cluster-a")
    await page.get_by_role("checkbox", name=re.compile("^read")).check()
    await page.get_by_role("button", name="Make token").click()
    secret = await page.locator(".secret code").inner_text()
    await expect(page.get_by_text(f"export DVC_STUDIO_TOKEN={secret}")).to_be_visible()
    client = studio.with_token(secret)
    await emit(client, "by-the-token", 0.5)
    assert (await client.get("/api/experiments"))["total"] == 1

    await tab.open("tokens")
    assert secret not in await page.content()
    row = page.locator("tr", has_text="cluster-a")
    await row.get_by_text("Delete", exact=True).click()
    await row.get_by_role("button", name="Delete cluster-a").click()
    await expect(page.get_by_role("status")).to_contain_text("Its next request gets 401")
    await expect(row).to_have_count(0)
    assert (await client("GET", "/api/experiments"))[0] == 401
    status, _ = await client("POST", "/api/live", json={})
    assert status == 401


async def test_a_page_whose_sign_in_ends_asks_for_one_and_comes_back(tab: Tab) -> None:
    page, studio = tab.page, tab.studio
    await emit(studio.client, "one", 0.5)
    await tab.open("?layout=table&rows=flat&q=on")
    await expect(names(page)).to_have_text(["one"])
    await expect(page.locator(".connection.live")).to_have_count(1)
    studio.services.keeper.revoke_all()
    await page.wait_for_url(re.compile(r"/sign-in\?next="))
    await page.goto(sign_in_link(studio.url, studio.services.keeper.new_sign_in_code()))
    await expect(names(page)).to_have_text(["one"])
    forgive(tab, "401")


async def test_what_one_deletes_leaves_for_all_and_undo_brings_it_back(tab: Tab, browser: Browser) -> None:
    page, client = tab.page, tab.studio.client
    for name in ("one", "two", "three"):
        await emit(client, name, 0.5, done=True)
    elsewhere = await browser.new_context()
    try:
        other = await new_tab(elsewhere, tab.studio)
        for one in (tab, other):
            await one.open("?layout=table&rows=flat")
            await expect(names(one.page)).to_have_count(3)
        for name in ("one", "three"):
            await page.get_by_role("checkbox", name=f"Select {name}").click()
        await page.get_by_role("button", name="2 selected").click()
        await page.locator(".panel").get_by_role("button", name="Delete").click()
        for each in (page, other.page):
            await expect(names(each)).to_have_text(["two"])
        await page.get_by_role("button", name="Undo").click()
        for each in (page, other.page):
            await expect(names(each)).to_have_text(["three", "two", "one"])
        assert not other.troubles
    finally:
        await elsewhere.close()

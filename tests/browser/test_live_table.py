"""The table of a real Studio while runs go on: what flashes, what stays, and what the address keeps."""

from __future__ import annotations

import re
from typing import Final

from acceptance_stage import FLASH, cell, column_of, corner, emit, names, near
from browser_stage import WIDE, Tab, new_tab
from media_stage import until
from playwright.async_api import Browser, expect
from studio_stage import eventually

ACC: Final = "metrics[dvclive/metrics.json].eval.acc"

_HOLD_FLASHES: Final = """() => new MutationObserver(() => {
    for (const flash of document.querySelectorAll(".flash")) {
        for (const one of flash.getAnimations()) {
            one.pause();
            one.effect.updateTiming({ delay: 0 });
            one.currentTime = 0;
        }
    }
}).observe(document.querySelector(".data-grid"), { subtree: true, childList: true })"""
"""A slow machine would look when the colour has faded: each flash stands still at its start."""

_SIGHT: Final = """() => {
    const grid = document.querySelector(".data-grid");
    const { left, top } = grid.getBoundingClientRect();
    const line = document.elementFromPoint(left + 60, top + grid.clientHeight / 2 + 20).closest(".line");
    const canvas = document.querySelector(".plot-card canvas");
    return {
        line: line.querySelector("a").textContent,
        y: line.getBoundingClientRect().top,
        marked: document.querySelectorAll(".body .line.selected").length,
        plots: document.querySelector(".plots-main, .plots-body").scrollTop,
        cursor: document.querySelector(".here")?.closest(".line")?.querySelector("a").textContent,
        drawn: canvas.toDataURL(),
    };
}"""
"""What a person has before the eyes and must not lose."""

_VIEW: Final = """() => ({
    names: [...document.querySelectorAll(".body .line.experiment")]
        .sort((one, other) => one.dataset.index - other.dataset.index)
        .map((line) => line.querySelector("a").textContent),
    sorted: [...document.querySelectorAll("[aria-sort]")]
        .map((head) => [head.textContent, head.ariaSort]).filter(([, way]) => way !== "none"),
    query: document.querySelector("[role=combobox]").value,
    chosen: [...document.querySelectorAll(".body .line.selected a")].map((name) => name.textContent).sort(),
    pressed: [...document.querySelectorAll(".segments [aria-pressed=true]")].map((one) => one.title),
    zoomed: [...document.querySelectorAll(".plot-card")]
        .filter((card) => card.querySelector("[title^='Show all of it']")).map((card) => card.ariaLabel),
})"""


async def test_a_changed_cell_is_orange_and_fades(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    await emit(client, "quiet", 0.5, done=True)
    await emit(client, "lively", 0.25)
    await tab.open("?layout=table&rows=flat")
    await expect(names(page)).to_have_text(["lively", "quiet"])
    column = await column_of(page, ACC)
    lively, quiet = cell(page, "lively", column), cell(page, "quiet", column)
    before = await corner(lively)
    assert not near(before, FLASH, 12)
    await page.evaluate(_HOLD_FLASHES)

    await emit(client, "lively", 0.75, step=2)
    await expect(lively).to_contain_text("0.75")
    await expect(lively.locator(".flash")).to_have_count(1)
    assert near(await corner(lively), FLASH)
    assert not near(await corner(quiet), FLASH, 12)
    params = cell(page, "lively", await column_of(page, "params[params.yaml].optimizer.lr"))
    assert not near(await corner(params), FLASH, 12)

    assert (
        await lively.locator(".flash").evaluate("(one) => one.getAnimations()[0].effect.getTiming().duration") == 1500
    )
    await lively.locator(".flash").evaluate("(one) => one.getAnimations()[0].finish()")
    await page.mouse.move(5, 5)
    assert near(await corner(lively), before)


async def test_new_runs_join_and_nothing_moves(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    for number in range(40):
        await emit(client, f"run-{number:02}", number / 40, done=True)
    for step in range(2, 30):
        await emit(client, "run-05", 0.1 + step / 100, step)
    await tab.open("?rows=flat&select=6,10&zoom=eval%2Facc:5~15")
    await expect(names(page).first).to_be_visible()
    await page.keyboard.press("j")
    await page.evaluate("document.querySelector('.data-grid').scrollTop = 900")
    await until(tab, "() => [...document.querySelectorAll('.plot-card canvas')].length > 0")
    await expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    await until(
        tab, f"() => document.querySelector('.plot-card .plot-said') === null && ({_SIGHT})().line !== undefined"
    )
    before, address = await page.evaluate(_SIGHT), page.url

    for number in range(3):
        await emit(client, f"new-{number}", 0.5)
    rows = page.locator(".data-grid")
    await until(tab, "() => document.querySelector('.data-grid').ariaRowCount >= 43 + 1")
    after = await page.evaluate(_SIGHT)
    assert after == before
    assert page.url == address
    await rows.evaluate("(grid) => (grid.scrollTop = 0)")
    await expect(names(page).first).to_have_text("new-2")


async def test_a_hidden_tab_closes_its_stream_and_catches_up(tab: Tab) -> None:
    page, studio = tab.page, tab.studio
    await page.clock.install()
    await emit(studio.client, "lively", 0.25)
    await tab.open("?layout=table&rows=flat")
    lively = cell(page, "lively", await column_of(page, ACC))
    await expect(lively).to_contain_text("0.25")
    await expect(page.locator(".connection.live")).to_have_count(1)

    await look_away(tab, is_away=True)
    await page.clock.fast_forward(11_000)
    await eventually(lambda: studio.services.counters.viewers == 0)
    await emit(studio.client, "lively", 0.5, step=2)
    await emit(studio.client, "meanwhile", 0.75)
    await expect(names(page)).to_have_text(["lively"])

    await look_away(tab, is_away=False)
    await expect(names(page)).to_have_text(["meanwhile", "lively"])
    await expect(lively).to_contain_text("0.5")
    assert studio.services.counters.viewers == 1


async def look_away(tab: Tab, *, is_away: bool) -> None:
    await tab.page.evaluate(
        """(isAway) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => isAway });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_away,
    )


async def test_keys_walk_open_explain_and_come_back(tab: Tab) -> None:
    page = tab.page
    for number, name in enumerate(("one", "two", "three")):
        await emit(tab.studio.client, name, number / 4, done=True)
    await tab.open("?layout=table&rows=flat")
    await expect(names(page)).to_have_text(["three", "two", "one"])
    at = page.locator(".body .line.at .cell.name .text")
    for key, name in (("j", "three"), ("j", "two"), ("j", "one"), ("j", "one"), ("k", "two")):
        await page.keyboard.press(key)
        await expect(at).to_have_text(name)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Compare the selected ones")
    await page.keyboard.press("j")  # belongs to the dialog, not to the table behind it
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(at).to_have_text("two")

    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/experiments/2$"))
    await expect(page.get_by_role("heading", name="two")).to_be_visible()
    await page.go_back()
    await expect(names(page)).to_have_text(["three", "two", "one"])
    await page.keyboard.press("/")
    await page.keyboard.type("jk?")  # typed, not walked
    await expect(page.get_by_role("combobox")).to_have_value("jk?")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_address_is_the_view_after_a_reload_and_elsewhere(tab: Tab, browser: Browser) -> None:
    page, client = tab.page, tab.studio.client
    for number, name in enumerate(("one", "two", "three", "four")):
        for step in range(1, 12):
            await emit(client, name, (number * 7 % 4) / 4 + step / 100, step)
    await tab.open("?rows=flat")
    await expect(names(page)).to_have_count(4)
    label = page.locator(f".head-label[title={ACC!r}]")
    await label.click()
    await label.click()
    await page.get_by_role("combobox", name="Search and filter experiments").fill("metrics.eval.acc<0.8")
    await expect(names(page)).to_have_count(3)
    for name in ("one", "three"):
        await page.get_by_role("checkbox", name=f"Select {name}").click()
    chart = page.locator(".plot-card[aria-label='eval/acc'] .plot-canvas")
    await until(tab, "() => document.querySelector('.plot-card .u-over') !== null")
    await chart.focus()
    await page.keyboard.press("+")
    await page.wait_for_url(re.compile(r"zoom=.*q=|q=.*zoom="))
    await expect(page.locator(".plot-card [title^='Show all of it']")).to_have_count(1)
    view = await page.evaluate(_VIEW)
    assert view["names"] == ["three", "four", "one"]
    assert view["sorted"][0][1] == "descending"
    assert (view["chosen"], view["zoomed"]) == (["one", "three"], ["eval/acc"])

    await page.reload()
    await until(tab, f"(view) => JSON.stringify(({_VIEW})()) === JSON.stringify(view)", view)
    width, height = WIDE
    elsewhere = await browser.new_context(viewport={"width": width, "height": height})
    try:
        other = await new_tab(elsewhere, tab.studio)
        await other.page.goto(page.url)
        await until(other, f"(view) => JSON.stringify(({_VIEW})()) === JSON.stringify(view)", view)
        assert not other.troubles
    finally:
        await elsewhere.close()

"""The toolbar above the table, with real clicks and keys: finding, choosing, deleting, saving, and empty tables."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from browser_stage import NARROW, Tab
from playwright.async_api import Locator, Page, expect
from studio_stage import SHA, OpenStudio, body

from livestream.events import JsonObject

METRICS = "dvclive/metrics.json"
HOSTILE = '<img src=x onerror="alert(1)">'


async def emit(
    studio: OpenStudio, name: str, acc: float, *, done: bool = True, sha: str = SHA, param: str = "lr"
) -> None:
    """Train something that is over at once, or goes on."""
    leaves: JsonObject = {"metrics": {METRICS: {"data": {"acc": acc}}}, "params": {"params.yaml": {param: param}}}
    await studio.client.post(body("start", name, baseline_sha=sha))
    await studio.client.post(body("data", name, 3, baseline_sha=sha, **leaves))
    if done:
        await studio.client.post(body("done", name, baseline_sha=sha))


async def three(tab: Tab, count: int = 3) -> Page:
    """Show three more experiments: calm-fox 0.7, bold-owl 0.9, and wild-elk 0.8, which is live; newest first."""
    for name, acc in (("calm-fox", 0.7), ("bold-owl", 0.9)):
        await emit(tab.studio, name, acc)
    await emit(tab.studio, "wild-elk", 0.8, done=False, sha="b" * 40)
    await tab.open("?layout=table&rows=flat")
    await expect(names(tab.page)).to_have_count(count)
    return tab.page


def names(page: Page) -> Locator:
    """Names in the table, from above, without the baseline's copy in the head."""
    return page.locator(".body .line.experiment .cell.name .text")


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search and filter experiments")


async def test_the_box_finds_offers_and_explains(tab: Tab) -> None:
    page = await three(tab)
    await page.keyboard.press("/")
    await page.keyboard.type("fox")
    await expect(names(page)).to_have_text(["calm-fox"])
    await expect(page.locator(".found")).to_have_text("1 of 3")

    await box(page).fill("")
    await page.keyboard.type("acc")
    await expect(page.get_by_role("option")).to_have_text(["metrics.acc"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(box(page)).to_have_value("metrics.acc")
    await page.keyboard.type(">0.75 status=")
    await expect(page.get_by_role("option").first).to_have_text("running")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(names(page)).to_have_text(["wild-elk"])

    await box(page).fill("acc<1 elk")
    await expect(page.locator(".query-problem")).to_contain_text("character 1 ('acc<1 elk'): expected a column")
    await expect(names(page)).to_have_text(["wild-elk"])
    await box(page).fill("nothing of the kind")
    await expect(page.get_by_text("None of them matches")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(names(page)).to_have_count(3)


async def test_the_menu_makes_filters_that_can_be_paused_and_saved(tab: Tab) -> None:
    await emit(tab.studio, "markup", 0.1, param=HOSTILE)
    page = await three(tab, 4)
    await page.get_by_role("button", name="Filter", exact=True).click()
    panel = page.get_by_role("group", name="Filter", exact=True)
    await panel.get_by_label("Value").fill("0.75")
    await panel.get_by_role("button", name="Add").click()
    await expect(names(page)).to_have_text(["wild-elk", "bold-owl"])
    chip = page.get_by_role("button", name="acc > 0.75", exact=True)
    await chip.click()
    await expect(names(page)).to_have_count(4)
    await chip.click()

    await page.get_by_role("button", name="Filter", exact=True).click()
    await panel.get_by_label("Running").check()
    await expect(names(page)).to_have_text(["wild-elk"])
    await page.keyboard.press("Escape")
    await page.locator(".views-menu > button").click()
    await page.get_by_label("Save this view").fill("Live and good")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")

    await page.get_by_role("button", name="Remove filter Running").click()
    await page.get_by_role("button", name="Remove filter acc > 0.75").click()
    await page.reload()
    await expect(names(page)).to_have_count(4)
    await page.locator(".views-menu > button").click()
    await page.get_by_role("button", name="Live and good", exact=True).click()
    await expect(names(page)).to_have_text(["wild-elk"])
    await page.reload()
    await expect(names(page)).to_have_text(["wild-elk"])

    await page.get_by_role("button", name="Clear all").click()
    await page.get_by_role("button", name="Filter", exact=True).click()
    await panel.get_by_label("Column").select_option(label=HOSTILE)
    await panel.get_by_label("Comparison").select_option("there")
    await panel.get_by_role("button", name="Add").click()
    await expect(names(page)).to_have_text(["markup"])
    await expect(page.get_by_text(f"{HOSTILE} is not missing")).to_be_visible()


async def test_keys_choose_compare_and_measure_against_a_baseline(tab: Tab) -> None:
    page = await three(tab)
    for key in ("j", "j", "x", "b", "j", "x"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    await page.keyboard.press("d")
    await expect(page.locator(".baseline-chip")).to_contain_text("bold-owl")
    await box(page).fill("delta.metrics.acc<-0.15")
    await expect(names(page)).to_have_text(["calm-fox"])
    await box(page).fill("")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="1 live").click()
    await expect(names(page)).to_have_text(["wild-elk"])
    await page.get_by_role("button", name="Remove filter Only live").click()

    await page.keyboard.press("p")
    await page.wait_for_url(lambda url: "layout=" not in url)
    for _ in range(2):
        await page.keyboard.press("p")
    await page.wait_for_url("**/?*layout=table*")
    address = page.url
    await page.reload()
    await expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    assert page.url == address
    await page.keyboard.press("c")
    await page.wait_for_url(re.compile(r"compare\?id=2&id=1$"))


async def test_deleting_asks_nothing_and_is_undone(tab: Tab) -> None:
    page = await three(tab)
    await row_menu(page, "bold-owl")
    await page.locator(".panel").get_by_role("button", name="Delete").click()
    await expect(names(page)).to_have_text(["wild-elk", "calm-fox"])
    await page.get_by_role("button", name="Undo").click()
    await expect(names(page)).to_have_text(["wild-elk", "bold-owl", "calm-fox"])

    await row_menu(page, "calm-fox")
    await page.locator(".panel").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="More actions").click()
    await page.get_by_role("button", name="Deleted experiments", exact=True).click()
    await expect(names(page)).to_have_text(["calm-fox"])
    await row_menu(page, "calm-fox")
    await page.locator(".panel").get_by_role("button", name="Restore").click()
    await expect(page.get_by_text("No deleted experiments")).to_be_visible()
    await page.get_by_role("button", name="Back to all experiments").click()
    await expect(names(page)).to_have_count(3)

    await page.evaluate("document.body.dataset.scopes = 'read'")
    await row_menu(page, "calm-fox")
    await expect(page.locator(".panel").get_by_role("button", name="Copy name")).to_be_visible()
    await expect(page.locator(".panel").get_by_role("button", name="Delete")).to_have_count(0)


async def row_menu(page: Page, name: str) -> None:
    await page.get_by_role("button", name=f"Menu of {name}").dispatch_event("click")


async def test_what_is_shown_is_downloaded(tab: Tab, tmp_path: Path) -> None:
    page = await three(tab)
    await box(page).fill("status=completed")
    await expect(names(page)).to_have_count(2)
    await page.get_by_role("button", name="More actions").click()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download as CSV").click()
    await (await download.value).save_as(tmp_path / "table.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text(encoding="utf-8-sig"))))
    assert [(line["name"], line["status"], line[f"metrics[{METRICS}].acc"]) for line in lines] == [
        ("bold-owl", "completed", "0.9"),
        ("calm-fox", "completed", "0.7"),
    ]


async def test_an_empty_studio_says_what_to_run_and_waits(tab: Tab) -> None:
    await tab.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    await tab.open("?layout=table")
    await expect(tab.page.get_by_text(f"export DVC_STUDIO_URL={tab.studio.url}")).to_be_visible()
    await expect(tab.page.get_by_text("livestream demo", exact=True)).to_be_visible()
    await emit(tab.studio, "first", 0.5, done=False)
    await expect(names(tab.page)).to_have_text(["first"])
    await tab.page.locator(".project-switch > button").click()
    await expect(tab.page.locator(".project-switch .panel")).to_contain_text(re.compile("All projects.*1"))
    await tab.page.locator(".project-switch .menu-item").nth(1).click()
    await tab.page.wait_for_url("**/?*project=1*")
    await expect(names(tab.page)).to_have_text(["first"])
    assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

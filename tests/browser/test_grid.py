"""The grid of the project table, on a stage with made-up runs (grid_stage.js), without a Studio.

Figures that hang on the machine's load are bounded loosely here; the benchmark of the whole page has the sharp ones.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route

import livestream.studio

STATIC: Final = Path(livestream.studio.__file__).parent / "static"
STAGE: Final = Path(__file__).with_name("grid_stage.js")
ORIGIN: Final = "http://grid.test"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
)
SHEETS: Final = ("studio.css", "css/app.css", "css/table.css", "css/pages.css")
PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Grid</title>'
    + "".join(f'<link rel="stylesheet" href="/s/v/{sheet}">' for sheet in SHEETS)
    + '</head><body><main id="app"></main><script type="module" src="/s/v/grid_stage.js"></script></body></html>'
)
TYPES: Final = {".js": "text/javascript", ".css": "text/css"}

ROW_PX: Final = 32


class Grid:
    """The stage, and what is asked of it again and again."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        page.on("console", lambda line: self.troubles.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    async def open(self, query: str = "runs=200&metrics=24&params=12") -> None:
        await self.page.route(f"{ORIGIN}/**", _answer)
        await self.page.goto(f"{ORIGIN}/?{query}")
        await self.page.wait_for_selector(".line")

    async def get(self, expression: str) -> object:
        """Evaluate an expression with ``view``, ``rows``, ``stage`` and ``grid`` (the element that scrolls) in it."""
        return await self.page.evaluate(
            "() => { const { view: { value: view }, rows: { value: rows } } = stage;"
            f" const grid = document.querySelector('.data-grid'); return ({expression}); }}"
        )

    async def settle(self) -> None:
        """Wait until what was asked for is painted."""
        await self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    async def courses(self) -> None:
        """Wait until every course that is asked for is drawn: they come in several answers."""
        drawn, before = 0, -1
        while drawn != before or not drawn:
            await self.page.wait_for_timeout(400)
            before, drawn = drawn, await self.page.locator(".spark").count()

    async def change(self, **fields: object) -> None:
        await self.page.evaluate("(fields) => stage.change(fields)", fields)
        await self.settle()

    async def heads(self) -> list[str]:
        """Keys of the drawn columns, from the left."""
        found = await self.get(
            "[...document.querySelectorAll('.head-leaf')].sort((one, other) =>"
            " one.ariaColIndex - other.ariaColIndex).map((cell) => cell.querySelector('.head-label').title)"
        )
        assert isinstance(found, list)
        return found

    def head(self, title: str) -> str:
        return f".head-leaf:has(> .head-label[title={json.dumps(title)}])"

    async def drag(self, selector: str, to_x: float, *, steps: int = 6) -> None:
        box = await self.page.locator(selector).bounding_box()
        assert box is not None
        y = box["y"] + box["height"] - 8
        await self.page.mouse.move(box["x"] + box["width"] / 2, y)
        await self.page.mouse.down()
        await self.page.mouse.move(to_x, y, steps=steps)
        await self.page.mouse.up()
        await self.settle()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
        await self.settle()


async def _answer(route: Route) -> None:
    url = urlsplit(route.request.url)
    if url.path == "/":
        await route.fulfill(body=PAGE, content_type="text/html", headers={"Content-Security-Policy": POLICY})
    elif url.path == "/api/charts":
        await route.fulfill(json=_charts(parse_qs(url.query)))
    else:
        path = STAGE if url.path == "/s/v/grid_stage.js" else STATIC / url.path.removeprefix("/s/v/")
        await route.fulfill(body=path.read_bytes(), content_type=TYPES[path.suffix])


def _charts(query: dict[str, list[str]]) -> dict[str, object]:
    points = {"steps": [0, 1, 2], "last": [3.0, "nan", 1.0]}
    return {
        "charts": [
            {"experiment": int(run), "name": name, **points} for run in query["experiment"] for name in query["name"]
        ]
    }


@pytest_asyncio.fixture(loop_scope="session")
async def grid(context: BrowserContext) -> AsyncIterator[Grid]:
    """Give a page on which a grid can be opened; the console must stay silent."""
    grid = Grid(await context.new_page())
    yield grid
    assert not grid.troubles


def acc(number: int = 0) -> str:
    return f"metrics[dvclive/metrics.json].eval.acc{number or ''}"


async def test_only_a_window_of_lines_and_columns_is_in_the_document(grid: Grid) -> None:
    await grid.open("runs=1500&metrics=120&params=80")
    assert await grid.get("document.querySelectorAll('.line').length") in range(20, 50)
    assert await grid.get("document.querySelectorAll('.cell').length") in range(200, 1000)
    assert await grid.get("grid.ariaRowCount") == "1503"
    assert await grid.get("grid.ariaColCount") == "209"
    await grid.get("grid.scrollTo(9000, 30000)")
    await grid.settle()
    covered = await grid.get(
        "[[700, 300], [1400, 860], [700, 860]].map(([x, y]) =>"
        " document.elementFromPoint(x, y).closest('.cell') !== null)"
    )
    assert covered == [True, True, True]
    name = await grid.get("document.elementFromPoint(100, 400).closest('.line').querySelector('a').textContent")
    index = await grid.get("Number(document.elementFromPoint(100, 400).closest('.line').dataset.index)")
    assert name == await grid.get(f"rows[{index}].name")


async def test_a_change_touches_only_its_cell_and_flashes_anew(grid: Grid) -> None:
    await grid.open()
    await grid.courses()
    await grid.page.evaluate(
        """() => {
          window.touched = new Set();
          new MutationObserver((list) => {
            for (const { target } of list) {
              const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
              touched.add(element.closest(".cell, .line, .data-grid"));
            }
          }).observe(document.querySelector(".data-grid"), {
            subtree: true, childList: true, characterData: true, attributes: true,
          });
        }"""
    )
    update = f"stage.update([[rows[3].id, {json.dumps(acc())}, %s]])"
    await grid.get(update % "0.5")
    await grid.settle()
    cells = "[...touched].map((cell) => [cell.className.split(' ')[0], cell.querySelector('.text')?.textContent])"
    assert await grid.get(cells) == [["cell", "0.5"]]
    assert await grid.get("document.querySelectorAll('.flash').length") == 1
    await grid.get("document.querySelector('.flash').mark = 1")
    await grid.get(update % "0.75")
    await grid.settle()
    assert await grid.get("[document.querySelectorAll('.flash').length, document.querySelector('.flash').mark]") == [
        1,
        None,
    ]


async def test_new_lines_above_move_neither_scroll_nor_selection_nor_cursor(grid: Grid) -> None:
    await grid.open()
    await grid.get("grid.scrollTop = 960")
    await grid.settle()
    await grid.page.locator(".line[data-index='40'] input").click()
    at = "(() => { const line = document.elementFromPoint(100, 500).closest('.line');"
    at += " return [line.querySelector('a').textContent, line.getBoundingClientRect().top]; })()"
    before = await grid.get(at)
    selected = await grid.get("view.selected")
    cursor = await grid.get("stage.cursor.value.line")
    await grid.get("stage.insert(7)")
    await grid.settle()
    assert await grid.get(at) == before
    assert await grid.get("grid.scrollTop") == 960 + 7 * ROW_PX
    assert await grid.get("view.selected") == selected != []
    assert await grid.get("stage.cursor.value.line") == cursor
    await grid.get("grid.scrollTop = 0")
    await grid.settle()
    await grid.get("stage.insert(1)")
    await grid.settle()
    assert await grid.get("grid.scrollTop") == 0


async def test_sort_by_click_and_by_keyboard(grid: Grid) -> None:
    await grid.open()
    label = f"{grid.head(acc())} .head-label"
    await grid.page.click(label)
    await grid.page.click(label)
    assert await grid.get("view.sort") == [{"key": acc(), "falling": True}]
    assert await grid.page.get_attribute(grid.head(acc()), "aria-sort") == "descending"
    await grid.page.click(f"{grid.head('Step')} .head-label", modifiers=["Shift"])
    assert await grid.get("view.sort") == [{"key": acc(), "falling": True}, {"key": "step", "falling": False}]
    await grid.page.focus(".data-grid")
    await grid.press("ArrowDown", "Home", "ArrowUp", "ArrowRight", "ArrowRight", "Enter")
    assert await grid.get("view.sort") == [{"key": "step", "falling": False}] or await grid.get("view.sort") == [
        {"key": "step", "falling": True}
    ]


async def test_move_columns_and_groups_by_mouse_and_keyboard(grid: Grid) -> None:
    await grid.open()
    before = await grid.heads()
    first, second, third = before[5:8]
    box = await grid.page.locator(grid.head(third)).bounding_box()
    assert box is not None
    await grid.drag(f"{grid.head(first)} .head-label .text", box["x"] + box["width"] - 5)
    assert (await grid.heads())[5:8] == [second, third, first]
    assert await grid.get("view.sort") == [], "a drag is no click"
    await grid.get(f"stage.cursor.value = {{ line: null, column: {json.dumps(first)}, level: 2 }}")
    await grid.page.focus(".data-grid")
    await grid.press("Alt+ArrowLeft", "Alt+ArrowLeft")
    assert (await grid.heads())[5:8] == [first, second, third]
    await grid.press("ArrowUp", "ArrowUp", "Alt+ArrowRight")  # Metrics, past Params
    assert (await grid.heads())[5].startswith("params")
    assert await grid.get("grid.getAttribute('aria-activedescendant')") == await grid.get(
        "document.querySelector('.head-group.here').id"
    )


async def test_resize_and_fit(grid: Grid) -> None:
    await grid.open()
    edge = f"{grid.head(acc())} .edge"
    box = await grid.page.locator(edge).bounding_box()
    assert box is not None
    await grid.drag(edge, box["x"] + 4 + 60)
    assert await grid.get(f"view.widths[{json.dumps(acc())}]") == pytest.approx(180, abs=1)
    await grid.page.dblclick(edge)
    await grid.settle()
    fitted = await grid.get(f"view.widths[{json.dumps(acc())}]")
    assert isinstance(fitted, int)
    assert fitted < 150
    assert await grid.get(
        "[...document.querySelectorAll('.cell.kind-metrics .text')].every((cell) =>"
        " cell.scrollWidth <= cell.clientWidth)"
    )
    await grid.get(f"stage.cursor.value = {{ line: null, column: {json.dumps(acc())}, level: 2 }}")
    await grid.page.focus(".data-grid")
    await grid.press("Shift+ArrowRight")
    assert await grid.get(f"view.widths[{json.dumps(acc())}]") == fitted + 16


async def test_header_menu_pins_hides_sets_a_goal_and_filters(grid: Grid) -> None:
    await grid.open()
    head = grid.head(acc())
    menu = grid.page.locator(".header-menu")

    async def choose(item: str) -> None:
        await grid.page.hover(head)
        await grid.page.click(f"{head} .head-menu")
        await menu.get_by_role("button", name=item, exact=True).click()
        await grid.settle()

    await choose("Lower is better")
    assert await grid.get("view.goals") == {acc(): "down"}
    await choose("Filter on this column")
    assert await grid.get("stage.told") == [["filter", acc()]]
    await choose("Pin to the left")
    assert (await grid.heads())[:3] == ["Experiment", "Status", acc()]
    await grid.get("grid.scrollLeft = 900")
    await grid.settle()
    box = await grid.page.locator(head).bounding_box()
    assert box is not None
    assert box["x"] < 600
    await choose("Hide")
    assert acc() not in await grid.heads()
    await grid.page.focus(".data-grid")
    await grid.get("stage.cursor.value = { line: null, column: 'step', level: 2 }")
    await grid.settle()  # it comes into sight, and is drawn
    await grid.press("Alt+ArrowDown")
    await menu.wait_for()
    await grid.press("Escape")
    assert await grid.get("document.activeElement === grid")


async def test_columns_menu_searches_hides_groups_and_shows_what_comes_live(grid: Grid) -> None:
    await grid.open()
    await grid.page.get_by_role("button", name="Columns").click()
    items = grid.page.locator(".columns-item")
    await grid.page.get_by_label("Search columns").fill("optimizer")
    assert await items.locator("input").evaluate_all("(boxes) => boxes.length") < 10
    await items.filter(has_text="lr").locator("input").uncheck()
    group = items.filter(has_text="optimizer").locator("input").first
    assert await group.evaluate("(box) => box.indeterminate")
    await group.check()
    assert await grid.get("view.hidden") == []
    await grid.page.get_by_label("Search columns").fill("")
    metrics = items.filter(has_text="Metrics").locator("input").first
    await metrics.uncheck()
    assert await grid.get("view.hidden") == ["metrics"]
    assert not [key for key in await grid.heads() if key.startswith("metrics")]
    await items.filter(has_text="eval").locator("input").first.check()
    assert {key.split(".")[2] for key in await grid.heads() if key.startswith("metrics")} == {"eval"}
    await grid.get("stage.keys.value = new Set([...stage.keys.value, 'metrics[live.json].fresh'])")
    await grid.page.get_by_label("Search columns").fill("fresh")
    assert await items.filter(has_text="fresh").count() == 1
    await grid.page.get_by_role("button", name="Show all").click()
    assert await grid.get("view.hidden") == []


async def test_keyboard_walks_selects_opens_and_keeps_the_cursor_in_sight(grid: Grid) -> None:
    await grid.open("runs=200&metrics=24&params=12&rows=git")
    await grid.page.focus(".data-grid")
    await grid.press("ArrowDown", "ArrowDown", "ArrowDown", "Space", "Enter")
    run = await grid.get("stage.cursor.value.line")
    assert await grid.get("view.selected.map((id) => `experiment:${id}`)") == [run]
    assert await grid.get("stage.told") == [["open", run]]
    await grid.press("End", "Control+End")
    here = await grid.page.locator(".here").bounding_box()
    assert here is not None
    assert here["x"] + here["width"] <= 1440
    assert here["y"] + here["height"] <= 900
    assert await grid.get(
        "document.getElementById(grid.getAttribute('aria-activedescendant')).className.includes('here')"
    )
    await grid.press("Control+Home", "Home", "Space")
    assert await grid.get("view.closed") == ["branch:main"]
    await grid.press("ArrowRight")
    assert await grid.get("view.closed") == []


async def test_the_baseline_stays_in_sight_and_goals_colour_the_others(grid: Grid) -> None:
    await grid.open()
    baseline = await grid.get(f"rows.slice(50).find((row) => row.cells.has({json.dumps(acc())})).id")
    await grid.change(baseline=baseline, delta=True, goals={acc(): "up"})
    kept = grid.page.locator(".line.kept")
    assert "Baseline" in (await kept.text_content() or "")
    marks = await grid.get("['better', 'worse'].map((mark) => document.querySelectorAll(`.cell.${mark}`).length > 0)")
    assert marks == [True, True]
    texts = await grid.get("[...document.querySelectorAll('.cell.better .text')].map((cell) => cell.textContent[0])")
    assert isinstance(texts, list)
    assert set(texts) == {"+"}
    await grid.get("grid.scrollTop = 3000")
    await grid.settle()
    box = await kept.bounding_box()
    assert box is not None
    assert box["y"] < 200


async def test_hostile_names_are_text_and_narrow_windows_pin_the_name_only(grid: Grid) -> None:
    await grid.page.set_viewport_size({"width": 800, "height": 700})
    await grid.open("runs=20&metrics=12&params=12&hostile=1")
    assert await grid.page.locator(".line a").first.inner_text() == "<img src=x onerror=alert(1)>\u202e__proto__"
    assert await grid.get("document.querySelectorAll('.head .frozen .head-leaf').length") == 1
    assert await grid.get("document.documentElement.scrollWidth <= 800")


async def test_columns_are_in_one_order_whatever_the_order_of_keys(grid: Grid) -> None:
    await grid.open()
    keys = [
        "params[b.yaml].lr10",
        "params[b.yaml].lr9",
        "params[a.yaml].__proto__.x",
        'metrics[m.json]."a.b"',
        "metrics[m.json].system.gpu.ram",
        "metrics[m.json].zeta.x",
        "machine.cpu.count",
    ]
    orders = await grid.page.evaluate(
        """async (keys) => {
          const { columnsOf } = await import("/s/v/app/core/columns.js");
          const order = (some) => columnsOf(some).free.map(({ key }) => key);
          return [order(keys), order([...keys].reverse())];
        }""",
        keys,
    )
    assert orders[0] == orders[1]
    assert orders[0] == [
        "step", "updated", "delivery",
        'metrics[m.json]."a.b"', "metrics[m.json].zeta.x", "metrics[m.json].system.gpu.ram",
        "params[a.yaml].__proto__.x", "params[b.yaml].lr9", "params[b.yaml].lr10",
        "machine.cpu.count",
        "created", "message", "client",
    ]  # fmt: skip

"""Plots kept whole: read from rows of anybody's making, drawn with DVC's templates by Vega, live, without a way out."""

from __future__ import annotations

from typing import Final

from browser_stage import Tab
from media_stage import PLOTS, TEMPLATES, mount, plot_of, send, until
from playwright.async_api import expect

from livestream.events import Json, JsonObject

_LIGHT: Final = {
    "card": "#ffffff",
    "ink": "#1b2130",
    "soft": "#596275",
    "line": "#e1e5ec",
    "accent": "#3b5bdb",
    "none": "#f1f3f8",
    "font": "sans-serif",
    "colours": ["#b04020", "#108060"],
}
_DARK: Final = _LIGHT | {"card": "#181c25", "ink": "#e5e9f1", "soft": "#9aa4b7", "line": "#2a303d", "none": "#1f2430"}
_DRAW: Final = """async ({ pictureOf }, [plots, look]) => {
    const { readPlot } = await import("/static/app/core/plot_rows.js");
    const drawn = {};
    for (const [name, one] of Object.entries(plots)) {
        const scaled = (value, id) => (typeof value === "number" ? value * (1 + id / 5) : value);
        const rowOf = (row, id) =>
            Object.fromEntries(Object.entries(row).map(([key, value]) => [key, scaled(value, id)]));
        const rowsOf = (id) => one.data.map((row) => rowOf(row, id));
        const sent = [1, 2].map((id) => ({ id, label: `run ${id}`, props: one.props, rows: rowsOf(id) }));
        const plot = readPlot(name, sent);
        const bitmap = await createImageBitmap(await pictureOf(plot, {}, look, "png"));
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const counts = new Map();
        const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        for (let at = 0; at < data.length; at += 4) {
            const colour = "#" + [...data.slice(at, at + 3)].map((one) => one.toString(16).padStart(2, "0")).join("");
            counts.set(colour, (counts.get(colour) ?? 0) + 1);
        }
        const marks = name.startsWith("confusion") ? [look.accent] : look.colours;
        drawn[name] = [plot.kind, counts.get(look.card) > 10_000, counts.size, data.length / 4 - counts.get(look.card),
            plot.notes.length, marks.every((colour) => name.startsWith("scatter") || counts.get(colour) > 50)];
    }
    return drawn;
}"""
_READ: Final = "({ readPlot }, [sent]) => readPlot('dvclive/plots/custom/a.json', sent)"


def sent(rows: Json, **props: Json) -> list[JsonObject]:
    return [{"id": 7, "label": "run", "rows": rows, "props": props}]


async def read(modules: Tab, rows: Json, **props: Json) -> JsonObject:
    plot: JsonObject = await modules.run("core/plot_rows.js", _READ, [sent(rows, **props)])
    return plot


async def test_all_nine_templates_draw_in_both_themes(modules: Tab) -> None:
    plots = {template: plot_of(template) for template in TEMPLATES}
    for look in (_LIGHT, _DARK):
        drawn = await modules.run("plots/vega.js", _DRAW, [plots, look])
        for template, (kind, has_ground, colours, marked, notes, has_colours) in drawn.items():
            assert (kind, has_ground, notes, has_colours) == (template, True, 0, True), template
            assert colours > 20, template
            assert marked > 4_000, template


async def test_a_confusion_matrix_counts_all_rows(modules: Tab) -> None:
    rows: list[Json] = [{"actual": "cat", "predicted": "cat"}] * 5_000 + [{"actual": "cat", "predicted": "dog"}] * 1_000
    plot = await read(modules, rows, template="confusion_normalized", x="actual", y="predicted")
    found = {(row["x"], row["y"]): (row["n"], row["share"]) for row in plot["rows"]}
    assert found == {
        ("cat", "cat"): (5_000, 1),
        ("cat", "dog"): (1_000, 1),
        ("dog", "cat"): (0, 0),
        ("dog", "dog"): (0, 0),
    }


async def test_a_long_line_keeps_its_extremes(modules: Tab) -> None:
    rows: list[Json] = [{"x": x, "y": 9 if x == 7_777 else -9 if x == 3_333 else x % 5} for x in range(14_000)]
    plot = await read(modules, rows, template="linear", x="x", y="y")
    ys = [row["y"] for row in plot["rows"]]
    assert (max(ys), min(ys), len(ys) <= 2_000) == (9, -9, True)
    assert plot["notes"] == [f"{len(ys):,} points a line are drawn, of up to 14,000."]


async def test_whatever_comes_is_something(modules: Tab) -> None:
    """What has no template is guessed, else listed; what is not finite is a gap; nothing breaks."""
    x_y: JsonObject = {"template": "linear", "x": "a", "y": "b"}
    spec: JsonObject = {"data": {"url": "http://evil.test"}}
    curve: list[Json] = [{"roc": [{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]}]
    cases: list[tuple[str, Json, JsonObject]] = [
        ("linear", [{"a": 1, "b": "2"}, {"a": 2, "b": "nan"}], {}),
        ("confusion", [{"actual": 1, "predicted": 0}], {}),
        ("table", [{"a": "x", "b": 2}], {}),
        ("table", [{"a": "x", "b": "y"}], x_y),
        ("table", [{"a": 1, "b": "inf"}], x_y),
        ("table", [{"a": 1, "c": 2}], x_y),
        ("empty", [], x_y),
        ("empty", 5, {}),
        ("linear", [{"a": 1, "b": 2}], {"template": "mine.json"}),
        ("linear", [{"a": 1, "b": 2}], {"template": spec}),
        ("bar_horizontal", [{"a": "x", "b": 2}], {"x": "a", "y": "b"}),
        ("simple", curve, {"template": "simple", "x": "fpr", "y": "tpr"}),
        ("linear", [{"constructor": 1, "b": 1}], {"x": "constructor", "y": "b"}),
        ("table", [{"b": 1, "c": 2}], {"x": "constructor", "y": "b"}),
    ]
    for kind, rows, props in cases:
        assert (await read(modules, rows, **props))["kind"] == kind, (rows, props)
    fifty = await read(modules, [{"actual": at % 60, "predicted": at % 60} for at in range(600)], template="confusion")
    assert (fifty["size"], fifty["notes"]) == (50, ["The 50 most frequent of 60 classes."])


async def test_foreign_text_is_no_word_of_a_spec(modules: Tab) -> None:
    """Names of columns, classes and runs are in no field, expression or address, only in titles and domains."""
    evil = '\'];alert(1)//datum["x"].a.b\u202e'
    found = await modules.run(
        "core/templates.js",
        """async ({ specOf }, [evil, look, templates]) => {
            const { readPlot } = await import("/static/app/core/plot_rows.js");
            const leaves = (value, path) => value !== null && typeof value === "object"
                ? Object.entries(value).flatMap(([key, one]) => leaves(one, [...path, key])) : [[path, value]];
            const where = new Set();
            for (const template of templates) {
                const isBar = template.startsWith("bar");
                const row = (_, at) => ({ [evil]: isBar ? evil + at : at, ["y" + evil]: at });
                const rows = Array.from({ length: 9 }, row);
                const props = { template, x: isBar ? "y" + evil : evil, y: isBar ? evil : "y" + evil, title: evil };
                const plot = readPlot("p", [{ id: 1, label: evil, props, rows }]);
                const spec = specOf(plot, { width: 300, legend: true, smoothing: 0.3 }, look);
                for (const [path, value] of leaves(spec, [])) {
                    const place = path.filter((one) => !/^\\d+$/.test(one)).slice(-2).join(".");
                    if (String(value).includes("alert")) where.add(place);
                    if (String(value).includes("\\u202e")) where.add("turns text around");
                }
            }
            return [...where].sort();
        }""",
        [evil, _LIGHT, list(TEMPLATES)],
    )
    assert set(found) <= {"title.text", "x.title", "y.title", "scale.domain"}


async def test_a_plot_is_drawn_live_and_its_view_stays(tab: Tab) -> None:
    path = f"{PLOTS}/custom/curve.json"
    run = await send(tab.studio.client, "run", 0, {path: plot_of("simple")})
    await mount(tab, [run], "TemplatesSection")
    card = tab.page.locator(".media-card")
    await expect(card.locator("canvas")).to_have_count(1)
    await tab.page.evaluate("globalThis.held = document.querySelector('.media-card canvas')")
    before = await tab.page.evaluate("held.toDataURL()")

    await send(tab.studio.client, "run", 1, {path: plot_of("simple", 3.0)})
    await expect(card.locator(".media-step")).to_have_text("step 1")
    await until(tab, "(before) => held.toDataURL() !== before", before)
    assert await tab.page.evaluate("held === document.querySelector('.media-card canvas')")

    await card.locator(".media-canvas").hover()
    await expect(card.locator(".hover-tip")).to_contain_text("y[0]'\"")


async def test_the_theme_draws_plots_anew(tab: Tab) -> None:
    run = await send(tab.studio.client, "run", 0, {f"{PLOTS}/custom/curve.json": plot_of("simple")})
    await mount(tab, [run], "TemplatesSection")
    corner = """() => {
        const canvas = document.querySelector(".media-card canvas");
        if (canvas === null || canvas.width === 0) return "";
        const context = new OffscreenCanvas(9, 9).getContext("2d");
        context.drawImage(canvas, 0, 0);
        return [...context.getImageData(1, 1, 1, 1).data].slice(0, 3).join();
    }"""
    await until(tab, f"() => ({corner})() === '255,255,255'")
    await tab.page.emulate_media(color_scheme="dark")
    await until(tab, f"() => ({corner})() === '24,28,37'")


async def test_runs_share_a_plot_and_take_it_along(tab: Tab) -> None:
    path = f"{PLOTS}/sklearn/roc.json"
    ids = [
        await send(tab.studio.client, name, 0, {path: plot_of("simple", at)}) for at, name in enumerate(("one", "two"))
    ]
    await mount(tab, ids, "TemplatesSection")
    card = tab.page.locator(".media-card")
    await expect(card.locator("canvas")).to_have_count(1)
    await card.hover()
    await card.get_by_role("button", name="Download").click()
    async with tab.page.expect_download() as saved:
        await tab.page.get_by_role("button", name="SVG").click()
    text = (await (await saved.value).path()).read_text()
    assert "<svg" in text
    assert "one" in text
    assert "two" in text


async def test_what_leaves_the_screen_leaves_memory(tab: Tab) -> None:
    plots: JsonObject = {f"{PLOTS}/custom/{number:02}.json": plot_of("simple") for number in range(24)}
    run = await send(tab.studio.client, "run", 0, plots)
    await mount(tab, [run], "TemplatesSection")
    await expect(tab.page.locator(".media-card")).to_have_count(24)
    await expect(tab.page.locator(".media-card canvas").first).to_be_visible()
    await tab.page.locator(".media-card").last.scroll_into_view_if_needed()
    await expect(tab.page.locator(".media-card").last.locator("canvas")).to_have_count(1)
    await expect(tab.page.locator(".media-card").first.locator("canvas")).to_have_count(0)
    assert await tab.page.locator(".media-card canvas").count() < 20

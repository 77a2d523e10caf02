"""One experiment, comparing, projects, settings and help, in a browser; and delivery in words."""

from __future__ import annotations

from typing import Final

from browser_stage import Tab
from studio_stage import Client, body, scalars

from livestream.events import Json, JsonObject

HOSTILE: Final = "<img src=x onerror=alert(1)>\u202eevil & __proto__"
NOW: Final = 1_700_000_000.0
DELIVERY: Final[JsonObject] = {
    "behind_s": 0,
    "backlog_rows": 0,
    "backlog_bytes": 0,
    "missing_events": 0,
    "gaps": [],
    "losses": {},
    "writers": 1,
    "beating": 1,
    "heard": NOW - 300,
}


async def run(client: Client, name: str, step: int = 1, loss: float = 0.5, **more: Json) -> int:
    sent: JsonObject = {
        "metrics": {"dvclive/metrics.json": {"data": {"step": step, "train": {"loss": loss}}}},
        "params": {"params.yaml": {"lr": 0.1, "same": 7}},
        "plots": scalars([(step, loss)]),
    }
    answer = await client.post(body(name=name, step=step, **{**sent, **more}))
    experiment: int = answer["experiment"]
    return experiment


# -- delivery in words


GAPS: Final[list[JsonObject]] = [{"writer": "w", "first": 2, "last": 2}, {"writer": "w", "first": 5, "last": 17}]

WORDS: Final[tuple[tuple[str, JsonObject, str, str], ...]] = (
    ("running", {}, "live", "good"),
    ("running", {"writers": 0, "beating": 0}, "–", "calm"),  # noqa: RUF001 - for people
    ("running", {"backlog_rows": 9, "behind_s": 42}, "42 s behind", "warn"),
    ("running", {"backlog_rows": 9, "behind_s": 1}, "live", "good"),
    ("catching_up", {}, "catching up", "busy"),
    ("silent", {"backlog_rows": 9, "behind_s": 42}, "silent for 5 min", "warn"),
    ("lost", {}, "silent for 5 min", "bad"),
    ("completed", {}, "complete", "good"),
    ("completed", {"backlog_rows": 12, "behind_s": 9}, "12 rows not here", "warn"),
    ("completed_with_gaps", {"missing_events": 14, "gaps": GAPS}, "2 gaps (14 events missing)", "bad"),
    ("failed", {"losses": {"too_large": 3}}, "refused: 3 too large", "bad"),
    ("failed", {"losses": {"quota": 3, "disk": 1, "trimmed": 9}}, "refused: 4 events", "bad"),
    ("completed", {"losses": {"trimmed": 1}}, "1 event without images", "warn"),
)


async def test_delivery_in_words(modules: Tab) -> None:
    asked = [{"status": {"kind": kind}, "delivery": DELIVERY | facts} for kind, facts, _, _ in WORDS]
    said = await modules.run(
        "core/delivery.js", "(module, [all, now]) => all.map((one) => module.deliveryWords(one, now))", [asked, NOW]
    )
    assert said == [{"text": text, "tone": tone} for _, _, text, tone in WORDS]


async def test_a_replay_is_estimated_from_the_samples_since_its_peak(modules: Tab) -> None:
    told = await modules.run(
        "core/delivery.js",
        """({ withSample, secondsLeft, deliveryWords }, [delivery, start]) => {
          let samples = [];
          for (const [at, rows] of [[0, 500], [10, 1000], [20, 900], [30, 800]]) {
            samples = withSample(samples, { time: start + at, rows });
          }
          const one = { status: { kind: "catching_up" }, delivery };
          return [
            secondsLeft(samples, start + 40),
            secondsLeft(samples.slice(0, 2), start + 40),
            withSample(samples, { time: start + 40, rows: 0 }).length,
            withSample(samples, { time: start + 500, rows: 10 }).length,
            deliveryWords(one, start + 40, samples).text,
          ];
        }""",
        [DELIVERY | {"backlog_rows": 800, "behind_s": 99}, NOW],
    )
    assert told == [70, None, 0, 1, "replaying, about 1 min left"]


async def test_a_timeline_has_a_segment_for_each_state_and_ends_where_the_run_did(modules: Tab) -> None:
    told = await modules.run(
        "pages/experiment_timeline.js",
        """({ timelineOf }) => {
          const log = [["started", 0], ["silent", 60], ["lost", 100], ["running", 150], ["warning", 160], ["done", 200],
            ["deleted", 900]].map(([kind, time]) => ({ kind, time, detail: {} }));
          const found = timelineOf(log, { created: 0, done: 200, status: { kind: "completed", since: 200 } }, 1000);
          const segments = found.segments.map((one) => [one.state, one.to - one.from]);
          return [found.to, segments, found.marks.map((one) => one.kind)];
        }""",
    )
    assert told == [
        200,
        [["running", 60], ["silent", 40], ["lost", 50], ["running", 50]],
        ["started", "warning", "done"],
    ]


async def test_addresses_of_a_forge_are_made_of_checked_pieces_only(modules: Tab) -> None:
    told = await modules.run(
        "pages/forge.js",
        """({ commitAddress, compareAddress }) => {
          const [a, b] = ["a".repeat(40), "b".repeat(40)];
          return [
            compareAddress("git@github.com:octo/iris.git", a, b),
            commitAddress("https://user:secret@gitlab.example.com/team/sub/iris", a),
            ...["javascript:alert(1)//github.com/a/b", "https://github.com.evil/a/b?x", "https://evil/github.com/a/b",
              "https://github.com/../..", "file:///github.com/a/b"].map((url) => commitAddress(url, a)),
            commitAddress("https://github.com/octo/iris", "0".repeat(40)),
            commitAddress("https://github.com/octo/iris\\"><b>", a),
          ];
        }""",
    )
    a, b = "a" * 40, "b" * 40
    assert told == [
        f"https://github.com/octo/iris/compare/{a}...{b}",
        f"https://gitlab.example.com/team/sub/iris/-/commit/{a}",
        *[None] * 6,
        f"https://github.com/octo/iris%22%3E%3Cb%3E/commit/{a}",
    ]


# -- one experiment


async def test_an_experiment_shows_what_failed_and_is_deleted_and_restored(tab: Tab) -> None:
    client, page = tab.studio.client, tab.page
    number = await run(client, "boom", step=1)
    trace = "Traceback:\n" + "\n".join(f"  line {line}" for line in range(40)) + "\nValueError: too hot"
    await client.post(body("done", name="boom", errors=[{"cls": "ValueError", "text": trace}]))
    await tab.open(f"experiments/{number}")
    await page.get_by_text("ValueError: too hot", exact=True).first.wait_for()
    assert "line 17" in await page.locator(".problem pre").inner_text()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_text("It is hidden in the table").wait_for()
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await page.get_by_text("It is hidden in the table").wait_for(state="detached")
    assert (await client.get(f"/api/experiments/{number}"))["deleted"] is None


async def test_an_experiment_follows_its_run_and_what_changed_glows(tab: Tab) -> None:
    client, page = tab.studio.client, tab.page
    number = await run(client, "alive", step=1, loss=0.5)
    await tab.open(f"experiments/{number}")
    line = page.locator("table.values tr", has_text="train/loss")
    await line.get_by_text("0.5", exact=True).first.wait_for()
    assert await line.locator(".glow").count() == 0
    await run(client, "alive", step=2, loss=0.25)
    await line.locator(".glow", has_text="0.25").first.wait_for()
    cells = await line.locator("td").all_inner_texts()
    assert [text.strip() for text in cells] == ["0.25", "0.25", "0.5", "2", "2"]
    assert await page.locator("ol.log li").count() == 1  # its start


async def test_hostile_text_is_text_everywhere(tab: Tab) -> None:
    client, page = tab.studio.client, tab.page
    number = await run(
        client,
        HOSTILE,
        message="</script><script>alert(2)</script>",
        metrics={"<b>m</b>.json": {"data": {"__proto__": {"a": 1}, "<i>i</i>": 2}}},
        params={"<u>p</u>.yaml": {"constructor": "javascript:alert(1)"}},
        machine={"<s>": HOSTILE},
        errors=[{"cls": "<b>E</b>", "text": "<script>alert(3)</script>"}],
    )
    for path in (f"experiments/{number}", f"compare?id={number}&all=1"):
        await tab.open(path)
        await page.get_by_text("<i>i</i>").first.wait_for()
        await page.get_by_text("__proto__").first.wait_for()
        assert await page.locator("#app img[src=x], #app script, #app i:has-text('i'), #app u, #app s").count() == 0
    await tab.open("projects")
    await page.get_by_role("heading", name="Projects").wait_for()


async def test_an_experiment_that_is_not_there_says_so(tab: Tab) -> None:
    await tab.open("experiments/999")
    await tab.page.get_by_text("There is no experiment 999").wait_for()
    tab.troubles = [trouble for trouble in tab.troubles if "404" not in trouble]


# -- comparing


async def test_comparing_shows_what_differs_and_which_is_best(tab: Tab) -> None:
    client, page = tab.studio.client, tab.page
    one = await run(client, "one", loss=0.5)
    two = await run(client, "two", loss=0.25)
    await tab.open(f"compare?id={one}&id={two}")
    line = page.locator(".compare-table tr", has_text="train.loss")
    await line.get_by_text("−0.25").wait_for()  # noqa: RUF001 - for people
    assert await page.locator(".compare-table tr", has_text="same").locator("td").count() == 0  # its line is left out
    await page.get_by_role("switch", name="Only what differs").uncheck(force=True)
    await page.locator(".compare-table tr", has_text="same").locator("td").first.wait_for()
    await line.hover()
    await line.get_by_role("button").click()  # higher is better, which the second is not
    assert await line.locator("td.best").inner_text() == "0.5"
    await line.get_by_role("button").click()
    assert await line.locator("td.best .better").inner_text() == "−0.25"  # noqa: RUF001 - for people
    await page.get_by_role("button", name="Reference").nth(1).click()
    await line.get_by_text("+0.25").wait_for()
    await run(client, "one", step=2, loss=0.75)
    await line.locator(".glow", has_text="0.75").wait_for()
    await page.reload()
    await line.get_by_text("+0.5").wait_for()
    await page.get_by_role("button", name="Take out of the comparison").nth(1).click()
    await page.get_by_text("Compare 1 experiment").wait_for()
    await page.get_by_role("button", name="Add").click()
    await page.locator(".candidates").get_by_role("button", name="two").click()
    await page.get_by_text("Compare 2 experiments").wait_for()


# -- projects, settings, help


async def test_a_project_is_made_and_deleted_and_an_error_stands_at_its_field(tab: Tab) -> None:
    page = tab.page
    await run(tab.studio.client, "first")
    await tab.open("projects")
    await page.get_by_text("1 experiment", exact=False).first.wait_for()
    await page.get_by_role("button", name="New project").click()
    await page.get_by_label("Repository").fill("nowhere/")
    await page.get_by_role("button", name="Make project").click()
    await page.get_by_text("no repository's URL").wait_for()
    assert await page.get_by_label("Repository").get_attribute("aria-invalid") == "true"
    await page.get_by_label("Repository").fill("git@github.com:octo/iris.git")
    await page.get_by_label("Folder").fill("vision")
    await page.get_by_role("button", name="Make project").click()
    await page.get_by_role("link", name="iris/vision").wait_for()
    await page.get_by_role("button", name="Delete the project").last.click()
    await page.get_by_role("button", name="Delete project").click()
    await page.locator(".project").nth(1).wait_for(state="detached")
    tab.troubles = [trouble for trouble in tab.troubles if "400" not in trouble]


async def test_settings_keep_the_theme_and_help_tells_keys(tab: Tab) -> None:
    page = tab.page
    await tab.open("settings")
    await page.get_by_role("group", name="Theme").get_by_role("button", name="Dark").click()
    await page.reload()
    await page.get_by_role("button", name="Dark", pressed=True).wait_for()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.keyboard.press("?")
    await page.get_by_role("dialog").get_by_text("Compare the selected ones").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="detached")

"""Images as films: what each run shows at a step, one step for all, live, enlarged, and what is no image."""

from __future__ import annotations

import base64
import re
from typing import Final

from browser_stage import Tab
from media_stage import PLOTS, image, mount, send, until
from playwright.async_api import expect

from livestream.events import JsonObject

_IMAGES: Final = f"{PLOTS}/images"


def films(*steps: int) -> JsonObject:
    """Give the images of a film, DVCLive's way: a file a step."""
    return {f"{_IMAGES}/samples/{step}.png": image(step) for step in steps}


async def test_a_step_shows_the_newest_frame_before_it(modules: Tab) -> None:
    found = await modules.run(
        "core/image_steps.js",
        """({ filmsOf, placeAt, stepsOf, filmName }) => {
            const image = (id, path, step) => ({ id, path, step });
            const one = [image(1, "p/images/a/10.png", 9), image(2, "p/images/a/2.png", 2)];
            one.push(image(3, "p/images/b.png", 4), image(4, "p/images/b.png", 4), image(5, "p/images/b.png", 1));
            const films = filmsOf(new Map([[7, one], [8, [image(6, "p/images/a/3.jpg", 3)]]]));
            const frames = films.get("p/images/a").get(7);
            const fixed = films.get("p/images/b.png").get(7);
            const places = [null, 1, 2, 9, 10, 99].map((step) => placeAt(frames, step));
            return [[...films.keys()], frames.map((frame) => frame.step), fixed.map((frame) => frame.image.id),
                stepsOf(films), places, filmName("x/plots/images/a/b")];
        }""",
    )
    films_, steps, fixed, every, places, name = found
    assert films_ == ["p/images/a", "p/images/b.png"]
    assert (steps, fixed, every) == ([2, 10], [5, 4], [1, 2, 3, 4, 10])
    assert (places, name) == ([1, -1, 0, 0, 1, 1], "a/b")


async def test_one_step_for_all_runs_by_slider_keys_and_address(tab: Tab) -> None:
    one = await send(tab.studio.client, "one", 9, films(0, 5, 9))
    two = await send(tab.studio.client, "two", 5, films(2, 5))
    await mount(tab, [one, two], "ImagesSection")
    page = tab.page
    steps = page.locator(".film-step")
    await expect(steps).to_have_text(["step 9", "step 5"])
    await until(
        tab, "() => [...document.images].length === 2 && [...document.images].every((one) => one.naturalWidth === 8)"
    )

    slider = page.get_by_role("slider", name="Step")
    await expect(slider).to_have_attribute("max", "3")
    await slider.fill("1")
    await expect(steps).to_have_text(["step 0", "step 2"])
    await expect(page).to_have_url(re.compile(r"[?&]step=2\b"))
    await slider.press("ArrowLeft")
    await expect(page.locator(".film-none")).to_have_text("No image up to step 0")
    await page.get_by_role("button", name="Enlarge samples of one").press("ArrowRight")
    await expect(steps).to_have_text(["step 0", "step 2"])
    await page.get_by_role("button", name="Newest").click()
    await expect(steps).to_have_text(["step 9", "step 5"])
    await expect(page).not_to_have_url(re.compile("step="))


async def test_the_newest_is_followed_unless_the_step_was_moved(tab: Tab) -> None:
    run = await send(tab.studio.client, "one", 1, films(0, 1))
    await mount(tab, [run], "ImagesSection")
    steps = tab.page.locator(".film-step")
    await expect(steps).to_have_text("step 1")
    await send(tab.studio.client, "one", 2, films(2))
    await expect(steps).to_have_text("step 2")

    await tab.page.get_by_role("button", name="Step before").click()
    await expect(steps).to_have_text("step 1")
    await send(tab.studio.client, "one", 3, films(3))
    await expect(tab.page.get_by_role("slider", name="Step")).to_have_attribute("max", "3")
    await expect(steps).to_have_text("step 1")
    await tab.page.get_by_role("button", name="Play").click()
    await expect(steps).to_have_text("step 3")


async def test_boxes_never_change_their_size(tab: Tab) -> None:
    run = await send(
        tab.studio.client, "one", 1, {f"{_IMAGES}/a/0.png": image(9, 64), f"{_IMAGES}/a/1.png": image(9, 8)}
    )
    await mount(tab, [run], "ImagesSection")
    box = tab.page.locator(".film-box")
    empty = await box.bounding_box()
    await expect(tab.page.locator("img")).to_have_attribute("data-pixels", "true")
    assert await box.bounding_box() == empty
    await tab.page.get_by_role("button", name="Step before").click()
    await until(tab, "() => document.images[0].naturalWidth === 64")
    assert await box.bounding_box() == empty


async def test_a_film_fills_the_screen_zoomed_together(tab: Tab) -> None:
    ids = [await send(tab.studio.client, name, 1, films(0, 1)) for name in ("one", "two")]
    await mount(tab, ids, "ImagesSection")
    await tab.page.get_by_role("button", name="Enlarge samples of one").click()
    images = tab.page.locator(".viewer-box img")
    await expect(images).to_have_count(2)
    await images.first.hover()
    await tab.page.mouse.wheel(0, -400)
    shown = "[...document.querySelectorAll('.viewer-box img')].map((one) => getComputedStyle(one).transform)"
    await until(tab, f"() => {shown}.every((one) => parseFloat(one.slice(7)) > 1.5)")
    assert len(set(await tab.page.evaluate(shown))) == 1
    await expect(images.first).to_have_attribute("data-pixels", "true")
    await tab.page.keyboard.press("ArrowLeft")
    await expect(tab.page.locator(".viewer-part .film-step")).to_have_text(["step 0", "step 0"])
    async with tab.page.expect_download() as saved:
        await tab.page.get_by_role("button", name="Download the image of two").click()
    assert (await saved.value).suggested_filename == "samples-two-0.png"
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.locator("dialog")).to_have_count(0)


async def test_what_is_no_image_is_a_download_and_names_are_text(tab: Tab) -> None:
    svg = base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>').decode()
    path = f"{_IMAGES}/<img src=x onerror=alert(1)>/0.png"
    run = await send(tab.studio.client, "one<script>", 0, {path: {"image": svg}})
    await mount(tab, [run], "ImagesSection")
    link = tab.page.locator("a.film-none")
    await expect(link).to_contain_text("not shown: no PNG, JPEG, GIF or WebP")
    await expect(tab.page.locator(".film-card h4")).to_have_text("<img src=x onerror=alert(1)>")
    await expect(tab.page.locator(".film-run")).to_have_text("one<script>")
    assert await tab.page.locator("img").count() == 0

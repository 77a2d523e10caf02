"""What acceptance tests of the page share: runs to look at, colours of pixels, and what a page says of itself."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Final

from browser_stage import Tab
from git_cases import Repository
from media_stage import PLOTS, image, plot_of
from PIL import Image
from playwright.async_api import Locator, Page
from studio_stage import REPO_URL, SHA, Client, body

from livestream.events import Json, JsonObject

METRICS: Final = "dvclive/metrics.json"
Colour = tuple[int, int, int]

FLASH: Final[Colour] = (255, 209, 153)
LIGHT_PAPER: Final[Colour] = (246, 247, 249)
DARK_PAPER: Final[Colour] = (16, 19, 26)

SETTLED: Final = """() =>
    document.querySelector(".page-wait, .pane-wait, .bone, .spinner, .skeleton, .outline") === null
    && document.querySelector(".line, .page h1, .empty-state, .plot-card, main.narrow, main.wide") !== null"""


# -- runs


async def emit(client: Client, name: str, acc: float, step: int = 1, *, done: bool = False, sha: str = SHA) -> None:
    """Train one step: a metric, a parameter, and the point of a series."""
    data: JsonObject = {"step": step, "eval": {"acc": acc}}
    more: JsonObject = {
        "metrics": {METRICS: {"data": data}},
        "params": {"params.yaml": {"optimizer": {"lr": 0.1 + len(name) / 100, "name": "adam"}}},
        "plots": curve("eval/acc", [(step, acc)]),
    }
    await client.post(body("data", name, step, baseline_sha=sha, **more))
    if done:
        await client.post(body("done", name, baseline_sha=sha))


def curve(name: str, points: list[tuple[int, float]]) -> JsonObject:
    """Give the rows of one metric, a second a step."""
    leaf = name.rpartition("/")[2]
    rows: list[Json] = [
        {"step": step, "timestamp": 1_700_000_000_000 + 1000 * step, leaf: value} for step, value in points
    ]
    return {f"{PLOTS}/metrics/{name}.tsv": {"data": rows}}


def clone(folder: Path) -> list[str]:
    """Make a repository with a branch beside main; give the hashes of its commits."""
    repository = Repository(folder)
    repository.git("remote", "add", "origin", REPO_URL)
    hashes = [repository.commit(message) for message in ("Start", "Wider hidden layer", "Cosine schedule")]
    repository.git("checkout", "--quiet", "-b", "try-attention", "HEAD~1")
    hashes.append(repository.commit("Attention instead of convolution"))
    repository.git("checkout", "--quiet", "main")
    return hashes


async def fill(client: Client, shas: list[str]) -> None:
    """Send a few runs as people have them: live, done, failed, interrupted, with images and plots of templates."""
    for place, name in enumerate(("brisk-otter", "calm-heron", "eager-lynx", "fuzzy-ibex", "grand-finch")):
        sha = shas[place % len(shas)] if place != 3 else "d" * 40
        points = [(step, math.exp(-step / 20) + place / 10) for step in range(60)]
        plots = {
            **curve("train/loss", points),
            **curve("train/acc", [(step, 1 - loss / 2) for step, loss in points]),
            **curve("system/cpu/usage (%)", [(step, 40 + step % 7) for step, _ in points]),
            f"{PLOTS}/images/weights/0.png": image(40 * place),
            f"{PLOTS}/images/weights/50.png": image(250 - 40 * place),
            f"{PLOTS}/sklearn/cm.json": plot_of("confusion"),
            f"{PLOTS}/custom/roc.json": plot_of("simple"),
        }
        more: JsonObject = {
            "metrics": {METRICS: {"data": {"step": 59, "train": {"loss": points[-1][1], "acc": 0.9 - place / 50}}}},
            "params": {"params.yaml": {"optimizer": {"name": "adam", "lr": 0.1 / (place + 1)}, "seed": place}},
            "machine": {"cpu": {"count": 8}, "gpu": {"name": "A100"}},
        }
        await client.post(body("start", name, baseline_sha=sha, message="longer warm-up" if place % 2 else ""))
        await client.post(body("data", name, 59, baseline_sha=sha, plots=plots, **more))
        errors: list[Json] = []
        if place == 3:
            errors = [{"cls": "RuntimeError", "text": 'CUDA out of memory\n  File "train.py", line 80, in step'}]
        if place == 4:
            errors = [{"cls": "livestream.Terminated", "text": "SIGTERM"}]
        if place > 1:
            await client.post(body("done", name, baseline_sha=sha, errors=errors))


# -- the page


def names(page: Page) -> Locator:
    """Names in the table, from above."""
    return page.locator(".body .line.experiment .cell.name .text")


def cell(page: Page, run: str, column: int) -> Locator:
    """Give a cell of a run by the place of its column."""
    line = page.locator(".body .line.experiment", has=page.locator(".cell.name .text", has_text=re.compile(f"^{run}$")))
    return line.locator(f".cell[aria-colindex='{column}']")


async def column_of(page: Page, key: str) -> int:
    """Give the place of a column."""
    place = await page.locator(f".head-leaf:has(.head-label[title={key!r}])").get_attribute("aria-colindex")
    assert place is not None
    return int(place)


def forgive(tab: Tab, *parts: str) -> None:
    """Take what a test brings about by itself out of what stands against the page."""
    tab.troubles = [trouble for trouble in tab.troubles if not any(part in trouble for part in parts)]


# -- pixels


async def pixels(page: Page, x: float, y: float, width: float = 1, height: float = 1) -> Image.Image:
    """Look at a part of the window as it is painted now."""
    clip: Json = {"x": x, "y": y, "width": width, "height": height}
    return Image.open(io.BytesIO(await page.screenshot(clip=clip))).convert("RGB")


async def colour_at(page: Page, x: float, y: float) -> Colour:
    """Give the colour of one pixel of the window."""
    return colour_of(await pixels(page, x, y), 0, 0)


def colour_of(picture: Image.Image, x: int, y: int) -> Colour:
    found = picture.getpixel((x, y))
    assert isinstance(found, tuple)
    return (int(found[0]), int(found[1]), int(found[2]))


async def corner(locator: Locator) -> Colour:
    """Give the colour near the upper left corner of an element: its ground."""
    box = await locator.bounding_box()
    assert box is not None
    return await colour_at(locator.page, math.ceil(box["x"]) + 2, math.ceil(box["y"]) + 3)


async def middle(locator: Locator) -> Colour:
    """Give the colour in the middle of an element."""
    box = await locator.bounding_box()
    assert box is not None
    return await colour_at(locator.page, round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2))


def near(one: Colour, other: Colour, most: int = 6) -> bool:
    """Whether two colours look the same."""
    return all(abs(left - right) <= most for left, right in zip(one, other, strict=True))

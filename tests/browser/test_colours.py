"""The colours of runs: which slot each gets, and that people can see them and tell them apart."""

from __future__ import annotations

import itertools
import math
from typing import Final

from browser_stage import Tab

GROUNDS: Final = {False: ("#f6f7f9", "#ffffff"), True: ("#10131a", "#181c25")}
"""Paper and cards of studio.css, by whether it is dark."""
LEAST_CONTRAST: Final = 3.0
"""Of a line against what it is drawn on (WCAG 1.4.11)."""
LEAST_DISTANCE: Final = 0.08
"""In OKLab, between any two; people see a difference from 0.02 on, side by side and in large areas."""

PIXELS: Final = """({ colourOfSlot, SLOT_COUNT }, { isDark, grounds }) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const seen = (colour) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const colours = Array.from({ length: SLOT_COUNT }, (_, slot) => colourOfSlot(slot, isDark));
  return { colours: colours.map(seen), grounds: grounds.map(seen) };
}"""


def linear(rgb: list[int]) -> list[float]:
    parts = [part / 255 for part in rgb]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(rgb: list[int]) -> float:
    red, green, blue = linear(rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[int], other: list[int]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: list[int]) -> tuple[float, float, float]:
    red, green, blue = linear(rgb)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


async def test_every_colour_stands_out_from_its_ground_and_from_every_other_one(modules: Tab) -> None:
    for is_dark, grounds in GROUNDS.items():
        seen = await modules.run("core/colours.js", PIXELS, {"isDark": is_dark, "grounds": list(grounds)})
        assert isinstance(seen, dict)
        colours = seen["colours"]
        assert len(colours) == 12
        for slot, colour in enumerate(colours):
            assert min(contrast(colour, ground) for ground in seen["grounds"]) >= LEAST_CONTRAST, (is_dark, slot)
        for one, other in itertools.combinations(range(12), 2):
            assert math.dist(oklab(colours[one]), oklab(colours[other])) >= LEAST_DISTANCE, (is_dark, one, other)


async def test_runs_that_are_shown_together_never_share_a_slot_while_there_are_enough(modules: Tab) -> None:
    async def slots(ids: list[int]) -> list[int]:
        found = await modules.run("core/colours.js", "({ slotsOf }, ids) => [...slotsOf(ids).values()]", list(ids))
        assert isinstance(found, list)
        return found

    assert await slots([]) == []
    assert await slots([1, 2, 30]) == [1, 2, 6]  # each as it prefers
    assert await slots([1, 13]) == [1, 2]  # the later one gives way,
    assert await slots([13, 1]) == [1, 2]
    assert await slots([1, 13, 2]) == [1, 2, 3]  # and who finds that taken goes on
    assert await slots([11, 23]) == [11, 0]
    assert await slots([5, 5, 17]) == [5, 6]
    same = [12 * turn for turn in range(30)]
    found = await slots(same)
    assert sorted(found[:12]) == sorted(found[12:24]) == list(range(12))
    assert len(set(found[24:])) == 6
    assert await slots(same[:12]) == found[:12], "more runs leave the colours of the first as they are"


async def test_a_run_that_is_shown_with_no_other_one_has_the_colour_of_its_id(modules: Tab) -> None:
    script = """({ slotsOf, preferredSlot }, ids) =>
      ids.map((id) => [preferredSlot(id), slotsOf([id]).get(id)])"""
    ids = [0, 1, 11, 12, 1_234_567]
    assert await modules.run("core/colours.js", script, list(ids)) == [[one % 12] * 2 for one in ids]

from __future__ import annotations

import base64
import io
import json
import time
from random import Random

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.pipeline.encode import (
    Pixels,
    TooLargeToEncodeError,
    base64_capacity,
    base64_size,
    base64_text,
    png,
    to_json,
)

NO_LIMIT = 10**9


def shown(content: bytes, height: int, width: int, channels: int) -> bytes:
    """Give the pixels that Pillow sees in a PNG."""
    with PIL.Image.open(io.BytesIO(content)) as image:
        assert image.size == (width, height)
        assert image.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        return image.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 2, 3, 4]),
    seed=st.integers(0, 2**32),
    smooth=st.booleans(),
)
def test_pillow_shows_the_pixels_that_were_encoded(
    *, height: int, width: int, channels: int, seed: int, smooth: bool
) -> None:
    pixels = Random(seed).randbytes(height * width * channels)
    if smooth:
        pixels = bytes(byte // 32 + 3 * place % 256 // 8 for place, byte in enumerate(pixels))

    content = png(pixels, height=height, width=width, channels=channels, max_bytes=NO_LIMIT)

    assert shown(content, height, width, channels) == pixels


ROWS, COLUMNS = np.mgrid[0:700, 0:300]
PICTURES = {
    # Each favours another filter: differences to above, differences to the left, none.
    "curtain": (np.random.default_rng(1).integers(0, 256, (1, 300)) + ROWS // 7).astype(np.uint8),
    "slopes": (ROWS + COLUMNS * 37).astype(np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (700, 300), dtype=np.uint8),
    "flat": np.zeros((700, 300), dtype=np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_several_bands_is_shown_as_it_was(name: str, channels: int) -> None:
    pixels = np.repeat(PICTURES[name][:, :, None], channels, axis=2).tobytes()

    content = png(pixels, height=700, width=300, channels=channels, max_bytes=NO_LIMIT)

    assert shown(content, 700, 300, channels) == pixels


@pytest.mark.parametrize("name", ["curtain", "slopes"])
def test_a_picture_with_a_pattern_is_much_smaller_than_its_pixels(name: str) -> None:
    pixels = PICTURES[name].tobytes()

    assert len(png(pixels, height=700, width=300, channels=1, max_bytes=NO_LIMIT)) < len(pixels) / 50


def test_a_picture_wider_than_a_band_is_shown_as_it_was() -> None:
    pixels = Random(1).randbytes(2 * 150_000)

    assert shown(png(pixels, height=2, width=150_000, channels=1, max_bytes=NO_LIMIT), 2, 150_000, 1) == pixels


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda raw: memoryview(raw).cast("B", (2, 2, 3))])
def test_every_kind_of_buffer_gives_the_same_bytes(wrap: type[Pixels]) -> None:
    raw = bytes(range(12))

    assert png(wrap(raw), height=2, width=2, channels=3, max_bytes=NO_LIMIT) == png(
        raw, height=2, width=2, channels=3, max_bytes=NO_LIMIT
    )


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(0, 3, 1), (3, 0, 1), (-1, -3, 1), (1, 3, 5), (1, 1, 0), (1, 2, 1), (2**31, 1, 1)]
)
def test_an_impossible_geometry_is_refused(height: int, width: int, channels: int) -> None:
    with pytest.raises(ValueError, match=r"cannot make a PNG|needs \d+ bytes, not 3"):
        png(b"abc", height=height, width=width, channels=channels, max_bytes=NO_LIMIT)


@pytest.mark.parametrize("name", ["noise", "slopes"])
def test_the_limit_is_exact(name: str) -> None:
    pixels = PICTURES[name].tobytes()
    size = len(png(pixels, height=700, width=300, channels=1, max_bytes=NO_LIMIT))

    assert len(png(pixels, height=700, width=300, channels=1, max_bytes=size)) == size
    with pytest.raises(TooLargeToEncodeError) as caught:
        png(pixels, height=700, width=300, channels=1, max_bytes=size - 1)
    assert caught.value.limit == size - 1


def test_a_hopeless_image_is_given_up_early() -> None:
    pixels = Random(0).randbytes(6_000_000)

    def cost_s(max_bytes: int) -> float:
        started = time.process_time()
        try:
            png(pixels, height=2000, width=1000, channels=3, max_bytes=max_bytes)
        except TooLargeToEncodeError:
            assert max_bytes == 100_000
        else:
            assert max_bytes == NO_LIMIT
        return time.process_time() - started

    assert cost_s(100_000) < cost_s(NO_LIMIT) / 3


@given(content=st.binary(max_size=50))
def test_base64_is_the_standards_and_its_size_known_beforehand(content: bytes) -> None:
    text = base64_text(content)

    assert text == base64.b64encode(content)
    assert len(text) == base64_size(len(content))


@given(size=st.integers(0, 10**9))
def test_the_capacity_of_base64_is_the_most_that_fits(size: int) -> None:
    capacity = base64_capacity(size)

    assert base64_size(capacity) <= size < base64_size(capacity + 1)


def test_json_takes_integers_over_64_bits() -> None:
    assert json.loads(to_json({"n": [2**100, -(2**64)], "é": "é"})) == {"n": [2**100, -(2**64)], "é": "é"}


def test_json_takes_more_levels_than_orjson() -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]

    assert to_json(deep) == b"[" * 401 + b"]" * 401

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from livestream import images
from livestream.errors import InvalidEventError
from livestream.images import Pixels


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(buffer, kind)
    return buffer.getvalue()


def taken(value: object) -> Pixels:
    return images.take({"a.png": value})["a.png"]


class Tensor:
    """An array on another device, as torch hands it over."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        self._array = array

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> NDArray[np.float32]:
        return self._array


class HalfPrecision(Tensor):
    def numpy(self) -> NDArray[np.float32]:
        raise TypeError("Got unsupported ScalarType BFloat16")


@pytest.mark.parametrize(("kind", "name"), [("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp")])
@pytest.mark.parametrize("of", [bytes, bytearray, memoryview])
def test_the_bytes_of_an_image_file_stay_as_they_are(kind: str, name: str, of: Callable[[bytes], object]) -> None:
    content = encoded(kind)

    assert taken(of(content)) == Pixels(name, content)  # type: ignore[arg-type] # one of the formats


@pytest.mark.parametrize("of", [str, Path])
def test_a_path_is_read_at_once(of: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "picture of any name"
    path.write_bytes(encoded("PNG"))
    found = taken(of(path))
    path.unlink()

    assert found == Pixels("png", encoded("PNG"))


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"<svg/>", b"RIFF\0\0\0\0WAVE", b"\0" * 100], ids=repr)
def test_bytes_of_no_image_are_refused_whatever_their_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for value in (content, path):
        with pytest.raises(InvalidEventError, match=rf"{len(content)} bytes") as caught:
            taken(value)
        assert caught.value.field == "images['a.png']"


@pytest.mark.parametrize("path", ["no/such.png", "/", "nul\0", "\ud800"], ids=repr)
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(InvalidEventError, match="cannot be read") as caught:
        taken(path)

    assert caught.value.field == "images['a.png']"


@pytest.mark.parametrize(
    ("shape", "channels"), [((2, 3), 1), ((2, 3, 1), 1), ((2, 3, 3), 3), ((2, 3, 4), 4), ((1, 1), 1)]
)
def test_the_pixels_of_an_array_are_kept_row_by_row(shape: tuple[int, ...], channels: int) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)

    assert taken(array) == Pixels("raw", array.tobytes(), shape[0], shape[1], channels)


def test_a_view_is_kept_as_it_looks_and_not_as_it_lies() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)

    assert taken(array.T[::2]).content == bytes(array.T[::2].flatten())
    assert taken(np.asfortranarray(array)).content == bytes(range(24))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_from_0_to_1_become_the_nearest_byte_and_what_is_beyond_is_cut(kind: type[np.floating]) -> None:
    values = [0.0, 1.0, 0.5, 1 / 255, 254.4 / 255, -3.0, 2.0, 6e4, -6e4, np.inf, -np.inf, np.nan]
    found = taken(np.array([values], dtype=kind))

    assert list(found.content) == [0, 255, 128, 1, 254, 0, 255, 255, 0, 255, 0, 0]
    assert (found.format, found.height, found.width, found.channels) == ("raw", 1, len(values), 1)


def test_the_array_of_the_caller_is_not_changed() -> None:
    array = np.array([[0.5, np.nan]])
    taken(array)

    assert np.array_equal(array, [[0.5, np.nan]], equal_nan=True)


def test_booleans_are_black_and_white() -> None:
    assert taken(np.array([[True, False]])).content == b"\xff\x00"


def test_a_tensor_of_another_device_is_fetched() -> None:
    assert taken(Tensor(np.ones((2, 2), dtype=np.float32))) == Pixels("raw", b"\xff" * 4, 2, 2, 1)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.zeros((2, 2, 2)),
        np.zeros((2, 2, 5)),
        np.zeros((3, 8, 8)),
        np.zeros((1, 2, 2, 3)),
        np.zeros((0, 3)),
        np.zeros((3, 0, 3)),
        np.zeros((2, 2), dtype=np.int64),
        np.zeros((2, 2), dtype=np.uint16),
        np.zeros((2, 2), dtype=complex),
        np.array([[None]]),
        np.float64(1),
        HalfPrecision(np.zeros((2, 2), dtype=np.float32)),
        Image.new("RGB", (0, 2)),
        Image.new("La", (2, 2)),
        None,
        5,
        [[0, 1]],
        object(),
        Image,
    ],
    ids=lambda value: f"{type(value).__name__}{getattr(value, 'shape', '')}",
)
def test_what_is_no_image_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        images.take({"fine.png": encoded("PNG"), "b/c.png": value})

    assert caught.value.field == "images['b/c.png']"


MODES = {1: ["L"], 2: ["LA"], 4: ["RGBA", "PA", "RGBa"]}
MODES[3] = ["RGB", "1", "P", "CMYK", "YCbCr", "HSV", "I", "F", "RGBX", "LAB", "I;16"]


@pytest.mark.parametrize(("mode", "channels"), [(mode, count) for count, modes in MODES.items() for mode in modes])
def test_a_pillow_image_of_any_mode_has_the_pixels_that_pillow_shows(mode: str, channels: int) -> None:
    image = Image.new(mode, (3, 2))
    image.paste(Image.new(mode, (1, 1), 1 if mode in {"1", "P", "L", "I", "F", "I;16"} else None), (1, 0))
    found = taken(image)

    assert (found.format, found.height, found.width, found.channels) == ("raw", 2, 3, channels)
    shown = image.convert({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    assert found.content == shown.tobytes()


def test_a_palette_with_a_transparent_colour_keeps_its_transparency() -> None:
    image = Image.new("P", (2, 1), 3)
    image.info["transparency"] = 3

    assert taken(image).channels == 4
    assert taken(image).content[3::4] == b"\0\0"


def test_a_truncated_pillow_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with Image.open(path) as image, pytest.raises(InvalidEventError, match="truncated"):
        taken(image)


def test_a_figure_is_drawn_as_a_png() -> None:
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([1, 2])
    found = taken(figure)

    assert found.format == "png"
    assert Image.open(io.BytesIO(found.content)).size == (100, 100)


def test_a_figure_that_cannot_be_drawn_is_refused() -> None:
    figure = Figure()
    figure.suptitle("$\\nosuchcommand$")
    with pytest.raises(InvalidEventError, match="gives no image"):
        taken(figure)


@pytest.mark.parametrize("name", ["a", "a.svg", "a.pngx", "png", "", "../a.png", "a\\b.png", 5, None], ids=repr)
def test_a_name_that_is_no_image_files_is_refused(name: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        images.take({name: encoded("PNG")})

    assert caught.value.field == f"images[{name!r}]"


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "b/c.jpg", "x.y.jpeg", "ü.webp", "10.gif"])
def test_a_name_with_a_suffix_of_any_case_is_taken(name: str) -> None:
    assert list(images.take({name: encoded("JPEG")})) == [name]


@pytest.mark.parametrize("values", [[], "a.png", 5, [("a.png", b"")]], ids=repr)
def test_images_that_are_no_dict_are_refused(values: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        images.take(values)

    assert caught.value.field == "images"


def test_no_images_are_none() -> None:
    assert images.take(None) == {} == images.take({})

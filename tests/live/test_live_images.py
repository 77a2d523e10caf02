from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from dvclive.live import Live
from dvclive_oracle import move, real_live
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from livestream.images import Pixels
from livestream.live import images
from livestream.live.error import (
    InvalidDataTypeError,
    InvalidImageNameError,
    InvalidNameError,
    MissingPackageError,
)

mpl.use("agg")

Outcome = dict[str, bytes] | tuple[str, str]
"""Files below a folder, or an error's type and text."""

RANDOM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return real_live(tmp_path_factory.mktemp("real"))


def outcome(call: Callable[[], object], folder: Path) -> Outcome:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        return type(error).__name__, str(error)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ours(name: Any, value: object, folder: Path) -> Outcome:
    def log() -> None:
        picture = images.take(name, value)
        picture.save(str(folder / picture.name))

    return outcome(log, folder)


def theirs(real: Live, name: Any, value: Any, folder: Path) -> Outcome:
    """Ask DVCLive, which leaves files that it was given open."""
    move(real, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return outcome(lambda: real.log_image(name, value), folder / "plots" / "images")


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def pillow(mode: str) -> Image.Image:
    image = Image.fromarray(noise(20, 31, 4)).convert("RGB").convert("L" if mode == "I;16" else "RGB")
    return image.quantize(20) if mode == "P" else image.convert(mode)


def with_info(mode: str, **info: object) -> Image.Image:
    image = pillow(mode)
    image.info.update(info)
    return image


def with_settings(**settings: object) -> Image.Image:
    image = pillow("RGB")
    image.encoderinfo = settings  # how Pillow lets users set them beforehand
    return image


def transparent_palette() -> Image.Image:
    image = pillow("P")
    image.info["transparency"] = 3
    return image


ARRAYS: dict[str, Callable[[], object]] = {
    "grey": lambda: noise(7, 9),
    "grey and alpha": lambda: noise(7, 9, 2),
    "colour": lambda: noise(7, 9, 3),
    "colour and alpha": lambda: noise(7, 9, 4),
    "one channel": lambda: noise(7, 9, 1),
    "five channels": lambda: noise(7, 9, 5),
    "channels first": lambda: noise(3, 7, 9),
    "four dimensions": lambda: noise(1, 7, 9, 3),
    "one dimension": lambda: noise(9),
    "no dimension": lambda: np.array(7, dtype=np.uint8),
    "no rows": lambda: noise(0, 9),
    "no columns": lambda: noise(7, 0, 3),
    "transposed": lambda: noise(9, 7, 3).transpose(1, 0, 2),
    "every second": lambda: noise(14, 18, 3)[::2, ::-2],
    "read only": lambda: np.frombuffer(bytes(range(63)), dtype=np.uint8).reshape(7, 9),
    "masked": lambda: np.ma.array(noise(7, 9), mask=noise(7, 9) > 128, fill_value=7),
    "bools": lambda: noise(7, 9) > 128,
    "int8": lambda: noise(7, 9).astype(np.int8),
    "uint16": lambda: noise(7, 9).astype(np.uint16) * 257,
    "uint16 of another machine": lambda: noise(7, 9).astype(">u2") * 257,
    "int32": lambda: noise(7, 9).astype(np.int32),
    "int64": lambda: noise(7, 9).astype(np.int64),
    "float32": lambda: noise(7, 9).astype(np.float32),
    "float64": lambda: noise(7, 9) / 255,
    "float colour": lambda: noise(7, 9, 3) / 255,
    "complex": lambda: noise(7, 9).astype(complex),
    "objects": lambda: np.array([[None]]),
    "texts": lambda: np.array([["a"]]),
    "too wide for a JPEG": lambda: noise(1, 65_501),
    "as wide as a JPEG": lambda: noise(1, 65_500),
    "too high for a GIF": lambda: noise(65_536, 1),
}
PILLOWS: dict[str, Callable[[], object]] = {
    **{
        f"mode {mode}": partial(pillow, mode)
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F")
    },
    "transparent palette": transparent_palette,
    "no pixels": lambda: Image.new("RGB", (0, 3)),
    "icc profile": lambda: with_info("RGB", icc_profile=b"profile" * 99),
    "comment": lambda: with_info("RGB", comment=b"taken in the dark"),
    "comment that is too long": lambda: with_info("RGB", comment=b"x" * 70_000),
    "transparent colour": lambda: with_info("RGB", transparency=(1, 2, 3)),
    "transparent grey": lambda: with_info("L", transparency=7),
    "wrong transparency": lambda: with_info("RGB", transparency="red"),
    "gif settings": lambda: with_info("L", duration=120, loop=0, background=3, version=b"GIF89a"),
    "settings": lambda: with_settings(quality=30, optimize=True),
    "settings that cannot be": lambda: with_settings(quality="keep"),
    "subclass": lambda: Image.merge("RGB", [pillow("L")] * 3).resize((4, 5)),
}
FIGURES: dict[str, Callable[[], object]] = {
    "figure": lambda: drawn(Figure(figsize=(1, 1))),
    "figure of pyplot": lambda: drawn(plt.figure(figsize=(1, 1), facecolor="red")),
    "subclass of figure": lambda: drawn(type("Mine", (Figure,), {})(figsize=(1, 1))),
}
OTHERS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "number": lambda: 5,
    "list": lambda: [[0, 1]],
    "bytes": lambda: b"\x89PNG",
    "numpy scalar": lambda: np.uint8(3),
    "object": lambda: types_only,
}
VALUES = ARRAYS | PILLOWS | FIGURES | OTHERS


def types_only() -> None:
    """Stand for what is no image."""


def drawn(figure: Figure) -> Figure:
    figure.subplots().plot([1, 3, 2])
    return figure


def same_value(of: str) -> tuple[object, object]:
    """Make a value twice, of the same random numbers."""
    global RANDOM
    made = []
    for _ in range(2):
        RANDOM = np.random.default_rng(5)
        made.append(VALUES[of]())
    return made[0], made[1]


@pytest.mark.parametrize("suffix", images.SUFFIXES)
@pytest.mark.parametrize("of", VALUES)
@pytest.mark.filterwarnings("ignore:.*(invalid value|divide by zero):RuntimeWarning")
def test_files_and_errors_are_dvclives(of: str, suffix: str, real: Live, tmp_path: Path) -> None:
    first, second = same_value(of)
    expected = theirs(real, f"a/b{suffix}", first, tmp_path / "theirs")
    found = ours(f"a/b{suffix}", second, tmp_path / "ours")

    assert found == expected
    plt.close("all")


def file_of(kind: str, folder: Path) -> Path:
    path = folder / "picture"
    image = pillow("RGB")
    if kind == "GIF, animated":
        path = path.with_suffix(".gif")
        frames = [pillow("P"), Image.fromarray(noise(20, 31, 3)), pillow("RGB")]
        image.quantize(9).save(path, save_all=True, append_images=frames, duration=100, loop=0)
    elif kind == "PNG, animated":
        path = path.with_suffix(".png")
        image.save(path, save_all=True, append_images=[Image.fromarray(noise(20, 31, 3))])
    elif kind == "PNG, text and profile":
        path = path.with_suffix(".png")
        texts = PngImagePlugin.PngInfo()
        texts.add_text("prompt", "a cat")
        image.save(path, pnginfo=texts, icc_profile=b"profile", dpi=(72, 72))
    elif kind == "JPEG, turned":
        path = path.with_suffix(".jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path, quality=95, exif=exif, comment=b"turned")
    else:
        file_format, _, mode = kind.partition(" ")
        path = path.with_suffix(f".{file_format.lower()}")
        pillow(mode).save(path, file_format)
    return path


FILES = (
    "PNG RGB",
    "PNG RGBA",
    "PNG P",
    "PNG 1",
    "PNG LA",
    "PNG I;16",
    "PNG, animated",
    "PNG, text and profile",
    "JPEG RGB",
    "JPEG L",
    "JPEG CMYK",
    "JPEG, turned",
    "GIF P",
    "GIF L",
    "GIF, animated",
    "WEBP RGB",
    "BMP RGB",
    "TIFF F",
)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a", "folder.x/a"])
@pytest.mark.parametrize("kind", FILES)
def test_files_of_paths_are_dvclives(kind: str, name: str, real: Live, tmp_path: Path) -> None:
    path = file_of(kind, tmp_path)
    expected = theirs(real, name, path, tmp_path / "theirs")
    found = ours(name, str(path), tmp_path / "ours")

    assert found == expected


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", None, "cut"], ids=repr)
@pytest.mark.parametrize("name", ["a.png", "a.txt", "a"])
def test_paths_that_are_no_images_raise_as_in_dvclive(
    content: bytes | str | None, name: str, real: Live, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    if content == "cut":
        Image.fromarray(noise(64, 64, 3)).save(path)
        path.write_bytes(path.read_bytes()[:3000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    expected = theirs(real, name, path, tmp_path / "theirs")
    found = ours(name, path, tmp_path / "ours")

    assert isinstance(expected, tuple)
    assert isinstance(found, tuple)
    assert found[0] == expected[0]
    assert "Image" in found[0] or "a.png" in found[1] or found == expected


@pytest.mark.parametrize(
    "name", ["a", "a.PNG", "a.webp", ".png", "a.png.txt", "png", "", "a/.jpg", "a.png ", "..", "a.jpg/b"]
)
def test_names_without_a_known_suffix_are_refused_in_dvclives_words(name: str, real: Live, tmp_path: Path) -> None:
    expected = theirs(real, name, noise(2, 2), tmp_path / "theirs")

    assert ours(name, noise(2, 2), tmp_path / "ours") == expected
    with pytest.raises(InvalidImageNameError, match="Cannot log image with name"):
        images.take(name, noise(2, 2))


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "x/../../../y.gif", "nul\0.png", "\ud800.png"])
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="not the name of an image"):
        images.take(name, noise(2, 2))


@pytest.mark.parametrize(
    ("name", "found"), [("a//b.png", "a/b.png"), ("./a.png", "a.png"), (PurePath("a/b.png"), "a/b.png"), ("…", "….png")]
)
def test_a_name_is_the_path_of_its_file(name: Any, found: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    pillow("RGB").save(path)

    assert images.take(name, path).name == found


def test_the_type_is_refused_before_the_name_and_the_path_is_opened_before_it() -> None:
    with pytest.raises(InvalidDataTypeError, match=r"Data 'a\.txt' has not supported type <class 'int'>"):
        images.take("a.txt", 5)
    with pytest.raises(FileNotFoundError):
        images.take("a.txt", "no/such.png")
    with pytest.raises(InvalidImageNameError):
        images.take("a.txt", np.zeros((2, 2)))


def test_the_stream_gets_raw_pixels_which_the_file_is_made_of_too() -> None:
    array = noise(7, 9, 3)
    picture = images.take("a.png", array)

    assert picture.pixels == Pixels("raw", array.tobytes(), 7, 9, 3)
    assert picture.saved is picture.pixels
    assert picture.size_bytes == 7 * 9 * 3


def test_later_changes_of_an_array_and_of_an_image_do_not_matter(tmp_path: Path) -> None:
    array, image = noise(7, 9, 3), pillow("RGBA")
    expected = [array.copy(), np.asarray(image)]
    pictures = [images.take("a.png", array), images.take("a.png", image)]
    array[:] = 0
    image.paste((0, 0, 0, 0), (0, 0, *image.size))

    for picture, pixels in zip(pictures, expected, strict=True):
        picture.save(str(tmp_path / "a.png"))
        assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)


def test_a_file_may_go_as_soon_as_it_was_taken(tmp_path: Path) -> None:
    path = file_of("JPEG RGB", tmp_path)
    content = path.read_bytes()
    picture = images.take("a.png", path)
    path.unlink()

    assert picture.pixels == Pixels("jpeg", content)
    assert picture.size_bytes == len(content) + 20 * 31 * 3
    assert Image.open(io.BytesIO(picture.encoded())).size == (31, 20)


@pytest.mark.parametrize("kind", ["JPEG, turned", "PNG, animated", "BMP RGB"])
def test_a_file_that_browsers_show_otherwise_or_not_is_streamed_as_it_is_saved(kind: str, tmp_path: Path) -> None:
    picture = images.take("a.png", file_of(kind, tmp_path))

    assert (picture.pixels.format, picture.pixels.height, picture.pixels.width) == ("raw", 20, 31)
    assert picture.saved is picture.pixels


@pytest.mark.parametrize("of", ["uint16", "mode P", "mode F", "bools", "figure"])
def test_what_is_not_8_bits_is_streamed_as_its_file(of: str) -> None:
    picture = images.take("a.gif", VALUES[of]())

    assert picture.pixels == Pixels("gif", picture.encoded())
    assert picture.size_bytes == len(picture.encoded())


def test_pyplot_forgets_a_figure() -> None:
    figure = plt.figure()
    images.take("a.png", figure)

    assert not plt.fignum_exists(figure.number)


def test_what_pillow_has_refused_it_refuses_each_time() -> None:
    for _ in range(2):
        with pytest.raises(OSError, match="cannot write mode RGBA as JPEG"):
            images.take("a.jpg", noise(2, 2, 4))


def test_a_missing_pillow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for value in (noise(2, 2), "a.png"):
        with pytest.raises(MissingPackageError, match=r"log_image needs pillow.*livestream\[images\]"):
            images.take("a.png", value)


def test_a_figure_needs_no_pyplot_and_the_import_needs_no_numpy_and_no_pillow() -> None:
    script = """
import sys
import livestream.live.images, livestream.live.encoder, livestream.live.plots, livestream.live.sklearn
assert not {"numpy", "PIL", "matplotlib", "pandas", "sklearn"} & set(sys.modules)
from matplotlib.figure import Figure
livestream.live.images.take("a.png", Figure())
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

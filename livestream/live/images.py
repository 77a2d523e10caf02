"""Images: what ``log_image`` takes, checked and kept as it is now; the file is encoded later, by another thread.

DVCLive encodes in the call, and its errors come from there: Pillow has no PNG of floats and no JPEG with transparency.
Here the errors still come from the call, by Pillow's own hand, while the work does not: whether a format takes a kind
of image depends on the kind and not on the pixels, so one pixel of it is saved in memory, once for each kind.

What a training logs (grey or colour, 8 bits, with or without transparency) is then copied as raw pixels, which the
stream and the encoder share. Everything else, palettes, 16 bits, floats, sizes that a format may refuse and figures,
becomes the bytes of its file at once: rare, and no copy of it is simpler or safer than its file.

Types are known by name as in DVCLive, so Pillow and numpy are imported only where somebody uses them.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final, Literal

import msgspec

from livestream.events import Json
from livestream.images import Pixels, sniff
from livestream.live.error import InvalidDataTypeError, InvalidImageNameError, MissingPackageError
from livestream.live.naming import below
from livestream.live.writing import put_bytes

SUFFIXES: Final = (".jpg", ".jpeg", ".gif", ".png")

_FORMATS: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".png": "PNG"}
_KINDS: Final[Mapping[tuple[str, str], Literal["array", "figure", "image"]]] = {
    ("numpy", "ndarray"): "array",
    ("matplotlib.figure", "Figure"): "figure",
    ("PIL.Image", "Image"): "image",
}
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_CHANNELS: Final = {mode: channels for channels, mode in _MODES.items()}
_MAX_SIDE: Final = 65_500
"""Pixels; JPEG's limit, the least of the three formats."""

_accepted: set[tuple[str, str]] = set()  # modes and formats that have been tried


class Picture(msgspec.Struct, frozen=True):
    """An image as it was when it was logged.

    Attributes:
        name: Its path below the folder of images.
        pixels: For the stream.
        saved: What the file is made of: raw pixels that are still to be encoded, or its bytes.
        format: Pillow's name of the file's format.
        info: What Pillow knows of it beside the pixels, and may put into the file.
    """

    name: str
    pixels: Pixels
    saved: Pixels
    format: str
    info: dict[Any, Any] = {}

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        shared = self.saved is self.pixels
        return len(self.saved.content) + (0 if shared else len(self.pixels.content))

    def encoded(self) -> bytes:
        """Give the bytes of its file, as Pillow's ``save`` makes them."""
        saved = self.saved
        if saved.format != "raw":
            return saved.content
        mode, size = _MODES[saved.channels], (saved.width, saved.height)
        image = _pillow().frombuffer(mode, size, saved.content, "raw", mode, 0, 1)
        image.info = dict(self.info)
        return _encode(image, self.format)

    def save(self, path: str) -> None:
        """Write the file, whole, and the folder it goes to where that is missing.

        Raises:
            OSError: It cannot be written.
        """
        put_bytes(path, self.encoded())


def take(name: str, value: Json) -> Picture:
    """Take an image as it is now; the caller may change it, or its file, afterwards.

    Args:
        name: Its file's path below the folder of images; where it has no suffix, an image's path lends its own.
        value: A numpy array, a Pillow image, a matplotlib figure (which pyplot then forgets), or a path.

    Raises:
        InvalidDataTypeError: The value is something else.
        InvalidImageNameError: The name has none of ``SUFFIXES``.
        InvalidNameError: The name leaves the folder.
        MissingPackageError: Pillow is not installed.
        TypeError: Pillow makes no image of the array.
        OSError: The path cannot be read as an image, or an image of its kind cannot be saved under such a name.
        Exception: What else Pillow and matplotlib raise where they cannot save an image.
    """
    if isinstance(value, str | PurePath):
        return _of_path(name, value)
    kind = next((_KINDS[key] for cls in type(value).__mro__ if (key := (cls.__module__, cls.__name__)) in _KINDS), None)
    if kind is None:
        raise InvalidDataTypeError(name, type(value))
    place, suffix = _place(name)
    if kind == "figure":
        return _of_figure(place, suffix, value)
    if kind == "array":
        return _of_array(place, _FORMATS[suffix], value)
    return _of_image(place, _FORMATS[suffix], value)


def _place(name: str) -> tuple[str, str]:
    path = PurePath(name)
    if path.suffix not in SUFFIXES:
        raise InvalidImageNameError(name)
    return below("an image", str(path)), path.suffix


def _of_path(name: str, path: str | PurePath) -> Picture:
    pillow = _pillow()
    suffix = PurePath(path).suffix
    if not PurePath(name).suffix and suffix in SUFFIXES:
        name = f"{name}{suffix}"
    with pillow.open(path) as image:
        place, suffix = _place(name)
        picture = _of_image(place, _FORMATS[suffix], image)
        if picture.saved.format != "raw" or not _shows_the_same(image):
            return picture
    with open(path, "rb") as file:
        content = file.read()
    kind = sniff(content)
    return picture if kind is None else msgspec.structs.replace(picture, pixels=Pixels(kind, content))


def _shows_the_same(image: Json) -> bool:
    """Tell whether a file looks in a browser as its first frame does; what it tells of places and people stays here."""
    return not (getattr(image, "is_animated", False) or "exif" in image.info or "xmp" in image.info)


def _of_figure(place: str, suffix: str, figure: Json) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:])
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:  # else it cannot know the figure
        pyplot.close(figure)
    return _of_bytes(place, _FORMATS[suffix], buffer.getvalue())


def _of_array(place: str, file_format: str, array: Json) -> Picture:
    pillow = _pillow()
    shape = array.shape
    channels = 1 if len(shape) == 2 else shape[2] if len(shape) == 3 and shape[2] > 1 else 0
    is_plain = type(array).__name__ == "ndarray" and array.dtype.str == "|u1"  # a masked array is read otherwise
    if not is_plain or channels not in _MODES or not _is_usual_size(shape[1], shape[0]):
        return _of_image(place, file_format, pillow.fromarray(array))
    _try(_MODES[channels], file_format, {})
    pixels = Pixels("raw", array.tobytes(), shape[0], shape[1], channels)
    return Picture(place, pixels, pixels, file_format)


def _of_image(place: str, file_format: str, image: Json) -> Picture:
    width, height = image.size
    settings = getattr(image, "encoderinfo", None)  # what the user wants of the encoder
    if image.mode not in _CHANNELS or settings or not _is_usual_size(width, height):
        return _of_bytes(place, file_format, _encode(image, file_format))
    image.load()  # a file tells the rest of its info only here
    info = dict(image.info)
    _try(image.mode, file_format, info)
    pixels = Pixels("raw", image.tobytes(), height, width, _CHANNELS[image.mode])
    return Picture(place, pixels, pixels, file_format, info)


def _of_bytes(place: str, file_format: str, content: bytes) -> Picture:
    pixels = Pixels(sniff(content) or "png", content)
    return Picture(place, pixels, pixels, file_format)


def _is_usual_size(width: int, height: int) -> bool:
    return 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE


def _try(mode: str, file_format: str, info: dict[Any, Any]) -> None:
    """Save one pixel in memory: it raises what saving the whole image would."""
    if info or (mode, file_format) not in _accepted:
        pixel = _pillow().new(mode, (1, 1))
        pixel.info = dict(info)
        _encode(pixel, file_format)
        if not info:
            _accepted.add((mode, file_format))


def _encode(image: Json, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def _pillow() -> Any:
    try:
        from PIL import Image  # noqa: PLC0415 - 30 ms, and an extra
    except ImportError as error:
        raise MissingPackageError("log_image", "pillow", "images") from error
    return Image

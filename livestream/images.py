"""What ``emit()`` takes for an image: nothing is encoded here, raw pixels stay raw, and the daemon makes PNGs of them.

Types are known by what they can do, not by their module, so nothing here imports numpy, Pillow or matplotlib: an array
has ``__array_interface__``, a Pillow image has ``tobytes()`` and ``mode``, a matplotlib figure has ``savefig()``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Final

import msgspec

from livestream.content import check_name, items, type_name
from livestream.errors import InvalidEventError
from livestream.events import Image, ImageFormat, Json

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp")


class Pixels(msgspec.Struct, frozen=True):
    """An image as it came: bytes of a file, or raw uint8 pixels with their shape."""

    format: ImageFormat
    content: bytes
    height: int = 0
    width: int = 0
    channels: int = 0


def take(values: object) -> dict[str, Pixels]:
    """Take images as they are, by name.

    Raises:
        InvalidEventError: A name or an image cannot be sent.
    """
    return {name: take_one(name, value) for name, value in items("images", values)}


def take_one(name: object, value: object) -> Pixels:
    """Take an image as it is: nothing is encoded here, raw pixels stay raw.

    Raises:
        InvalidEventError: The name or the content cannot be sent; also where a path cannot be read.
    """
    field = f"images[{name!r}]"
    check_name(field, name)
    if not str(name).lower().endswith(IMAGE_SUFFIXES):
        raise InvalidEventError(field, f"the name of an image ends with one of {', '.join(IMAGE_SUFFIXES)}")
    if isinstance(value, bytes | bytearray | memoryview):
        return _file(field, bytes(value))
    if isinstance(value, str | PurePath):
        try:
            with open(value, "rb") as file:
                return _file(field, file.read())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidEventError(field, f"{os.fspath(value)!r} cannot be read: {reason}") from error
    try:
        if hasattr(value, "mode") and hasattr(value, "tobytes") and hasattr(value, "convert"):
            return _pillow(field, value)
        if hasattr(value, "savefig"):
            return _figure(value)
        return _array(field, value)
    except InvalidEventError:
        raise
    except Exception as error:  # the caller's object raises what it likes
        raise InvalidEventError(field, f"{type_name(value)} gives no image ({error})") from error


def store(pixels: Mapping[str, Pixels], place: Callable[[Image, bytes], Image | None]) -> dict[str, Image]:
    """Put images in place, by ``place``; those for which there is no room are left out."""
    stored: dict[str, Image] = {}
    for name, image in pixels.items():
        described = Image(
            format=image.format,
            size=len(image.content),
            height=image.height,
            width=image.width,
            channels=image.channels,
        )
        if (placed := place(described, image.content)) is not None:
            stored[name] = placed
    return stored


def sniff(content: bytes) -> ImageFormat | None:
    """Tell an image file's format by its first bytes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None


def _file(field: str, content: bytes) -> Pixels:
    kind = sniff(content)
    if kind is None:
        raise InvalidEventError(field, f"{len(content)} bytes that are neither PNG, JPEG, GIF nor WebP")
    return Pixels(kind, content)


def _pillow(field: str, value: Json) -> Pixels:
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
    if value.mode not in channels:
        value = value.convert("RGBA" if "transparency" in value.info or value.mode in {"PA", "La", "RGBa"} else "RGB")
    width, height = value.size
    if not width or not height:
        raise InvalidEventError(field, f"an image without pixels ({width}x{height})")
    return Pixels("raw", value.tobytes(), height, width, channels[value.mode])


def _figure(value: Json) -> Pixels:
    import io  # noqa: PLC0415 - only where a figure is given

    buffer = io.BytesIO()
    value.savefig(buffer, format="png")
    return Pixels("png", buffer.getvalue())


def _array(field: str, value: Json) -> Pixels:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if not hasattr(value, "__array_interface__"):
        raise InvalidEventError(
            field, f"bytes, a path, an array, a Pillow image or a matplotlib figure is wanted, not {type_name(value)}"
        )
    shape = tuple(value.shape)
    if len(shape) not in {2, 3} or (len(shape) == 3 and shape[2] not in {1, 3, 4}) or 0 in shape:
        raise InvalidEventError(field, f"an array is HxW, HxWx1, HxWx3 or HxWx4, not {'x'.join(map(str, shape))}")
    kind = value.dtype.kind
    if kind == "f":
        value = value.clip(0, 1) * 255.0 + 0.5
        value[value != value] = 0  # noqa: PLR0124 - NaN is the value that differs from itself
        value = value.astype("uint8")
    elif kind == "b":
        value = value.astype("uint8") * 255
    elif value.dtype.name != "uint8":
        raise InvalidEventError(field, f"pixels are uint8, or floats from 0 to 1, not {value.dtype.name}")
    return Pixels("raw", value.tobytes(), shape[0], shape[1], shape[2] if len(shape) == 3 else 1)

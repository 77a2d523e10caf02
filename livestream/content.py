"""What ``emit()`` takes, made into what an event holds; what cannot be sent is named before anything is stored.

Types are known by what they can do, not by their module, so nothing here imports numpy, torch or Pillow: a numpy scalar
and a one-element tensor have ``item()``, an array has ``__array_interface__``, a Pillow image has ``tobytes()`` and
``mode``, a matplotlib figure has ``savefig()``.

Floats that JSON cannot hold travel as the texts ``"nan"``, ``"inf"`` and ``"-inf"``, as DVCLive sends them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Final

import msgspec

from livestream.errors import InvalidEventError
from livestream.events import ImageFormat, Json, JsonObject, Plot, Scalar

MAX_NAME_LENGTH: Final = 500
MAX_DEPTH: Final = 32
IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp")
STEP_KEY: Final = "step"
"""The wire keeps the step in metrics.json under this name."""

_INT64: Final = range(-(2**63), 2**63)
_PLOT_PROPS: Final = frozenset({"template", "x", "y", "title", "x_label", "y_label"})


class Pixels(msgspec.Struct, frozen=True):
    """An image as it came: bytes of a file, or raw uint8 pixels with their shape."""

    format: ImageFormat
    content: bytes
    height: int = 0
    width: int = 0
    channels: int = 0


class Names:
    """The metric names of one run: each is a leaf of the summary's tree, and no leaf can also be a branch."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self._branches: set[str] = set()

    def add(self, name: str) -> None:
        """Check a name and remember it.

        Raises:
            InvalidEventError: It cannot be a metric's name, or it is in the way of another.
        """
        field = f"metrics[{name!r}]"
        check_name(field, name)
        if name == STEP_KEY:
            raise InvalidEventError(field, "the step has its own argument: emit(..., step=n)")
        parts = name.split("/")
        branches = ["/".join(parts[:count]) for count in range(1, len(parts))]
        for branch in branches:
            if branch in self.known:
                raise InvalidEventError(field, f"{branch!r} is a metric already, so nothing can be below it")
        if name in self._branches:
            raise InvalidEventError(field, f"there are metrics below {name!r} already, so it cannot be one")
        self.known.add(name)
        self._branches.update(branches)


def check_name(field: str, name: object) -> None:
    """Check that a name is a relative path that stays inside its folder and that every file system can hold.

    Raises:
        InvalidEventError: It is not.
    """
    if not isinstance(name, str):
        raise InvalidEventError(field, f"a name is a str, not {_type(name)}")
    if not name or len(name) > MAX_NAME_LENGTH:
        raise InvalidEventError(field, f"a name has 1 to {MAX_NAME_LENGTH} characters, this one {len(name)}")
    if not name.isprintable() or "\\" in name:
        raise InvalidEventError(field, "a name has no control characters, no backslash and no broken Unicode")
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise InvalidEventError(field, "a name is a relative path without empty parts, '.' or '..'")


def metrics(values: object, names: Names) -> dict[str, Scalar]:
    """Make metrics plain.

    Raises:
        InvalidEventError: A name or a value cannot be sent.
    """
    if not isinstance(values, Mapping):
        raise InvalidEventError("metrics", f"a dict of names to numbers is wanted, not {_type(values)}")
    plain: dict[str, Scalar] = {}
    for name, value in values.items():
        plain[name] = scalar(f"metrics[{name!r}]", value)
    for name in plain:
        if name not in names.known:
            names.add(name)
    return plain


def scalar(field: str, value: object) -> Scalar:
    """Make one metric plain: int, float, str or bool, also inside a numpy scalar, 0-d array or one-element tensor.

    Raises:
        InvalidEventError: It is something else.
    """
    if isinstance(value, str):
        return _text(field, value)
    if isinstance(value, bool | int | float):
        return _number(field, value)
    item = getattr(value, "item", None)
    if not callable(item):
        raise InvalidEventError(field, f"an int, float, str or bool is wanted, not {_type(value)}")
    try:
        inner = item()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidEventError(field, f"{_type(value)} is not a single number ({error})") from error
    if isinstance(inner, bool | int | float | str):
        return scalar(field, inner)
    raise InvalidEventError(field, f"{_type(value)} holds {_type(inner)}, which is not a number")


def params(values: object) -> JsonObject:
    """Make parameters plain: names to scalars, None, dates, lists and dicts of them.

    Raises:
        InvalidEventError: A name or a value cannot be sent.
    """
    if not isinstance(values, Mapping):
        raise InvalidEventError("params", f"a dict of names to values is wanted, not {_type(values)}")
    return _object("params", values, 0)


def images(values: object) -> dict[str, Pixels]:
    """Take images as they are, by name.

    Raises:
        InvalidEventError: A name or an image cannot be sent.
    """
    return {name: image(name, value) for name, value in _items("images", values)}


def plots(values: object) -> dict[str, Plot]:
    """Make custom plots plain, by name.

    Raises:
        InvalidEventError: A name or a plot cannot be sent.
    """
    return {name: plot(name, value) for name, value in _items("plots", values)}


def check_choice(field: str, value: object, accepted: tuple[str | None, ...]) -> None:
    """Check an argument that is one of a few words.

    Raises:
        InvalidEventError: It is none of them.
    """
    if value not in accepted:
        raise InvalidEventError(field, f"one of {accepted} is wanted, not {value!r}")


def plot(name: object, value: object) -> Plot:
    """Make a custom plot plain: a list of row dicts, or ``{"data": rows, "template": ..., "x": ..., ...}``.

    Raises:
        InvalidEventError: The name, a prop or a row cannot be sent.
    """
    field = f"plots[{name!r}]"
    check_name(field, name)
    props: JsonObject = {}
    rows = value
    if isinstance(value, Mapping):
        rows = value.get("data")
        props = {key: _json(f"{field}[{key!r}]", prop, 0) for key, prop in value.items() if key != "data"}
        if unknown := sorted(set(props) - _PLOT_PROPS):
            raise InvalidEventError(field, f"unknown props {unknown}: {sorted(_PLOT_PROPS)} are known")
    if not isinstance(rows, list | tuple):
        raise InvalidEventError(field, f"a list of row dicts is wanted, not {_type(rows)}")
    plain: list[JsonObject] = []
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidEventError(f"{field}[{number}]", f"a row is a dict, not {_type(row)}")
        plain.append(_object(f"{field}[{number}]", row, 0))
    return Plot(rows=plain, props=props)


def step(value: object) -> int:
    """Make a step plain.

    Raises:
        InvalidEventError: It is not a whole number of 64 bits.
    """
    index = getattr(value, "__index__", None)
    if isinstance(value, bool) or index is None:
        raise InvalidEventError("step", f"a whole number is wanted, not {_type(value)}")
    number = int(index())
    if number not in _INT64:
        raise InvalidEventError("step", "a step has 64 bits at most")
    return number


def timestamp_ms(value: object, now_s: float) -> int:
    """Make a timestamp plain: ``True`` is now, a number is seconds since the epoch, a datetime is itself.

    Raises:
        InvalidEventError: It is something else.
    """
    if value is True:
        return int(now_s * 1000)
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return int(value * 1000)
    raise InvalidEventError("timestamp", f"seconds since the epoch, a datetime or True are wanted, not {_type(value)}")


def image(name: object, value: object) -> Pixels:
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
        except OSError as error:
            raise InvalidEventError(field, f"{os.fspath(value)} cannot be read: {error.strerror}") from error
    if hasattr(value, "mode") and hasattr(value, "tobytes") and hasattr(value, "convert"):
        return _pillow(value)
    if hasattr(value, "savefig"):
        return _figure(value)
    return _array(field, value)


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


def _items(field: str, values: object) -> list[tuple[str, Json]]:
    if values is None:
        return []
    if not isinstance(values, Mapping):
        raise InvalidEventError(field, f"a dict by name is wanted, not {_type(values)}")
    return list(values.items())


def _file(field: str, content: bytes) -> Pixels:
    kind = sniff(content)
    if kind is None:
        raise InvalidEventError(field, f"{len(content)} bytes that are neither PNG, JPEG, GIF nor WebP")
    return Pixels(kind, content)


def _pillow(value: Json) -> Pixels:
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
    if value.mode not in channels:
        value = value.convert("RGBA" if "transparency" in value.info or value.mode in {"PA", "La", "RGBa"} else "RGB")
    width, height = value.size
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
            field, f"bytes, a path, an array, a Pillow image or a matplotlib figure is wanted, not {_type(value)}"
        )
    shape = tuple(value.shape)
    if len(shape) not in {2, 3} or (len(shape) == 3 and shape[2] not in {1, 3, 4}) or 0 in shape:
        raise InvalidEventError(field, f"an array is HxW, HxWx1, HxWx3 or HxWx4, not {'x'.join(map(str, shape))}")
    kind = value.dtype.kind
    if kind == "f":
        scaled = value * 255.0
        value = (scaled + 0.5).clip(0, 255)
        value[value != value] = 0  # noqa: PLR0124 - NaN is the value that differs from itself
        value = value.astype("uint8")
    elif kind == "b":
        value = value.astype("uint8") * 255
    elif value.dtype.name != "uint8":
        raise InvalidEventError(field, f"pixels are uint8, or floats from 0 to 1, not {value.dtype.name}")
    return Pixels("raw", value.tobytes(), shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


def _number(field: str, value: int | float) -> Scalar:  # noqa: PYI041 - mypy narrows the two apart
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if value not in _INT64:
        raise InvalidEventError(field, "a whole number has 64 bits at most: send it as a float or a str")
    return int(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


def _text(field: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidEventError(field, "text with lone surrogates is not Unicode, and JSON cannot hold it") from error
    return str(value)


def _object(field: str, values: Mapping[Json, Json], depth: int) -> JsonObject:
    plain: JsonObject = {}
    for key, value in values.items():
        if not isinstance(key, str | int | float | bool):
            raise InvalidEventError(field, f"a key is a str, not {_type(key)}")
        plain[_text(field, str(key))] = _json(f"{field}[{key!r}]", value, depth + 1)
    return plain


def _json(field: str, value: Json, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise InvalidEventError(field, f"nested deeper than {MAX_DEPTH} levels, or in itself")
    if value is None:
        return None
    if isinstance(value, Mapping):
        return _object(field, value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(f"{field}[{number}]", item, depth + 1) for number, item in enumerate(value)]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    if hasattr(value, "tolist") and getattr(value, "shape", ()) not in {(), (1,)}:
        return _json(field, value.tolist(), depth + 1)
    return scalar(field, value)


def _type(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"

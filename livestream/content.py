"""What ``emit()`` takes, made into what an event holds; what cannot be sent is named before anything is stored.

Types are known by what they can do, not by their module, so nothing here imports numpy or torch: a numpy scalar and a
one-element tensor have ``item()``, an array has ``tolist()``.

Floats that JSON cannot hold travel as the texts ``"nan"``, ``"inf"`` and ``"-inf"``, as DVCLive sends them.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Final, TypeVar

from livestream.errors import InvalidEventError
from livestream.events import Json, JsonObject, Plot, Scalar

MAX_NAME_LENGTH: Final = 500
MAX_DEPTH: Final = 32
MAX_TIMESTAMP_S: Final = 2.0**52
"""Milliseconds beyond it have no 64 bits; NaN and infinities are not below it either."""
STEP_KEY: Final = "step"
"""The wire keeps the step in metrics.json under this name."""

_T = TypeVar("_T")
_INT64: Final = range(-(2**63), 2**63)
JSON_INTEGERS: Final = range(-(2**63), 2**64)
"""What orjson writes."""

_PLOT_PROPS: Final = frozenset({"template", "x", "y", "title", "x_label", "y_label"})


class Names:
    """The metric names of one run: each is a leaf of the summary's tree, and no leaf can also be a branch."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self._branches: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Check the names of one event and remember them, all or none.

        Raises:
            InvalidEventError: One cannot be a metric's name, or it is in the way of another.
        """
        leaves: set[str] = set()
        branches: set[str] = set()
        for name in names:
            if name in self.known:
                continue
            field = f"metrics[{name!r}]"
            check_name(field, name)
            if name == STEP_KEY:
                raise InvalidEventError(field, "the step has its own argument: emit(..., step=n)")
            parts = name.split("/")
            above = ["/".join(parts[:count]) for count in range(1, len(parts))]
            for branch in above:
                if branch in self.known or branch in leaves:
                    raise InvalidEventError(field, f"{branch!r} is a metric already, so nothing can be below it")
            if name in self._branches or name in branches:
                raise InvalidEventError(field, f"there are metrics below {name!r} already, so it cannot be one")
            leaves.add(name)
            branches.update(above)
        self.known |= leaves
        self._branches |= branches


def check_name(field: str, name: object) -> None:
    """Check that a name is a relative path that stays inside its folder and that every file system can hold.

    Raises:
        InvalidEventError: It is not.
    """
    if not isinstance(name, str):
        raise InvalidEventError(field, f"a name is a str, not {type_name(name)}")
    if not name or len(name) > MAX_NAME_LENGTH:
        raise InvalidEventError(field, f"a name has 1 to {MAX_NAME_LENGTH} characters, this one {len(name)}")
    if not name.isprintable() or "\\" in name:
        raise InvalidEventError(field, "a name has no control characters, no backslash and no broken Unicode")
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise InvalidEventError(field, "a name is a relative path without empty parts, '.' or '..'")


def items(field: str, values: object) -> list[tuple[str, Json]]:
    """Give the entries of an argument that is a dict by name, or none.

    Raises:
        InvalidEventError: It is no dict.
    """
    if values is None:
        return []
    if not isinstance(values, Mapping):
        raise InvalidEventError(field, f"a dict by name is wanted, not {type_name(values)}")
    return [(_exact(name), value) for name, value in values.items()]


def type_name(value: object) -> str:
    """Name a value's type as an error text wants it."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def metrics(values: object, names: Names) -> dict[str, Scalar]:
    """Make metrics plain.

    Raises:
        InvalidEventError: A name or a value cannot be sent.
    """
    if not isinstance(values, Mapping):
        raise InvalidEventError("metrics", f"a dict of names to numbers is wanted, not {type_name(values)}")
    plain: dict[str, Scalar] = {}
    for name, value in values.items():
        plain[_exact(name)] = scalar(f"metrics[{name!r}]", value)
    names.add(plain)
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
        raise InvalidEventError(field, f"an int, float, str or bool is wanted, not {type_name(value)}")
    try:
        inner = item()
        if _kind(inner) == "f":  # a numpy.longdouble is its own item
            inner = float(inner)
    except Exception as error:  # the caller's object raises what it likes
        raise InvalidEventError(field, f"{type_name(value)} is not a single number ({error})") from error
    if isinstance(inner, bool | int | float | str):
        return scalar(field, inner)
    raise InvalidEventError(field, f"{type_name(value)} holds {type_name(inner)}, which is not a number")


def params(values: object, field: str = "params") -> JsonObject:
    """Make parameters, or what is like them, plain: names to scalars, None, dates, lists and dicts of them.

    Raises:
        InvalidEventError: A name or a value cannot be sent.
    """
    if not isinstance(values, Mapping):
        raise InvalidEventError(field, f"a dict of names to values is wanted, not {type_name(values)}")
    return _object(field, values, 0)


def plots(values: object) -> dict[str, Plot]:
    """Make custom plots plain, by name.

    Raises:
        InvalidEventError: A name or a plot cannot be sent.
    """
    return {name: plot(name, value) for name, value in items("plots", values)}


def check_text(field: str, value: object) -> None:
    """Check an argument that is a text or ``None``.

    Raises:
        InvalidEventError: It is something else, or no Unicode.
    """
    if not isinstance(value, str | None):
        raise InvalidEventError(field, f"a str is wanted, not {type_name(value)}")
    if value is not None:
        _text(field, value)


def folder(field: str, value: object) -> str:
    """Make a folder's path plain.

    Raises:
        InvalidEventError: It is no path.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidEventError(field, f"a folder's path is wanted, not {type_name(value)}")
    return path


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
        if unknown := [key for key in props if key not in _PLOT_PROPS]:
            raise InvalidEventError(field, f"unknown props {unknown}: {sorted(_PLOT_PROPS)} are known")
    if not isinstance(rows, list | tuple):
        raise InvalidEventError(field, f"a list of row dicts is wanted, not {type_name(rows)}")
    plain: list[JsonObject] = []
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidEventError(f"{field}[{number}]", f"a row is a dict, not {type_name(row)}")
        plain.append(_object(f"{field}[{number}]", row, 0))
    return Plot(rows=plain, props=props)


def step(value: object) -> int:
    """Make a step plain.

    Raises:
        InvalidEventError: It is not a whole number of 64 bits.
    """
    if isinstance(value, bool):
        raise InvalidEventError("step", "a whole number is wanted, not bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type] # that is what is being found out
    except Exception as error:  # the caller's object raises what it likes
        raise InvalidEventError("step", f"a whole number is wanted, not {type_name(value)}") from error
    if number not in _INT64:
        raise InvalidEventError("step", "a step has 64 bits at most")
    return number


def timestamp_ms(value: object, now_s: float) -> int:
    """Make a timestamp plain: ``True`` is now, a number is seconds since the epoch, a datetime is itself.

    Raises:
        InvalidEventError: It is something else.
    """
    seconds: object = value
    if value is True:
        seconds = now_s
    elif isinstance(value, datetime):
        try:
            seconds = value.timestamp()
        except (OverflowError, OSError, ValueError) as error:
            raise InvalidEventError("timestamp", f"{value} is beyond this machine's clock") from error
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and abs(seconds) <= MAX_TIMESTAMP_S:
        return int(seconds * 1000)
    raise InvalidEventError(
        "timestamp", f"seconds since the epoch, a datetime or True are wanted, not {type_name(value)}"
    )


def _number(field: str, value: int | float) -> Scalar:  # noqa: PYI041 - mypy narrows the two apart
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if int(value) not in JSON_INTEGERS:
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
    return _exact(value)


def _exact(name: _T) -> _T:
    """Give a str for a subclass of it (an Enum's member, a numpy.str_): as a key, only str itself is encoded."""
    return str.__str__(name) if isinstance(name, str) else name  # type: ignore[return-value] # equal, and hashed alike


def _kind(value: object) -> object:
    """Give the kind of a numpy value: ``f`` for floats."""
    return getattr(getattr(value, "dtype", None), "kind", None)


def _object(field: str, values: Mapping[Json, Json], depth: int) -> JsonObject:
    plain: JsonObject = {}
    for key, value in values.items():
        if not isinstance(key, str | int | float | bool):
            raise InvalidEventError(field, f"a key is a str, not {type_name(key)}")
        text = _text(field, key if isinstance(key, str) else str(key))
        if text in plain:
            raise InvalidEventError(field, f"two keys are {text!r}")
        plain[text] = _json(f"{field}[{key!r}]", value, depth + 1)
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
    if hasattr(value, "tolist") and getattr(value, "shape", ()) not in ((), (1,)):
        try:
            values = value.tolist()
        except Exception as error:  # the caller's object raises what it likes
            raise InvalidEventError(field, f"{type_name(value)} gives no list ({error})") from error
        return _json(field, values, depth + 1)
    return scalar(field, value)

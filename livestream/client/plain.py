"""Whatever a caller's dictionaries hold, made into what every JSON encoder on the way takes, or refused by its path.

The spool's events are read again by msgspec and written again by orjson, which agree on less than Python's ``json``
does: on text keys, on no subclasses, on numbers of 64 bits, and on Unicode without lone surrogates. Numbers that do
not fit go as text: NaN and the infinities as ``"nan"``, ``"inf"``, ``"-inf"`` (DVCLive's convention), whole numbers of
more than 64 bits (a seed, a hash) as their digits.
"""

from __future__ import annotations

import math
from typing import Final

from livestream.client.schema import Path, place
from livestream.content import JSON_INTEGERS, type_name
from livestream.events import Json

MAX_LEVELS: Final = 200
"""orjson writes 254 levels; the rest is for what the body puts around the caller's dictionaries."""

_CONSTANT_KEYS: Final = {True: "true", False: "false", None: "null"}


class NotJsonError(ValueError):
    """A value cannot be sent; the text says which."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{problem} @ {place(path)}")


def plain(value: Json, path: Path = ()) -> Json:
    """Make a value plain; tuples become lists, and keys become texts as ``json.dumps`` has it.

    Args:
        path: Where it stands in the body, for the error.

    Raises:
        NotJsonError: It, or something in it, cannot be sent.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if len(path) > MAX_LEVELS:
        raise NotJsonError(path[:3], f"nested deeper than {MAX_LEVELS} levels, or in itself")
    if isinstance(value, dict):
        return {_key(key, path): plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, number)) for number, item in enumerate(value)]
    raise NotJsonError(path, f"{type_name(value)} cannot be sent as JSON")


def _text(value: str, path: Path) -> str:
    text = str.__str__(value)  # of an Enum, its value and not its name
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NotJsonError(path, "text with lone surrogates cannot be sent as JSON") from None
    return text


def _integer(value: int, path: Path) -> int | str:
    number = int(value)
    if number in JSON_INTEGERS:
        return number
    try:
        return str(number)
    except ValueError:  # Python's own bound on digits
        raise NotJsonError(path, "a whole number of that many digits cannot be sent") from None


def _key(key: Json, path: Path) -> str:
    if isinstance(key, str):
        return _text(key, (*path, key))
    if isinstance(key, float):
        return float.__repr__(key)
    if isinstance(key, bool) or key is None:
        return _CONSTANT_KEYS[key]
    if isinstance(key, int):
        return str(_integer(key, path))
    raise NotJsonError(path, f"a key that is {type_name(key)} cannot be sent as JSON")

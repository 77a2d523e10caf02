"""The language in which a list of experiments is filtered and sorted: texts in, values out, no database.

A *condition* is a key, an operator and a value; every condition of a request must hold:

    condition = key operator value
    key       = field | group *1( "[" file "]" ) 1*( "." name )
    field     = "id" | "name" | "status" | "step" | "created" | "updated" | "repository" | "baseline" | "message"
              | "client"
    group     = "metrics" | "params"
    file      = quoted | characters other than "]"
    name      = quoted | characters other than . [ ] " = ! < > ~
    operator  = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
    value     = quoted | all that is left
    quoted    = a JSON string

for example ``status=running``, ``metrics.train.loss<0.5``, ``params[params.yaml].optimizer~adam`` and
``metrics."a.b">=1``. Spaces around the three parts do not count. A key of metrics or params without a file is looked
for in every file, by name; the first that has it is meant. A *sort* is a key, or "-" and a key for falling order.

What is compared, so that nobody has to guess:

* ``~`` asks whether the text contains the value; case does not count. Every other comparison of texts is exact.
* ``id`` and ``step`` are numbers; ``created`` and ``updated`` are times, written as seconds since the epoch or as a
  date (``2026-11-20``, ``2026-11-20T12:00Z``; UTC unless it says otherwise); the other fields are texts.
* Leaves of metrics and params are compared as numbers where both sides read as numbers ("nan" and "inf" do, "true" is 1
  and "false" 0), else as texts. NaN equals NaN, and is neither smaller nor greater than anything.
* ``!=`` holds exactly where ``=`` does not, so also where the experiment has no such value. No other condition holds
  there. A list is compared as its JSON text; a dictionary is no value.
* Sorted by a key, numbers come first, then texts, then NaN, then experiments without a value, whichever the direction.
  Equals stay newest first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from livestream.events import Json

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Held: TypeAlias = int | float | str | None
"""What an experiment holds under a key; None: nothing."""
Group: TypeAlias = Literal["metrics", "params"]

TEXT_FIELDS: Final = frozenset({"name", "status", "repository", "baseline", "message", "client"})
NUMBER_FIELDS: Final = frozenset({"id", "step"})
TIME_FIELDS: Final = frozenset({"created", "updated"})
FIELDS: Final = TEXT_FIELDS | NUMBER_FIELDS | TIME_FIELDS

_GROUPS: Final[Mapping[str, Group]] = {"metrics": "metrics", "params": "params"}

MAX_NAMES: Final = 32
"""The deepest path of a key: SQLite's JSON functions and people both stop following long before."""

_NUMBER: Final = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,9})?", re.ASCII)
_WORDS: Final[Mapping[str, float]] = {
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "-infinity": -math.inf,
}
_TRUTH: Final[Mapping[str, float]] = {"true": 1, "false": 0}
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BARE_NAME: Final = re.compile(r'[^.\[\]"=!<>~]+')
_BARE_FILE: Final = re.compile(r"[^\]]+")
_WORD: Final = re.compile(r"[a-z]+")
_OPERATOR: Final = re.compile(r"!=|<=|>=|=|<|>|~")

T = TypeVar("T")


class QueryError(ValueError):
    """A condition or a sort that cannot be read; says what stands wrong and what was expected."""


class FieldKey(msgspec.Struct, frozen=True):
    """A fact every experiment may have."""

    field: str


class LeafKey(msgspec.Struct, frozen=True):
    """A leaf of the metrics or params; ``file`` None: of whichever file has it."""

    group: Group
    file: str | None
    names: tuple[str, ...]


Key: TypeAlias = FieldKey | LeafKey


class Wanted(msgspec.Struct, frozen=True):
    """A condition's value; ``number`` is None where the text does not read as one."""

    text: str
    number: int | float | None


class Condition(msgspec.Struct, frozen=True):
    """One condition, read."""

    key: Key
    operator: Operator
    wanted: Wanted


class Sort(msgspec.Struct, frozen=True):
    """One sort, read."""

    key: Key
    falling: bool = False


# -- reading


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        QueryError: It is none; the text says at which character.
    """
    key, at = _read_key(text, _skip(text, 0))
    at = _skip(text, at)
    match = _OPERATOR.match(text, at)
    if match is None:
        raise QueryError(f"{_near(text, at)} expected one of = != < <= > >= ~")
    operator: Operator = match.group()  # type: ignore[assignment]
    return Condition(key, operator, _wanted(key, operator, text[match.end() :].strip()))


def parse_sort(text: str) -> Sort:
    """Read a sort.

    Raises:
        QueryError: It is none.
    """
    start = _skip(text, 0)
    falling = text.startswith("-", start)
    return Sort(_read_whole_key(text, start + falling), falling)


def parse_key(text: str) -> Key:
    """Read a key alone.

    Raises:
        QueryError: It is none.
    """
    return _read_whole_key(text, 0)


def _read_whole_key(text: str, at: int) -> Key:
    key, at = _read_key(text, _skip(text, at))
    if (end := _skip(text, at)) != len(text):
        raise QueryError(f"{_near(text, end)} expected nothing after the key")
    return key


def _read_key(text: str, at: int) -> tuple[Key, int]:
    """Read a key at ``at``; returns it with the place behind it."""
    match = _WORD.match(text, at)
    word = match.group() if match else ""
    if (group := _GROUPS.get(word)) is not None:
        return _read_leaf(text, group, at + len(word))
    if word not in FIELDS:
        raise QueryError(f"{_near(text, at)} expected one of {', '.join(sorted(FIELDS))}, metrics.NAME or params.NAME")
    return FieldKey(word), at + len(word)


def _read_leaf(text: str, group: Group, at: int) -> tuple[LeafKey, int]:
    file: str | None = None
    if text.startswith("[", at):
        file, at = _read_word(text, at + 1, _BARE_FILE, "a file")
        if not text.startswith("]", at):
            raise QueryError(f"{_near(text, at)} expected ]")
        at += 1
    names: list[str] = []
    while text.startswith(".", at):
        name, at = _read_word(text, at + 1, _BARE_NAME, "a name")
        names.append(name)
    if not names:
        raise QueryError(f"{_near(text, at)} expected .NAME after {group}")
    if len(names) > MAX_NAMES:
        raise QueryError(f"key: {len(names)} names; at most {MAX_NAMES}")
    return LeafKey(group, file, tuple(names)), at


def _read_word(text: str, at: int, bare: re.Pattern[str], what: str) -> tuple[str, int]:
    if match := _QUOTED.match(text, at):
        return _unquote(match.group(), at), match.end()
    match = bare.match(text, at)
    if match is None or text.startswith('"', at):
        raise QueryError(f"{_near(text, at)} expected {what}")
    return match.group().strip(), match.end()


def _unquote(quoted: str, at: int) -> str:
    try:
        return msgspec.json.decode(quoted.encode(), type=str)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise QueryError(f"character {at + 1}: not a JSON string: {error}") from None


def _wanted(key: Key, operator: Operator, text: str) -> Wanted:
    """Read a value as its key asks for."""
    quoted = _QUOTED.fullmatch(text)
    text = _unquote(text, 0) if quoted else text
    if isinstance(key, LeafKey):
        return Wanted(text, None if quoted else _number(text))
    if key.field in TEXT_FIELDS:
        return Wanted(text, None)
    number = _number(text) if key.field in NUMBER_FIELDS else _time(text)
    if number is None:
        kind = "a number" if key.field in NUMBER_FIELDS else "seconds since the epoch, or a date such as 2026-11-20"
        raise QueryError(f"{key.field}: {text[:50]!r}; expected {kind}")
    if operator == "~":
        raise QueryError(f"{key.field}: ~ is for texts")
    return Wanted(text, number)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _near(text: str, at: int) -> str:
    return f"character {at + 1} ({text[at : at + 20]!r}):"


def _number(text: str) -> int | float | None:
    lowered = text.lower()
    if lowered in _TRUTH:
        return _TRUTH[lowered]
    return plain_number(lowered)


def plain_number(text: str) -> int | float | None:
    """Read a text as a number, ``nan`` and ``inf`` included; None where it is none."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _time(text: str) -> int | float | None:
    number = plain_number(text)
    if number is not None:
        return None if _is_nan(number) else number
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


# -- judging


def leaf(value: Json) -> Held:
    """Give what a value of metrics or params counts as: nothing for a dictionary, the JSON of a list."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict):
        return None
    if isinstance(value, list):
        return msgspec.json.encode(value).decode()
    held: Held = value
    return held


def holds(condition: Condition, held: Iterable[Held]) -> bool:
    """Whether a condition holds of what stands under its key; of several values (clients) one is enough."""
    if condition.operator == "!=":
        return not any(_equal(value, condition.wanted) for value in held)
    return any(_meets(value, condition.operator, condition.wanted) for value in held)


def _meets(held: Held, operator: Operator, wanted: Wanted) -> bool:
    if held is None:
        return False
    if operator == "~":
        return wanted.text.casefold() in str(held).casefold()
    if operator == "=":
        return _equal(held, wanted)
    number = _held_number(held)
    if number is not None and wanted.number is not None:
        return _ordered(operator, number, wanted.number)
    if isinstance(held, str) and wanted.number is None:
        return _ordered(operator, held, wanted.text)
    return False


def _equal(held: Held, wanted: Wanted) -> bool:
    if held is None:
        return False
    if wanted.number is not None:
        number = _held_number(held)
        if number is not None:
            return number == wanted.number or (_is_nan(number) and _is_nan(wanted.number))
    return str(held) == wanted.text


def _held_number(held: float | str) -> int | float | None:
    return plain_number(held.lower()) if isinstance(held, str) else held


def _ordered(operator: Operator, left: T, right: T) -> bool:
    return _ORDERS[operator](left, right)


_ORDERS: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "<": lambda left, right: left < right,  # type: ignore[operator]
    "<=": lambda left, right: left <= right,  # type: ignore[operator]
    ">": lambda left, right: left > right,  # type: ignore[operator]
    ">=": lambda left, right: left >= right,  # type: ignore[operator]
}


def _is_nan(value: float) -> bool:
    return value != value  # noqa: PLR0124 - an int of any size has no isnan


# -- sorting


def sort_by(items: Sequence[T], sorts: Sequence[Sort], held: Callable[[T, int], Held]) -> list[T]:
    """Sort by the first sort, equals by the second, and so on; equals of all keep their order.

    ``held(item, number)`` is what an item holds under the key of that sort.
    """
    result = list(items)
    for number in reversed(range(len(sorts))):
        result = _sorted_once(result, [held(item, number) for item in result], sorts[number])
    return result


def _sorted_once(items: list[T], held: list[Held], sort: Sort) -> list[T]:
    numbers: list[tuple[float, T]] = []
    texts: list[tuple[str, T]] = []
    nans: list[T] = []
    without: list[T] = []
    words = _WORDS if isinstance(sort.key, LeafKey) else {}
    for item, value in zip(items, held, strict=True):
        if value is None:
            without.append(item)
            continue
        rank = words.get(value, value) if isinstance(value, str) else value
        if isinstance(rank, str):
            texts.append((rank, item))
        elif _is_nan(rank):
            nans.append(item)
        else:
            numbers.append((rank, item))
    numbers.sort(key=lambda pair: pair[0], reverse=sort.falling)
    texts.sort(key=lambda pair: pair[0], reverse=sort.falling)
    return [item for _, item in numbers] + [item for _, item in texts] + nans + without

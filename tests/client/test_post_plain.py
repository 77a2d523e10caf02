from __future__ import annotations

import json
import math
from collections import namedtuple
from collections.abc import Callable
from enum import Enum, IntEnum
from fractions import Fraction

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.client.plain import MAX_LEVELS, NotJsonError, plain
from livestream.events import Json


class Colour(str, Enum):  # noqa: UP042 - the older way, whose str() is its name
    RED = "red"


class Level(IntEnum):
    LOW = 1


Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - an untyped one, as a caller may have

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS
KEY_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXTS | st.integers() | st.booleans() | st.none() | KEY_NUMBERS, inner)
    ),
    max_leaves=10,
)


def without_infinities(value: Json) -> Json:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, list | tuple):
        return [without_infinities(item) for item in value]
    return {key: without_infinities(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(VALUES)
def test_what_json_can_hold_is_what_pythons_json_would_write(value: Json) -> None:
    expected = json.loads(json.dumps(without_infinities(value)))

    made = plain(value)

    assert made == expected
    assert orjson.loads(orjson.dumps(made)) == expected
    assert msgspec.json.decode(msgspec.json.encode(made)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64("nan"), "nan"),
        (np.float64(0.5), 0.5),
        (2**64 - 1, 2**64 - 1),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Point(1, 2), [1, 2]),
        ({2.5: 1, None: 1, True: 1, Colour.RED: 1}, {"2.5": 1, "null": 1, "true": 1, "red": 1}),
        ({Level.LOW: 1, 2**70: 2, math.inf: 3}, {"1": 1, str(2**70): 2, "inf": 3}),
    ],
)
def test_what_only_python_has_gets_a_plain_value(value: Json, expected: Json) -> None:
    made = plain(value)

    assert made == expected
    assert type(made) is type(expected)


def nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


def itself() -> Json:
    value: list[Json] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: {"a": [0, {1}]}, "set cannot be sent as JSON @ data['a'][1]"),
        (lambda: {"a": np.float32(1)}, "numpy.float32 cannot be sent as JSON @ data['a']"),
        (lambda: {"a": np.zeros(2)}, "numpy.ndarray cannot be sent as JSON @ data['a']"),
        (lambda: {"a": b"x"}, "bytes cannot be sent as JSON @ data['a']"),
        (lambda: {Fraction(1): 1}, "a key that is fractions.Fraction cannot be sent as JSON @ data"),
        (lambda: {"a": "\ud800"}, "text with lone surrogates cannot be sent as JSON @ data['a']"),
        (lambda: {"\ud800": 1}, "text with lone surrogates cannot be sent as JSON @ data['\\ud800']"),
        (lambda: {"a": 10**5000}, "a whole number of that many digits cannot be sent @ data['a']"),
        (lambda: {"a": itself()}, "nested deeper than 200 levels, or in itself @ data['a'][0][0]"),
        (lambda: nested(MAX_LEVELS + 2), "nested deeper than 200 levels, or in itself @ data[0][0][0]"),
    ],
)
def test_what_cannot_be_sent_is_named_by_its_place(make: Callable[[], Json], text: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        plain(make())

    assert str(caught.value) == text


def test_the_deepest_value_that_is_taken_fits_every_encoder() -> None:
    value = plain({"params": nested(MAX_LEVELS)})

    assert orjson.loads(orjson.dumps([[value]])) == [[value]]
    assert msgspec.json.decode(msgspec.json.encode(value)) == value

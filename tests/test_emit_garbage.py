from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from training_cases import events, eventually, only_queue

import livestream
from livestream.errors import InvalidEventError
from livestream.events import Data
from livestream.run import Run


class Name(enum.StrEnum):
    LOSS = "train/loss"


class Broken:
    """An object whose methods raise what nobody expects."""

    shape = (2,)
    mode = "RGB"

    def item(self) -> float:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")

    def tolist(self) -> list[float]:
        raise LookupError("gone")

    def tobytes(self) -> bytes:
        raise BufferError("no")

    def convert(self, _mode: str) -> Broken:
        return self

    def __index__(self) -> int:
        raise BufferError("no")


numpy_values = st.one_of(
    st.floats(width=16).map(np.float16),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.longdouble),
    st.integers(-128, 127).map(np.int8),
    st.lists(st.floats(), max_size=3).map(np.array),
    st.floats().map(np.array),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=8),
    st.binary(max_size=4),
    st.complex_numbers(),
    st.datetimes(),
    st.decimals(),
    st.sampled_from([object(), Name.LOSS, Broken(), range(3), int]),
    numpy_values,
)
keys = st.one_of(
    st.sampled_from(["a", "a/b", "b", "step", "a/b/c", "..", ""]),
    st.text(st.characters(exclude_categories=[]), max_size=6),
    st.integers(),
    st.floats(),
    st.none(),
    st.sampled_from([Name.LOSS, np.str_("a")]),
)
garbage = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
pictures = st.one_of(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 2, 3, 4])).map(np.zeros),
    st.lists(st.lists(st.floats(width=16), min_size=2, max_size=2), max_size=2).map(np.array),
    st.sampled_from([Image.new(mode, (2, 2)) for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "La")]),
    st.sampled_from([Image.new("RGB", (0, 2)), b"GIF89a", "no/such/file.png", "nul\0", "/", Path("."), Broken()]),
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "metrics": st.dictionaries(keys, leaves, max_size=4) | garbage,
        "params": st.dictionaries(keys, garbage, max_size=3) | garbage,
        "plots": st.dictionaries(keys, st.lists(st.dictionaries(keys, leaves, max_size=3), max_size=3) | garbage)
        | garbage,
        "images": st.dictionaries(keys | st.sampled_from(["a.png", "b/c.JPEG"]), pictures | leaves) | garbage,
        "timestamp": garbage,
        "step": garbage,
    },
)


@pytest.fixture
def training(spool: Path) -> Iterator[Run]:
    run = livestream.init("garbage", spool=spool)
    yield run
    run.end()


def test_whatever_is_emitted_is_refused_by_name_or_stored_whole(training: Run, spool: Path) -> None:
    last = 1  # start

    @given(arguments)
    @example({"metrics": {"a": 2**64 - 1, "b": -(2**63)}, "step": 2**63 - 1, "timestamp": 2.0**52})
    @example({"step": None})  # one past the last step of 64 bits
    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def emit(given_: Mapping[str, Any]) -> None:
        nonlocal last
        problem: InvalidEventError | None = None
        try:
            seq = training.emit(**given_)
        except InvalidEventError as error:
            problem, seq = error, last
        if problem is None:
            last += 1
        else:
            assert str(problem).startswith(f"{problem.field}: ")
            assert problem.field.split("[")[0] in {*given_, "step"}
        assert seq == last

    emit()
    training.end()

    folder = only_queue(spool)
    eventually((folder / "00000001.sealed").exists)
    stored = events(folder)
    assert len(stored) == last + 1
    assert sum(isinstance(event, Data) for event in stored) == last - 1
    assert training.refused == {}

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.studio.auth.buckets import Buckets


def test_a_burst_passes_then_the_rate_holds() -> None:
    buckets = Buckets(rate_s=2.0, burst=3.0)

    assert [buckets.take("a", 0.0) for _ in range(5)] == [None, None, None, 0.5, 0.5]
    assert buckets.take("a", 0.5) is None
    assert buckets.take("a", 0.5) == pytest.approx(0.5)


def test_keys_have_buckets_of_their_own() -> None:
    buckets = Buckets(rate_s=1.0, burst=1.0)

    assert [buckets.take(key, 0.0) for key in "aabb"] == [None, 1.0, None, 1.0]


def test_looking_takes_nothing() -> None:
    buckets = Buckets(rate_s=1.0, burst=1.0)

    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [None] * 3
    assert len(buckets) == 0
    buckets.take("a", 0.0)
    assert buckets.wait_s("a", 0.25) == pytest.approx(0.75)


def test_memory_is_bounded_and_the_one_longest_unused_goes_first() -> None:
    buckets = Buckets(rate_s=0.001, burst=1.0, max_buckets=3)
    for key in "abca":
        buckets.take(key, 0.0)

    buckets.take("d", 0.0)

    assert len(buckets) == 3
    assert buckets.wait_s("b", 0.0) is None
    assert buckets.wait_s("a", 0.0) is not None


def test_a_clock_that_steps_back_gives_no_drops() -> None:
    buckets = Buckets(rate_s=1.0, burst=1.0)
    buckets.take("a", 100.0)

    assert buckets.take("a", 0.0) == 1.0


@given(
    st.floats(0.1, 1000),
    st.integers(1, 100),
    st.lists(st.floats(0, 10), max_size=200),
)
def test_never_more_than_the_burst_and_the_rate_pass(rate_s: float, burst: int, waits: list[float]) -> None:
    buckets, now_s, passed = Buckets(rate_s=rate_s, burst=burst), 0.0, 0
    for wait in waits:
        now_s += wait
        passed += buckets.take("a", now_s) is None

    assert passed <= burst + now_s * rate_s + 1e-6

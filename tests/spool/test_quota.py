from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.spool.quota import (
    MAX_QUOTA_BYTES,
    Weight,
    allowance,
    default_quota_bytes,
    free_bytes,
)

GIB = 1024**3


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (0, Weight.IMAGES),
        (899, Weight.IMAGES),
        (900, Weight.PLOTS),
        (949, Weight.PLOTS),
        (950, Weight.SCALARS),
        (999, Weight.SCALARS),
        (1000, Weight.EDGE),
        (10**12, Weight.EDGE),
        (-5, Weight.IMAGES),
    ],
)
def test_images_go_first_then_plots_then_scalars_and_start_and_done_never(used: int, expected: Weight) -> None:
    assert allowance(used, 1000) is expected


@given(used=st.integers(0, 2**60), more=st.integers(0, 2**60), quota=st.integers(0, 2**60))
def test_a_fuller_spool_never_takes_more(used: int, more: int, quota: int) -> None:
    assert allowance(used + more, quota) <= allowance(used, quota)
    assert allowance(used, quota) >= Weight.EDGE


@pytest.mark.parametrize(
    ("free", "expected"), [(0, 0), (GIB, GIB // 10), (100 * GIB, 10 * GIB), (101 * GIB, 10 * GIB), (2**60, 10 * GIB)]
)
def test_the_quota_is_a_tenth_of_what_is_free_and_10_gib_at_most(free: int, expected: int) -> None:
    assert default_quota_bytes(free) == expected
    assert MAX_QUOTA_BYTES == 10 * GIB


def test_free_space_is_what_this_user_may_take(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)

    assert 0 < free_bytes(tmp_path) <= status.f_blocks * status.f_frsize
    with pytest.raises(OSError):
        free_bytes(tmp_path / "missing")

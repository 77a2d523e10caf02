from __future__ import annotations

from pathlib import Path

import pytest

from livestream.errors import ConfigError
from livestream.studio.settings import StatusBounds, StudioLimits, StudioSettings, adjust, names


def test_every_bound_and_limit_can_be_set(tmp_path: Path) -> None:
    wanted = {name: default * 2 for name, default in names().items()}

    adjusted = adjust(StudioSettings(data=tmp_path), [f"{name}={value}" for name, value in wanted.items()])

    said = {name: getattr(adjusted.bounds, name, None) or getattr(adjusted.limits, name) for name in wanted}
    assert said == wanted


def test_what_is_not_set_keeps_its_default(tmp_path: Path) -> None:
    adjusted = adjust(StudioSettings(data=tmp_path, port=0), ["silent_s = 90", "max_plots=7"])

    assert adjusted.bounds == StatusBounds(silent_s=90.0)
    assert adjusted.limits == StudioLimits(max_plots=7)
    assert adjusted.port == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("silent=90", "silent"),
        ("silent_s", "silent_s"),
        ("silent_s=-1", "silent_s"),
        ("silent_s=nan", "silent_s"),
        ("max_plots=1.5", "max_plots"),
        ("max_plots=0", "max_plots"),
        ("max_plots=", "max_plots"),
        ("data=/", "data"),
    ],
)
def test_what_cannot_be_set_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        adjust(StudioSettings(data=tmp_path), [text])

"""Reports of a run."""

from __future__ import annotations

from livestream.live import Live


def make_report(live: Live) -> None:
    """Bring a run's report up to date."""
    live.make_report()

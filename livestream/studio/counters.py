"""What a Studio counts of itself since it started, for ``/metrics``."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counters:
    """Only the event loop's thread changes these. ``answers`` counts responses by route and status."""

    answers: dict[tuple[str, int], int] = field(default_factory=dict)
    body_bytes: int = 0
    commits: int = 0
    deliveries: int = 0
    points_new: int = 0
    points_known: int = 0
    repeats: int = 0
    large_bodies: int = 0
    large_refused: int = 0
    viewers: int = 0
    viewers_reset: int = 0
    sign_ins_failed: int = 0
    alerts_sent: int = 0
    alerts_failed: int = 0
    alerts_dropped: int = 0

    def answered(self, route: str, status: int) -> None:
        """Count one response."""
        key = route, status
        self.answers[key] = self.answers.get(key, 0) + 1

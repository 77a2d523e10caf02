"""A writer's losses, counted where a SIGKILL cannot take them: in the journal's header."""

from __future__ import annotations

import logging
from pathlib import Path

from livestream.spool.journal import Journal

logger = logging.getLogger("livestream")


class Losses:
    """Events that were refused, by reason, and events that went without their images. The writer's lock covers it."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self._journal = journal
        self._folder = folder
        self._refused: dict[str, int] = {}
        self._trimmed = 0

    @property
    def refused(self) -> dict[str, int]:
        """Events refused so far, by reason."""
        return dict(self._refused)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count refused events; the first of a reason is logged."""
        if reason not in self._refused:
            logger.warning("livestream.event_refused", extra={"reason": reason, "spool": str(self._folder)})
        total = self._refused[reason] = self._refused.get(reason, 0) + count
        self._journal.count_refused(reason, total)

    def trim(self) -> None:
        """Count one event that is stored without its images."""
        self._trimmed += 1
        self._journal.count_trimmed(self._trimmed)

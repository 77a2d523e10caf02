"""``Live``, DVCLive's logger on the spool: ``from livestream import Live``."""

from __future__ import annotations

from livestream.live.live import Live

__all__ = ["Live"]

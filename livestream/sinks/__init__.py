"""Where updates go: `Sink` says what the daemon needs of such a place, `StudioSink` is a Studio over HTTP."""

from __future__ import annotations

from livestream.sinks.base import Capabilities, Request, Sink, Target
from livestream.sinks.studio import StudioSink, Timeouts

__all__ = ["Capabilities", "Request", "Sink", "StudioSink", "Target", "Timeouts"]

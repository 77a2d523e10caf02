"""Connections below requests: how long one may say nothing, and what is logged when one breaks.

Anybody can connect, say nothing or half a line, hang up in the middle, or send what is no HTTP. None of it is an error
of ours, and a line of such a request may hold a token that was mistyped into the wrong place; so it is not logged.
"""

from __future__ import annotations

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

from livestream.studio.http.problems import ProblemError

IDLE_S: Final = 130.0
"""A connection that has not sent the whole head of a request for so long is closed; reverse proxies keep theirs
for up to two minutes, and must be the first to close, lest a request meets a closing connection."""
MAX_LINE_BYTES: Final = 16 * 1024
"""Of a request's first line, and of a header: an address may name 500 experiments."""

_THEIRS: Final = (HttpProcessingError, ConnectionError, ProblemError)
"""What clients do to connections; a `ProblemError` comes so far only where a stream is ended by it."""


class _Ours(logging.Filter):
    """Lets errors of ours through, under a constant name."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, _THEIRS):
            return False
        record.msg, record.args = "livestream.studio_connection_failed", ()
        return True


logger: Final = logging.getLogger(__name__)
"""For aiohttp's server, which logs to it."""
logger.addFilter(_Ours())

"""What alerts need of the Studio around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from livestream.studio.broker import Broker
from livestream.studio.counters import Counters
from livestream.studio.settings import StatusBounds
from livestream.studio.store.readers import Readers


@dataclass(frozen=True)
class Parts:
    """Parts of one Studio.

    Attributes:
        applying: Whether a large update is in and not yet shown, by repository, commit and name; safe in any thread.
        page_url: What people open, without a slash at its end.
        clock_us: Microseconds since the epoch.
    """

    broker: Broker
    readers: Readers
    counters: Counters
    bounds: StatusBounds
    applying: Callable[[str, str, str], bool]
    page_url: str
    clock_us: Callable[[], int]

"""How much a spool may take, and what is given up first when it nears that.

    under 90 %   everything is taken
    90 to 95 %   events are stored without their images (counted as trimmed)
    95 to 100 %  only scalars, start and done are taken; the rest is refused and counted
    over 100 %   only start and done

Nothing ever blocks, and what was accepted stays.
"""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path
from typing import Final

MAX_QUOTA_BYTES: Final = 10 * 1024**3
MAX_SHARE_OF_FREE: Final = 0.10


class Weight(IntEnum):
    """What an event carries, lightest first; an allowance is the heaviest that is still taken."""

    EDGE = 0
    SCALARS = 1
    PLOTS = 2
    IMAGES = 3


def allowance(used_bytes: int, quota_bytes: int) -> Weight:
    """Tell the heaviest kind of event that a spool still takes."""
    share = used_bytes / max(quota_bytes, 1)
    if share < 0.90:
        return Weight.IMAGES
    if share < 0.95:
        return Weight.PLOTS
    return Weight.SCALARS if share < 1.0 else Weight.EDGE


def free_bytes(folder: Path) -> int:
    """Tell the space that this user may still take on a folder's disk."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def default_quota_bytes(free: int) -> int:
    """Give the quota where none is set: a tenth of what is free, 10 GiB at most."""
    return min(MAX_QUOTA_BYTES, int(free * MAX_SHARE_OF_FREE))

"""What goes wrong in a store, by what follows from it.

StoreError
├── StoreFullError        the disk took no change: nothing of it is stored, and the same change may be tried again
└── ProjectExistsError    somebody asks for a project that is there
"""

from __future__ import annotations

from livestream.errors import LivestreamError


class StoreError(LivestreamError):
    """The store cannot be used, or could not take a change; the message says which file and why."""


class StoreFullError(StoreError):
    """The disk took no change; nothing of it was stored, and the same change may be tried again."""


class ProjectExistsError(StoreError):
    """A project of this repository and folder is there."""

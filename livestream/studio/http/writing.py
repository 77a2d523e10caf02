"""Changes of the store that a handler asks for, and what a client is told when the store takes none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from livestream.studio.http.context import Services
from livestream.studio.http.problems import ProblemError
from livestream.studio.ingest.ingest import StoppedError
from livestream.studio.store.base import Writer
from livestream.studio.store.errors import ProjectExistsError, StoreError

T = TypeVar("T")


async def written(services: Services, change: Callable[[Writer], T]) -> T:
    """Have the writing thread change something, and wait until it is on disk.

    Raises:
        ProblemError: 503, nothing is changed: the disk is full, or the Studio is going down.
        ProjectExistsError: As `Writer.add_project`.
    """
    try:
        return await services.ingest.call(change)
    except ProjectExistsError:
        raise
    except StoreError as error:
        raise ProblemError(503, f"not stored: {error}", {"Retry-After": "5"}) from error
    except StoppedError as error:
        raise ProblemError(503, "not stored: the Studio is going down", {"Retry-After": "5"}) from error

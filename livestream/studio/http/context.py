"""What handlers reach through a request: the Studio's parts, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from livestream.studio.alerts.desk import Desk
from livestream.studio.auth.base import Caller
from livestream.studio.auth.keeper import Keeper
from livestream.studio.broker import Broker
from livestream.studio.counters import Counters
from livestream.studio.git_tree.tree import GitTree
from livestream.studio.ingest.ingest import Ingest
from livestream.studio.settings import StudioSettings
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.readers import Readers


@dataclass(frozen=True)
class Services:
    """The parts of one Studio. ``clock_us``: microseconds since the epoch."""

    settings: StudioSettings
    readers: Readers
    blobs: Blobs
    ingest: Ingest
    broker: Broker
    keeper: Keeper
    tree: GitTree
    counters: Counters
    alerts: Desk
    clock_us: Callable[[], int]


SERVICES: Final = web.AppKey("services", Services)
CALLER: Final = web.RequestKey("caller", Caller)


def services_of(request: web.Request) -> Services:
    """The Studio that serves this request."""
    return request.app[SERVICES]


def caller_of(request: web.Request) -> Caller:
    """Who asks; only where the route has a scope."""
    return request[CALLER]

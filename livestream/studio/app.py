"""All routes of a Studio in one application."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from livestream.studio.http import (
    alerts,
    device,
    experiments,
    exports,
    feed,
    live,
    metrics,
    openapi,
    pages,
    projects,
    security,
    series,
    together,
    tokens,
    webhook,
)
from livestream.studio.http.context import SERVICES, Services
from livestream.studio.http.routes import Route

ROUTES: Final[tuple[Route, ...]] = (
    *live.ROUTES,
    *device.ROUTES,
    *webhook.ROUTES,
    *experiments.ROUTES,
    *series.ROUTES,
    *together.ROUTES,
    *exports.ROUTES,
    *projects.ROUTES,
    *feed.ROUTES,
    *tokens.ROUTES,
    *alerts.ROUTES,
    *metrics.ROUTES,
    *openapi.ROUTES,
    *pages.ROUTES,
)
"""Everything that is served."""


def build_app(services: Services) -> web.Application:
    """Make the application that serves one Studio."""
    app = web.Application()
    app[SERVICES] = services
    security.bind(app, ROUTES)
    return app

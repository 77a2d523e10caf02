"""The pages that are an application: one document for all of them, with what its first paint needs named in its head.

The browser shows the bar and the outline of the page at once, and fetches every module of the first paint at the same
time, instead of finding them one import after the other. What is shown is asked of the read API, by the same cookie.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from livestream._version import __version__
from livestream.studio.auth.base import SCOPES
from livestream.studio.http.addresses import base_url, root_of
from livestream.studio.http.assets import address_of, assets
from livestream.studio.http.context import caller_of
from livestream.studio.http.markup import Html, document, html, joined
from livestream.studio.http.routes import Handler, Route

MAIN: Final = "app/main.js"
_OUTLINE_ROWS: Final = 13
_PAGES: Final = (
    ("/", "Experiments", "app/pages/table_page.js"),
    ("/experiments/{id}", "Experiment", "app/pages/experiment.js"),
    ("/compare", "Compare", "app/pages/compare.js"),
    ("/projects", "Projects", "app/pages/projects.js"),
    ("/settings", "Settings", "app/pages/settings.js"),
)
"""Path, title, and the module that draws it."""


def _handler(title: str, module: str) -> Handler:
    async def show_shell(request: web.Request) -> web.Response:
        """Answer with the application's document."""
        return shell(request, title, module)

    return show_shell


def shell(request: web.Request, title: str, module: str) -> web.Response:
    """Make the document; ``module``: the page's own, loaded beside what all pages need."""
    assets().refresh()
    root, caller = root_of(request), caller_of(request)
    sheets = assets().names("css", ".css")
    head = [html('<link rel="stylesheet" href="{root}{path}">', root=root, path=address_of(name)) for name in sheets]
    head += [
        html('<link rel="modulepreload" href="{root}{path}">', root=root, path=address_of(name))
        for name in assets().needed([MAIN, module])
    ]
    head.append(html('<script type="module" src="{root}{path}"></script>', root=root, path=address_of(MAIN)))
    body = html(
        '<main id="app" class="app">{outline}</main><noscript><section class="card"><h1>{title}</h1><p>This page needs'
        " JavaScript. Without it there is the read API: see <code>{url}/api/openapi.json</code>, and the chapter"
        ' "Read API" of docs/studio.md for examples with curl.</p></section></noscript>',
        outline=_outline(),
        title=title,
        url=base_url(request),
    )
    data = {
        "scopes": " ".join(scope for scope in SCOPES if caller.may(scope)),
        "version": __version__,
        "name": caller.name,
        "url": base_url(request),
    }
    text = document(request, title, body, head=joined(head), data=data, style="application")
    return web.Response(text=text, content_type="text/html")


def _outline() -> Html:
    """Grey bars where the page will be; the application takes their place."""
    rows = Html("<span></span>" * _OUTLINE_ROWS)
    return html('<div class="outline" aria-hidden="true">{rows}</div>', rows=rows)


ROUTES: Final = tuple(
    Route(
        method="GET",
        path=path,
        handler=_handler(title, module),
        summary=f"Show the page: {title}.",
        scope="read",
        listed=False,
    )
    for path, title, module in _PAGES
)

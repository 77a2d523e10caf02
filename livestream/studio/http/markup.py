"""HTML of pages: small functions from values to text, everything foreign escaped on its way in."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Final

from aiohttp import web

from livestream.studio.auth.base import Scope
from livestream.studio.http.addresses import root_of
from livestream.studio.http.assets import address_of, assets
from livestream.studio.http.context import CALLER

_LOGO: Final = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9"/>'
    '<path d="M5 19c3.2 0 3.4-8 6.6-8s3.2 11 6.4 11 3-7 5.6-7H27"/></svg>'
)

_ENTRIES: Final[tuple[tuple[str, str, Scope], ...]] = (
    ("Experiments", "", "read"),
    ("Projects", "projects", "read"),
    ("Tokens", "tokens", "admin"),
    ("Settings", "settings", "read"),
)
"""Of the bar: name, path, and the scope that it needs."""


class Html(str):
    """Text that is HTML already, so that it is not escaped again."""

    __slots__ = ()


_NOTHING: Final = Html("")


def html(template: str, **values: object) -> Html:
    """Fill a template of ours; every value is escaped unless it is `Html`."""
    return Html(template.format(**{name: safe(value) for name, value in values.items()}))


def safe(value: object) -> Html:
    """Escape anything but `Html`."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def joined(parts: list[Html]) -> Html:
    """Put pieces one behind the other."""
    return Html("".join(parts))


def document(
    request: web.Request,
    title: str,
    body: Html,
    *,
    head: Html = _NOTHING,
    data: Mapping[str, str] | None = None,
    style: str = "",
) -> Html:
    """Make a whole document: the head, the bar with what the viewer may open, and the body.

    Args:
        request: Tells the way to the first page, and who looks.
        title: Of the window.
        body: What stands below the bar.
        head: More of the head.
        data: Of the body element, read by scripts.
        style: Class of the body element.
    """
    root = root_of(request)
    return html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} · livestream</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme"'
        ' content="light dark"><script src="{root}{theme}"></script>'
        '<link rel="icon" href="{root}{icon}" type="image/svg+xml"><link rel="stylesheet" href="{root}{sheet}">'
        '<script defer src="{root}{bar_script}"></script>{head}'
        '</head><body class="{style}"{data}>{bar}{body}</body></html>\n',
        title=title,
        root=root,
        theme=address_of("theme.js"),
        icon=address_of("icon.svg"),
        sheet=address_of("studio.css"),
        bar_script=address_of("bar.js"),
        head=head,
        style=style,
        data=joined([html(' data-{name}="{value}"', name=name, value=value) for name, value in (data or {}).items()]),
        bar=_bar(request, root),
        body=body,
    )


def page(request: web.Request, title: str, body: Html, *, status: int = 200, narrow: bool = False) -> web.Response:
    """Answer with a page that needs no script."""
    assets().refresh()
    main = html('<main class="{width}">{body}</main>', width="narrow" if narrow else "wide", body=body)
    return web.Response(text=document(request, title, main), status=status, content_type="text/html")


def problem_page(request: web.Request, status: int, detail: str) -> web.Response:
    """Answer with a page that says what went wrong."""
    body = html(
        '<section class="card"><h1>{words}</h1>{said}<p><a href="{root}">To the first page</a></p></section>',
        words=HTTPStatus(status).phrase,
        said=notice("bad", detail),
        root=root_of(request),
    )
    return page(request, HTTPStatus(status).phrase, body, status=status, narrow=True)


def bounce(to: str) -> web.Response:
    """Answer with a page that goes on to ``to``, an address within this Studio.

    A browser that comes from another site does not send a cookie that is SameSite=Strict, nor after a redirect: only a
    page of ours that goes on by itself makes the next request one of ours.
    """
    text = html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>livestream</title>'
        '<meta http-equiv="refresh" content="0; url={to}"></head><body><p><a href="{to}">Go on</a></p></body></html>\n',
        to=to,
    )
    return web.Response(text=text, content_type="text/html")


def notice(kind: str, text: object) -> Html:
    """A line that says how something went; ``kind``: ``good``, ``bad`` or ``note``."""
    return html('<p class="notice {kind}" role="status">{text}</p>', kind=kind, text=text)


def button(action: str, label: str, style: str = "") -> Html:
    """A form that is one button: what it does is a POST to ``action``."""
    return html(
        '<form method="post" action="{action}"><button class="{style}">{label}</button></form>',
        action=action,
        label=label,
        style=style,
    )


def _bar(request: web.Request, root: str) -> Html:
    caller = request.get(CALLER)
    links = _NOTHING
    if caller is not None and caller.by_cookie:
        items = [
            html(
                '<a href="{root}{path}"{current}>{name}</a>',
                root=root,
                path=path,
                name=name,
                current=Html(' aria-current="page"') if _is_here(request, path) else "",
            )
            for name, path, scope in _ENTRIES
            if caller.may(scope)
        ]
        links = html(
            '<nav aria-label="Pages">{items}</nav><div id="tools"></div>'
            '<span class="who" title="Signed in with {who}">{who}</span>{out}',
            items=joined(items),
            who=caller.name,
            out=button(f"{root}sign-out", "Sign out", "quiet"),
        )
    return html(
        '<header class="bar"><a class="brand" href="{root}" aria-label="livestream">{logo}<span>livestream</span></a>'
        "{links}</header>",
        root=root,
        logo=Html(_LOGO),
        links=links,
    )


def _is_here(request: web.Request, path: str) -> bool:
    """Whether the page asked for is the entry's; one experiment, and several compared, belong to the experiments."""
    here = request.path.strip("/").partition("/")[0]
    return path == ("" if here in {"experiments", "compare"} else here)

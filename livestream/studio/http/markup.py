"""HTML of pages that need no script: small functions from values to text, everything foreign escaped on its way in."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Final

from aiohttp import web

from livestream.studio.http.addresses import root_of
from livestream.studio.http.context import CALLER

_LOGO: Final = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9"/>'
    '<path d="M5 19c3.2 0 3.4-8 6.6-8s3.2 11 6.4 11 3-7 5.6-7H27"/></svg>'
)


class Html(str):
    """Text that is HTML already, so that it is not escaped again."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Fill a template of ours; every value is escaped unless it is `Html`."""
    return Html(template.format(**{name: safe(value) for name, value in values.items()}))


def safe(value: object) -> Html:
    """Escape anything but `Html`."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def joined(parts: list[Html]) -> Html:
    """Put pieces one behind the other."""
    return Html("".join(parts))


def page(request: web.Request, title: str, body: Html, *, status: int = 200, narrow: bool = False) -> web.Response:
    """Answer with a page: the head, the bar with what the viewer may open, and the body."""
    root = root_of(request)
    text = html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} · livestream</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme"'
        ' content="light dark"><link rel="icon" href="{root}static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="{root}static/studio.css"></head><body>{bar}<main class="{width}">{body}</main>'
        "</body></html>\n",
        title=title,
        root=root,
        bar=_bar(request, root),
        width="narrow" if narrow else "wide",
        body=body,
    )
    return web.Response(text=text, status=status, content_type="text/html")


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
    links = Html("")
    if caller is not None and caller.by_cookie:
        entries = [("Experiments", "")] + ([("Tokens", "tokens")] if caller.may("admin") else [])
        here = request.path.lstrip("/")
        items = [
            html(
                '<a href="{root}{path}"{current}>{name}</a>',
                root=root,
                path=path,
                name=name,
                current=Html(' aria-current="page"') if path == here else "",
            )
            for name, path in entries
        ]
        links = html(
            '<nav>{items}</nav><span class="who" title="Signed in with {who}">{who}</span>{out}',
            items=joined(items),
            who=caller.name,
            out=button(f"{root}sign-out", "Sign out", "quiet"),
        )
    return html(
        '<header class="bar"><a class="brand" href="{root}">{logo}<span>livestream</span></a>{links}</header>',
        root=root,
        logo=Html(_LOGO),
        links=links,
    )

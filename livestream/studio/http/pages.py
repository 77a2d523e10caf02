"""Signing in and out by a browser; pages that need no script."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from livestream.studio.http import assets, shell, token_pages
from livestream.studio.http.addresses import client_address, comes_from_elsewhere, root_of
from livestream.studio.http.context import CALLER, services_of
from livestream.studio.http.forms import form_of
from livestream.studio.http.markup import Html, bounce, html, notice, page
from livestream.studio.http.routes import Route
from livestream.studio.http.security import GUARD, see_other, too_many
from livestream.studio.settings import StudioSettings

_COOKIE_S: Final = 400 * 86_400
"""The longest that browsers keep one; the keeper ends a session that was not used for 30 days."""


async def show_sign_in(request: web.Request) -> web.Response:
    """Show the form, or sign in by the code of a link."""
    code, onward = request.query.get("code", ""), request.query.get("next", "")
    if code and _is_opened(request):
        return _sign_in(request, code, onward)
    caller = request.get(CALLER)
    if caller is not None and caller.by_cookie:
        return see_other(_onward(request, onward))
    if comes_from_elsewhere(request) and not code and "again" not in request.query:
        return bounce(f"{root_of(request)}sign-in?next={quote(onward)}&again=1")
    return _sign_in_form(request, onward)


async def sign_in(request: web.Request) -> web.Response:
    """Sign in by what the form holds."""
    form = await form_of(request)
    return _sign_in(request, form.one("secret"), form.one("next"))


async def sign_out(request: web.Request) -> web.Response:
    """End this browser's session."""
    services = services_of(request)
    services.keeper.sign_out(request.cookies.get(services.keeper.cookie, ""))
    response = see_other(f"{root_of(request)}sign-in")
    response.del_cookie(services.keeper.cookie, path=_cookie_path(services.settings))
    return response


def _is_opened(request: web.Request) -> bool:
    """Whether a person opens the page: looking ahead uses no code up, and another site's pictures fail no sign-ins."""
    return (
        request.method == hdrs.METH_GET
        and "prefetch" not in request.headers.get("Sec-Purpose", "")
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _sign_in(request: web.Request, secret: str, onward: str) -> web.Response:
    services, guard = services_of(request), request.app[GUARD]
    address, now_s = client_address(request), time.monotonic()
    wait_s = guard.sign_ins.wait_s(address, now_s)
    if wait_s is not None:
        raise too_many(wait_s, "failed sign-ins from this address")
    session = services.keeper.sign_in(secret)
    if session is None:
        guard.sign_ins.take(address, now_s)
        services.counters.sign_ins_failed += 1
        said = "That is no token that may read, and no code of a link that is good: links work once."
        return _sign_in_form(request, onward, notice("bad", said), 401)
    target = _onward(request, onward)
    response = bounce(target) if comes_from_elsewhere(request) else see_other(target)
    public = services.settings.public_url or ""
    response.set_cookie(
        services.keeper.cookie,
        session,
        max_age=_COOKIE_S,
        path=_cookie_path(services.settings),
        secure=public.lower().startswith("https:"),
        httponly=True,
        samesite="Strict",
    )
    return response


def _cookie_path(settings: StudioSettings) -> str:
    return urlsplit(settings.public_url or "").path.rstrip("/") or "/"


def _onward(request: web.Request, onward: str) -> str:
    """Give the way to the page that was asked for before the sign-in: a page of ours, whatever the text says."""
    is_ours = onward.startswith("/") and onward.isascii() and onward.isprintable() and "\\" not in onward
    return root_of(request) + (onward.lstrip("/") if is_ours else "")


def _sign_in_form(request: web.Request, onward: str, said: Html | str = "", status: int = 200) -> web.Response:
    body = html(
        '<section class="card"><h1>Sign in</h1>{said}<form method="post" action="sign-in" class="stack">'
        '<label>Token or sign-in code<input type="password" name="secret" required autofocus'
        ' autocomplete="current-password" placeholder="lst_…"></label><input type="hidden" name="next" value="{next}">'
        '<button class="primary">Sign in</button></form><p class="hint">Where the Studio runs, <code>livestream studio'
        " link</code> prints a link that signs you in, and <code>livestream token create NAME --scope read</code> makes"
        " a token.</p></section>",
        said=said,
        next=onward,
    )
    return page(request, "Sign in", body, status=status, narrow=True)


ROUTES: Final = (
    Route(method="GET", path="/sign-in", handler=show_sign_in, summary="Sign in.", scope=None, listed=False),
    Route(method="POST", path="/sign-in", handler=sign_in, summary="Sign in.", scope=None, listed=False),
    Route(method="POST", path="/sign-out", handler=sign_out, summary="Sign out.", scope=None, listed=False),
    *assets.ROUTES,
    *shell.ROUTES,
    *token_pages.ROUTES,
)

"""Pages for browsers that need no script: sign in, sign out, the plain table of experiments, and static files."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec
from aiohttp import hdrs, web

from livestream.studio.auth.base import Caller
from livestream.studio.http import token_pages
from livestream.studio.http.addresses import base_url, client_address, comes_from_elsewhere, root_of
from livestream.studio.http.context import CALLER, caller_of, services_of
from livestream.studio.http.forms import ago, form_of
from livestream.studio.http.markup import Html, bounce, html, joined, notice, page
from livestream.studio.http.problems import ProblemError
from livestream.studio.http.routes import Route
from livestream.studio.http.security import GUARD, see_other, too_many
from livestream.studio.settings import StudioSettings
from livestream.studio.status import derive
from livestream.studio.store.base import Brief, Reader, Scope

MAX_SHOWN: Final = 500
_COOKIE_S: Final = 400 * 86_400
"""The longest that browsers keep one; the keeper ends a session that was not used for 30 days."""
_STATIC: Final = Path(__file__).parent.parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}


class _File(msgspec.Struct, frozen=True):
    content: bytes
    media_type: str
    etag: str


def _static_files() -> dict[str, _File]:
    """Read everything that the package serves as it is: what is not read here cannot be asked for."""
    return {
        path.relative_to(_STATIC).as_posix(): _File(
            content, _MEDIA_TYPES[path.suffix], hashlib.sha256(content).hexdigest()
        )
        for path in sorted(_STATIC.rglob("*"))
        if path.suffix in _MEDIA_TYPES
        for content in [path.read_bytes()]
    }


_FILES: Final = _static_files()


async def serve_static(request: web.Request) -> web.Response:
    """Serve a file of the package."""
    file = _FILES.get(request.match_info["name"])
    if file is None:
        raise ProblemError(404, "there is no such file")
    headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{file.etag}"'}
    if any(tag.value in {file.etag, "*"} for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.content, content_type=file.media_type, charset="utf-8", headers=headers)


# -- signing in and out


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


# -- experiments


async def show_experiments(request: web.Request) -> web.Response:
    """Show the newest experiments as a plain table."""
    services, caller = services_of(request), caller_of(request)
    briefs = await services.readers.ask(lambda reader: _briefs(reader, caller))
    now_us, bounds = services.clock_us(), services.settings.bounds
    rows = []
    for brief in briefs[:MAX_SHOWN]:
        identity = brief.identity
        applying = services.ingest.applying(identity.repository, identity.baseline_sha, identity.name)
        status = derive(brief.facts, now_us, bounds, applying=applying)
        rows.append(_experiment(brief, status.kind, status.reason, now_us))
    if not rows:
        body = html(
            '<h1>Experiments</h1><section class="card"><h2>Nothing has come yet</h2><p>On this machine, a training that'
            ' calls <code>livestream.init()</code> streams here by itself. Elsewhere, a <a href="tokens">token</a> and'
            " two variables do it, for DVC and DVCLive too:</p><pre>export DVC_STUDIO_URL={url}\nexport"
            " DVC_STUDIO_TOKEN=…</pre></section>",
            url=base_url(request),
        )
        return page(request, "Experiments", body)
    more = f" The newest {MAX_SHOWN:,} of {len(briefs):,} are shown." if len(briefs) > MAX_SHOWN else ""
    body = html(
        '<h1>Experiments</h1><p class="lead">{count} in all.{more}</p><div class="scroll"><table><thead><tr><th>Name'
        '</th><th>Status</th><th class="number">Step</th><th>Updated</th><th>Repository</th><th>Commit</th></tr>'
        "</thead><tbody>{rows}</tbody></table></div>",
        count=f"{len(briefs):,}",
        more=more,
        rows=joined(rows),
    )
    return page(request, "Experiments", body)


def _briefs(reader: Reader, caller: Caller) -> list[Brief]:
    if caller.project is None:
        return reader.briefs(Scope())
    projects = {project.id: project for project in reader.projects()}
    project = projects.get(caller.project)
    return reader.briefs(Scope(repository=project.repository, subdir=project.subdir)) if project else []


def _experiment(brief: Brief, kind: str, reason: str, now_us: int) -> Html:
    return html(
        '<tr><td><strong>{name}</strong>{message}</td><td><span class="status {kind}">{words}</span>'
        '<br><small>{reason}</small></td><td class="number">{step}</td><td class="whole">{updated}</td>'
        "<td>{repository}</td>"
        "<td><code>{sha}</code></td></tr>",
        name=brief.identity.name,
        message=html("<br><small>{text}</small>", text=brief.facts.message[:200]) if brief.facts.message else "",
        kind=kind,
        reason=reason[:200],
        words=kind.replace("_", " "),
        step="–" if brief.facts.step is None else f"{brief.facts.step:,}",  # noqa: RUF001 - for people
        updated=ago(now_us, brief.updated_us),
        repository=brief.identity.repository,
        sha=brief.identity.baseline_sha[:7],
    )


ROUTES: Final = (
    Route(method="GET", path="/", handler=show_experiments, summary="Show experiments.", scope="read", listed=False),
    Route(method="GET", path="/sign-in", handler=show_sign_in, summary="Sign in.", scope=None, listed=False),
    Route(method="POST", path="/sign-in", handler=sign_in, summary="Sign in.", scope=None, listed=False),
    Route(method="POST", path="/sign-out", handler=sign_out, summary="Sign out.", scope=None, listed=False),
    Route(
        method="GET",
        path="/static/{name}",
        handler=serve_static,
        summary="Serve a file of the package.",
        scope=None,
        listed=False,
        texts=("name",),
    ),
    *token_pages.ROUTES,
)

"""What stands before every handler: the scope of its route, who asks, from where and how often.

`bind` puts routes and all of this into an application. A route's scope is enforced here and nowhere else: a handler
that runs may run. A request says who it is by ``Authorization: token ...`` (or ``Bearer``), which only programs can
send, or by the cookie of a signed-in browser, which browsers send by themselves; so what changes anything by cookie
must have come from a page of ours.

The outermost layer makes an answer of whatever happens inside. The headers are set where an answer begins, so that
streams and errors have them too; a handler's own headers win.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from livestream.studio.auth.base import Caller, Scope
from livestream.studio.auth.buckets import Buckets
from livestream.studio.auth.errors import AuthError
from livestream.studio.http.addresses import host_of, is_from_own_page, is_loopback, root_of
from livestream.studio.http.compressing import compress
from livestream.studio.http.context import CALLER, SERVICES, services_of
from livestream.studio.http.markup import problem_page
from livestream.studio.http.problems import ProblemError, problem_response
from livestream.studio.http.routes import Route
from livestream.studio.settings import StudioLimits

logger: Final = logging.getLogger(__name__)

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send "Origin: null" from our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_NONE_CAME: Final = (
    "no token came: send 'Authorization: token <token>', or DVC_STUDIO_TOKEN for a training;"
    " `livestream token create NAME` makes one"
)
_SIGNED_OUT: Final = "you are not signed in any more, so nothing was done: sign in, and do it again"
_NOT_GOOD: Final = (
    "the token is unknown, expired or revoked: `livestream token create NAME` makes a new one, and so does the page"
    " 'tokens' of this Studio"
)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="livestream"'}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OPEN_BODY_S: Final = 30.0
"""Who need not say who they are cannot hold a handler for longer by sending slowly."""
_PREPARED: Final = web.RequestKey("prepared", bool)


@dataclass(frozen=True)
class Guard:
    """What the layers share.

    Attributes:
        routes: By path (as ``Route.path``) and method.
        requests: Of each token.
        sign_ins: Failed ones, of each address.
        logins: Begun by ``dvc studio login`` and its like, of each address.
        codes: Polled for though nobody waits with them, of each address.
    """

    routes: dict[tuple[str, str], Route]
    requests: Buckets
    sign_ins: Buckets
    logins: Buckets
    codes: Buckets


GUARD: Final = web.AppKey("guard", Guard)


def bind(app: web.Application, routes: Iterable[Route]) -> None:
    """Serve routes, each behind its scope; ``app[SERVICES]`` must be there.

    A placeholder takes a whole number, or, if it is one of the route's ``texts``, any text with slashes. GET routes
    answer HEAD too.
    """
    known: dict[tuple[str, str], Route] = {}
    for route in routes:
        path = _pattern(route)
        if route.method == hdrs.METH_GET:
            app.router.add_get(path, route.handler)
        else:
            app.router.add_route(route.method, path, route.handler)
        known[route.path, route.method] = route
    app[GUARD] = _guard(known, app[SERVICES].settings.limits)
    app.middlewares.extend((_answer, compress, _from_here, _authenticate))
    app.on_response_prepare.append(_add_headers)


def route_of(request: web.Request) -> Route | None:
    """Give the route that a request meets; None where nothing is served."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return request.app[GUARD].routes.get((resource.canonical, method))


def still_may(request: web.Request, scope: Scope) -> bool:
    """Whether the caller of a request that goes on for long, as a stream does, has the scope to this moment."""
    caller = _caller(request, is_open=True)
    return caller is not None and caller.may(scope)


def too_many(wait_s: float, what: str) -> ProblemError:
    """Say that a rate is exceeded."""
    return ProblemError(429, f"too many {what}: wait {math.ceil(wait_s)} s", {"Retry-After": str(math.ceil(wait_s))})


def see_other(location: str) -> web.Response:
    """Send a browser on to another page."""
    return web.Response(status=303, headers={hdrs.LOCATION: location})


def wants_page(request: web.Request) -> bool:
    """Whether a person's browser asks, not a program."""
    return (
        request.method in _SAFE_METHODS
        and "text/html" in request.headers.get(hdrs.ACCEPT, "")
        and _credentials(request) is None
    )


def _pattern(route: Route) -> str:
    """Give a route's path as aiohttp's router reads it."""
    return re.sub(
        r"\{(\w+)\}", lambda found: f"{{{found[1]}:{'.+' if found[1] in route.texts else '[0-9]+'}}}", route.path
    )


def _guard(routes: dict[tuple[str, str], Route], limits: StudioLimits) -> Guard:
    return Guard(
        routes=routes,
        requests=Buckets(limits.requests_per_s, limits.request_burst),
        sign_ins=Buckets(limits.failed_sign_ins / limits.failed_sign_ins_s, limits.failed_sign_ins),
        logins=Buckets(limits.failed_sign_ins / limits.failed_sign_ins_s, limits.failed_sign_ins),
        codes=Buckets(limits.failed_sign_ins / limits.failed_sign_ins_s, limits.failed_sign_ins),
    )


# -- layers, outermost first


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make an answer of everything that happens, and count it."""
    route = route_of(request)
    try:
        response = await handler(request)
    except ConnectionError:
        raise  # nobody is there to answer
    except Exception as error:
        if _PREPARED in request:
            raise  # half an answer must end as half of one
        response = _trouble(request, error, route)
    services_of(request).counters.answered(f"{route.method} {route.path}" if route else "none", response.status)
    return response


@web.middleware
async def _from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a loopback Studio's own names only: a name that an attacker points at 127.0.0.1 is not one (rebinding)."""
    settings = services_of(request).settings
    if is_loopback(settings.host):
        host, public = host_of(request.host), settings.public_url or ""
        is_public = host != "" and host == host_of(public.partition("://")[2].partition("/")[0])
        if not is_loopback(host) and not is_public:
            raise ProblemError(421, f"Host: {request.host[:200]!r} is not this Studio; --public-url names one more")
    return await handler(request)


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request pass if its caller may."""
    route = route_of(request)
    if route is None:
        return await handler(request)
    caller = _caller(request, is_open=route.scope is None)
    if request.method not in _SAFE_METHODS and _credentials(request) is None:
        _check_origin(request, by_cookie=caller is not None)
    if route.scope is not None:
        if caller is None:
            return _turn_away(request)
        if not caller.may(route.scope):
            has = ", ".join(caller.scopes)
            raise ProblemError(403, f"the token {caller.name!r} has the scope {has}; this needs {route.scope}")
        wait_s = request.app[GUARD].requests.take((caller.token, caller.by_cookie), time.monotonic())
        if wait_s is not None:
            raise too_many(wait_s, "requests with this token")
    if caller is not None:
        request[CALLER] = caller
    if route.scope is not None or request.method in _SAFE_METHODS:
        return await handler(request)
    try:
        async with asyncio.timeout(_OPEN_BODY_S):
            return await handler(request)
    except TimeoutError:
        raise ProblemError(408, f"the body took more than {_OPEN_BODY_S:g} s to come") from None


# -- inside


def _credentials(request: web.Request) -> str | None:
    """Give the token that was sent; None where none was: ``Authorization: Basic`` is a proxy's own."""
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").strip().partition(" ")
    return secret.strip() if scheme.lower() in {"token", "bearer"} else None


def _caller(request: web.Request, *, is_open: bool) -> Caller | None:
    keeper = services_of(request).keeper
    token = _credentials(request)
    if token is not None:
        caller = keeper.check(token)
        if caller is None and not is_open:
            raise ProblemError(401, _NOT_GOOD, _CHALLENGE)
        return caller
    cookie = request.cookies.get(keeper.cookie)
    return keeper.session(cookie) if cookie else None


def _check_origin(request: web.Request, *, by_cookie: bool) -> None:
    """Refuse what another site makes a browser send. Programs without a cookie send no Origin, and need none."""
    is_own = is_from_own_page(request)
    if is_own is False or (by_cookie and is_own is None):
        raise ProblemError(403, "Origin: not a page of this Studio (behind a proxy, --public-url names its address)")


def _turn_away(request: web.Request) -> web.Response:
    if not wants_page(request):
        is_form = request.content_type == "application/x-www-form-urlencoded"
        raise ProblemError(401, _SIGNED_OUT if is_form else _NONE_CAME, _CHALLENGE)
    return see_other(f"{root_of(request)}sign-in?next={quote(request.path_qs)}")


def _trouble(request: web.Request, error: Exception, route: Route | None) -> web.Response:
    """Make the answer that an exception stands for: a page for a person, JSON for a program."""
    if isinstance(error, web.HTTPException) and error.status < 400:
        return web.Response(status=error.status, headers={hdrs.LOCATION: error.headers.get(hdrs.LOCATION, "./")})
    if isinstance(error, web.HTTPException):
        problem = _of_aiohttp(error)
    elif isinstance(error, ProblemError):
        problem = error
    elif type(error) is AuthError:  # not what is asked for is wrong, as with its subclasses
        logger.warning("livestream.studio_tokens_not_changed", extra={"error": str(error)})
        problem = ProblemError(503, "tokens and sign-ins cannot be changed now: the disk is full, or broken")
    else:
        logger.error(
            "livestream.studio_request_failed",
            exc_info=error,
            extra={"method": request.method, "route": route.path if route else None},
        )
        problem = ProblemError(500, "internal error: the Studio's log says more")
    if "text/html" not in request.headers.get(hdrs.ACCEPT, "") or _credentials(request) is not None:
        return problem_response(problem)
    response = problem_page(request, problem.status, problem.detail)
    response.headers.update(problem.headers)
    return response


def _of_aiohttp(error: web.HTTPException) -> ProblemError:
    """Give aiohttp's own errors our words, with those of their headers that are about the request."""
    kept = {str(name): error.headers[name] for name in (hdrs.ALLOW, hdrs.RETRY_AFTER) if name in error.headers}
    details = {
        404: "there is nothing at this path; /api/openapi.json lists what there is",
        405: f"this path takes {kept.get('Allow', 'other methods')}",
    }
    return ProblemError(error.status, details.get(error.status, error.reason), kept)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    request[_PREPARED] = True
    response.headers[hdrs.SERVER] = "livestream"  # aiohttp would tell its version, and Python's
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)

"""``dvc studio login`` and its like: a program asks, a person approves in the browser, the program gets a token.

The words of the answers are the stock client's: it waits on ``authorization_pending`` and ends well only on
``authorization_expired``, so a login that was denied is told as expired.
"""

from __future__ import annotations

import time
from typing import Annotated, Final

import msgspec
from aiohttp import web

from livestream.studio.auth.devices import DEVICE_US, Device, TooManyDevicesError
from livestream.studio.auth.errors import TokenFieldError
from livestream.studio.http.addresses import base_url, client_address
from livestream.studio.http.context import services_of
from livestream.studio.http.forms import form_of, span
from livestream.studio.http.markup import Html, html, notice, page
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route, body_of
from livestream.studio.http.security import GUARD, too_many

_KNOWN_SCOPES: Final = frozenset({"EXPERIMENTS", "DATASETS", "MODELS"})
_DAY_US: Final = 86_400 * 1_000_000
_RETRY_S: Final = 60


class DeviceLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What the program says of itself.

    Attributes:
        scopes: Of the hosted Studio; here every one of them is ``ingest`` and ``read``.
        team_names: Accepted and not used: a Studio of this kind has no teams; as ``all_teams``.
    """

    client_name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    token_name: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    scopes: list[str] = []
    team_names: list[str] | None = None
    all_teams: bool | None = None
    expires_in_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    never_expires: bool | None = None


class DeviceCodes(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send the person (``verification_uri`` with ``?code=user_code``), and what to poll with, and where."""

    device_code: str
    user_code: str
    verification_uri: str
    token_uri: str
    token_name: str
    expires_in: int


class DevicePoll(msgspec.Struct, frozen=True, kw_only=True):
    """``code``: the device code."""

    code: str


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """The token, given once."""

    access_token: str


async def start_login(request: web.Request) -> web.Response:
    """Take a login in."""
    wait_s = request.app[GUARD].logins.take(client_address(request), time.monotonic())
    if wait_s is not None:
        raise too_many(wait_s, "logins from this address")
    wanted = await body_of(request, DeviceLogin)
    unknown = [scope for scope in wanted.scopes if scope.upper() not in _KNOWN_SCOPES]
    if unknown:
        raise ProblemError(
            400, f"scopes: {unknown[0][:100]!r} is unknown; accepted: {', '.join(sorted(_KNOWN_SCOPES))}"
        )
    if not wanted.client_name.isprintable():
        raise ProblemError(400, "client_name: holds characters that cannot be printed")
    services = services_of(request)
    expires_us = services.clock_us() + wanted.expires_in_days * _DAY_US if wanted.expires_in_days else None
    try:
        code, device = services.keeper.devices.start(
            wanted.client_name, wanted.token_name or wanted.client_name, expires_us
        )
    except TokenFieldError as error:
        raise ProblemError(400, f"token_name: {error.problem}") from None
    except TooManyDevicesError as error:
        raise ProblemError(503, str(error), {"Retry-After": str(_RETRY_S)}) from None
    base = base_url(request)
    return json_response(
        DeviceCodes(
            device_code=code,
            user_code=device.user_code,
            verification_uri=f"{base}/auth/device-login",
            token_uri=f"{base}/api/device-login/token",
            token_name=device.token_name,
            expires_in=DEVICE_US // 1_000_000,
        )
    )


async def poll_login(request: web.Request) -> web.Response:
    """Say whether the program may."""
    guesses, address = request.app[GUARD].codes, client_address(request)
    wait_s = guesses.wait_s(address, time.monotonic())
    if wait_s is not None:
        raise too_many(wait_s, "wrong codes from this address")
    wanted = await body_of(request, DevicePoll)
    found = services_of(request).keeper.devices.poll(wanted.code)
    if found.state == "approved":
        return json_response(AccessToken(access_token=found.secret))
    if found.state == "expired":
        guesses.take(address, time.monotonic())
    raise ProblemError(400, f"authorization_{found.state}")


async def show_login(request: web.Request) -> web.Response:
    """Show a person what asks, or ask for its code."""
    code = request.query.get("code", "")
    if not code:
        return _ask_code(request, Html(""))
    device = services_of(request).keeper.devices.find(code)
    if device is None:
        return _ask_code(request, notice("bad", "No login waits under that code: it may be over. Begin it again."), 404)
    if device.decision is not None:
        return page(request, "Connect a program", _decided(device.decision == "approved"), narrow=True)
    return page(request, "Connect a program", _question(device, services_of(request).clock_us()), narrow=True)


async def decide_login(request: web.Request) -> web.Response:
    """Take the person's answer."""
    form = await form_of(request)
    decision = form.one("decision")
    if decision not in {"approve", "deny"}:
        raise ProblemError(400, "decision: accepted: approve, deny")
    done = services_of(request).keeper.devices.decide(form.one("code"), approve=decision == "approve")
    if not done:
        return _ask_code(request, notice("bad", "No login waits under that code: it may be over. Begin it again."), 404)
    return page(request, "Connect a program", _decided(decision == "approve"), narrow=True)


def _ask_code(request: web.Request, said: Html, status: int = 200) -> web.Response:
    body = html(
        '<section class="card"><h1>Connect a program</h1>{said}<p>Enter the code that the program shows.</p>'
        '<form method="get" action="device-login" class="stack"><label>Code<input name="code" class="code" required'
        ' autofocus autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20"'
        ' placeholder="BCDF-GHJK"></label><button class="primary">Go on</button></form></section>',
        said=said,
    )
    return page(request, "Connect a program", body, status=status, narrow=True)


def _question(device: Device, now_us: int) -> Html:
    ends = f"in {span((device.token_expires_us - now_us) / 1e6)}" if device.token_expires_us else "never"
    return html(
        '<section class="card"><h1>Connect a program</h1><p><strong>{client}</strong> asks for a token of this Studio.'
        '</p><p class="usercode">{code}</p><dl class="facts"><dt>Token</dt><dd>{token}</dd><dt>May</dt><dd>send'
        " experiments (<code>ingest</code>) and see them (<code>read</code>)</dd><dt>Ends</dt><dd>{ends}</dd></dl>"
        '<p class="hint">Approve only what you began yourself just now, and only if the code is the one it shows.</p>'
        '<form method="post" action="device-login" class="choice"><input type="hidden" name="code" value="{code}">'
        '<button class="primary" name="decision" value="approve">Approve</button>'
        '<button name="decision" value="deny">Deny</button></form></section>',
        client=device.client_name,
        code=device.user_code,
        token=device.token_name,
        ends=ends,
    )


def _decided(is_approved: bool) -> Html:  # noqa: FBT001 - the one thing it is about
    said = (
        notice("good", "Approved. Go back to the program: it has its token within some seconds.")
        if is_approved
        else notice("note", "Denied. The program gets no token.")
    )
    return html(
        '<section class="card"><h1>Connect a program</h1>{said}<p><a href="../">To the experiments</a></p></section>',
        said=said,
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/device-login",
        handler=start_login,
        summary="Begin a login: a program asks for a token that a person approves in the browser.",
        scope=None,
        body=DeviceLogin,
        answer=DeviceCodes,
        problems={429: "Too many logins from this address.", 503: "Too many logins wait for an approval."},
    ),
    Route(
        method="POST",
        path="/api/device-login/token",
        handler=poll_login,
        summary="Fetch the token: 400 with authorization_pending while nobody has decided, else authorization_expired.",
        scope=None,
        body=DevicePoll,
        answer=AccessToken,
        problems={429: "Too many codes from this address that nobody waits with."},
    ),
    Route(
        method="GET",
        path="/auth/device-login",
        handler=show_login,
        summary="Show a login.",
        scope="admin",
        listed=False,
    ),
    Route(
        method="POST",
        path="/auth/device-login",
        handler=decide_login,
        summary="Decide about a login.",
        scope="admin",
        listed=False,
    ),
)

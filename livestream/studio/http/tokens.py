"""Tokens over HTTP, for programs; `token_pages` shows the same to people."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web

from livestream.studio.auth.base import Scope, Token
from livestream.studio.auth.errors import NoTokenError, TokenFieldError, TokenNameTakenError
from livestream.studio.auth.keeper import sign_in_link
from livestream.studio.http.addresses import base_url
from livestream.studio.http.context import Services, services_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route, body_of, id_of

_YEARS_S: Final = 100 * 366 * 86_400
_YEAR_S: Final = 366 * 86_400


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret; times are seconds since the epoch.

    Attributes:
        hint: The first and last characters of the secret.
        project: Only this project's repository and folder; null: all.
        expires: Null: never; as ``last_used``.
        overlap_until: The secret before this one is good until then.
    """

    id: int
    name: str
    scopes: list[Scope]
    hint: str
    project: int | None
    created: float
    expires: float | None
    last_used: float | None
    overlap_until: float | None


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens, by name; expired ones too."""

    tokens: list[TokenView]


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made; ``expires_in_s`` null: it never expires."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["ingest", "read", "admin"]], msgspec.Meta(min_length=1, max_length=3)]
    project: int | None = None
    expires_in_s: Annotated[float, msgspec.Meta(gt=0, le=_YEARS_S)] | None = None


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``overlap_s``: the old secret is good for so long beside the new one."""

    overlap_s: Annotated[float, msgspec.Meta(ge=0, le=_YEAR_S)] = 0


class TokenSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A token with its secret, which is told this once."""

    token: TokenView
    secret: str


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """``deleted``: the token's id."""

    deleted: int


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """How many tokens ended, and a link that signs one browser in as admin: every sign-in ended too."""

    revoked: int
    sign_in_url: str


async def list_tokens(request: web.Request) -> web.Response:
    """List all tokens."""
    return json_response(TokenList(tokens=[view_of(token) for token in services_of(request).keeper.list()]))


async def create_token(request: web.Request) -> web.Response:
    """Make a token."""
    token, secret = await create(services_of(request), await body_of(request, NewToken))
    return json_response(TokenSecret(token=view_of(token), secret=secret))


async def regenerate_token(request: web.Request) -> web.Response:
    """Give a token a new secret."""
    renewal = await body_of(request, Renewal) if request.body_exists else Renewal()
    token, secret = regenerate(services_of(request), id_of(request), renewal.overlap_s)
    return json_response(TokenSecret(token=view_of(token), secret=secret))


async def delete_token(request: web.Request) -> web.Response:
    """End a token."""
    delete(services_of(request), id_of(request))
    return json_response(Deleted(deleted=id_of(request)))


async def revoke_tokens(request: web.Request) -> web.Response:
    """End everything."""
    revoked, url = revoke_all(request)
    return json_response(Revoked(revoked=revoked, sign_in_url=url))


async def create(services: Services, wanted: NewToken) -> tuple[Token, str]:
    """Make a token.

    Raises:
        ProblemError: 400 with the bad field, or 409: the name is taken.
    """
    if wanted.project is not None:
        projects = await services.readers.ask(lambda reader: reader.projects())
        if wanted.project not in {project.id for project in projects}:
            raise ProblemError(400, f"project: there is no project {wanted.project}")
    expires_us = services.clock_us() + int(wanted.expires_in_s * 1e6) if wanted.expires_in_s is not None else None
    try:
        return services.keeper.create(wanted.name, wanted.scopes, wanted.project, expires_us)
    except TokenFieldError as error:
        raise ProblemError(400, str(error)) from None
    except TokenNameTakenError as error:
        raise ProblemError(409, str(error)) from None


def regenerate(services: Services, token: int, overlap_s: float) -> tuple[Token, str]:
    """Give a token a new secret.

    Raises:
        ProblemError: 400 or 404.
    """
    try:
        return services.keeper.regenerate(token, overlap_s)
    except NoTokenError as error:
        raise ProblemError(404, str(error)) from None
    except TokenFieldError as error:
        raise ProblemError(400, str(error)) from None


def delete(services: Services, token: int) -> None:
    """End a token.

    Raises:
        ProblemError: 404.
    """
    try:
        services.keeper.delete(token)
    except NoTokenError as error:
        raise ProblemError(404, str(error)) from None


def revoke_all(request: web.Request) -> tuple[int, str]:
    """End every token and sign-in; gives how many tokens there were, and a link to sign in anew."""
    keeper = services_of(request).keeper
    revoked = keeper.revoke_all()
    return revoked, sign_in_link(base_url(request), keeper.new_sign_in_code())


def view_of(token: Token) -> TokenView:
    """Show a token."""
    return TokenView(
        id=token.id,
        name=token.name,
        scopes=list(token.scopes),
        hint=token.hint,
        project=token.project,
        created=token.created_us / 1e6,
        expires=_seconds(token.expires_us),
        last_used=_seconds(token.last_used_us),
        overlap_until=_seconds(token.overlap_until_us),
    )


def _seconds(time_us: int | None) -> float | None:
    return None if time_us is None else time_us / 1e6


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/tokens",
        handler=list_tokens,
        summary="List all tokens, without their secrets.",
        scope="admin",
        answer=TokenList,
    ),
    Route(
        method="POST",
        path="/api/tokens",
        handler=create_token,
        summary="Make a token; its secret is in this answer and nowhere else.",
        scope="admin",
        body=NewToken,
        answer=TokenSecret,
        problems={409: "Another token has that name."},
    ),
    Route(
        method="POST",
        path="/api/tokens/{id}/regenerate",
        handler=regenerate_token,
        summary="Give a token a new secret; the old one dies at once, or after an overlap.",
        scope="admin",
        body=Renewal,
        answer=TokenSecret,
    ),
    Route(
        method="DELETE",
        path="/api/tokens/{id}",
        handler=delete_token,
        summary="End a token, and the sign-ins that were made with it.",
        scope="admin",
        answer=Deleted,
    ),
    Route(
        method="POST",
        path="/api/tokens/revoke-all",
        handler=revoke_tokens,
        summary="End every token and every sign-in at once, the caller's own too.",
        scope="admin",
        answer=Revoked,
    ),
)

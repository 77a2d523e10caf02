"""Tokens, sign-ins and what they allow, as values."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

Scope: TypeAlias = Literal["ingest", "read", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("ingest", "read", "admin")

TOKEN_PREFIX: Final = "lst_"  # noqa: S105 - no secret: every secret begins with it
"""Begins every token of ours, so that secret scanners can know one."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is listed: its secret is nowhere but with its owner.

    Attributes:
        hint: The first and last characters of the secret, by which its owner knows it.
        project: Only this project's repository and folder; None: all.
        expires_us: None: never.
        last_used_us: Within a minute.
        overlap_until_us: A regenerated token's old secret is good until then.
    """

    id: int
    name: str
    scopes: tuple[Scope, ...]
    hint: str
    project: int | None = None
    created_us: int = 0
    expires_us: int | None = None
    last_used_us: int | None = None
    overlap_until_us: int | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request. ``token`` names it for logs and rates; ``by_cookie`` requests need a right Origin to change.

    ``admin`` includes every other scope.
    """

    token: int
    name: str
    scopes: tuple[Scope, ...]
    project: int | None = None
    by_cookie: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether this caller has a scope."""
        return scope in self.scopes or "admin" in self.scopes

"""Secrets, codes and names: how they are made, how they are kept, and what may be one.

A secret has 256 bits, so its plain SHA-256 is as good at rest as any slow hash: nobody can try them all. A code that
a person compares by eye has 34 bits only; it lives for minutes and opens nothing without somebody who is signed in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable
from itertools import count
from typing import Final

from livestream.studio.auth.base import SCOPES, TOKEN_PREFIX, Scope
from livestream.studio.auth.errors import TokenFieldError

MAX_NAME: Final = 100
USER_CODE_SIGNS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word; no digits, so that none is taken for a letter."""
_SECRET_BYTES: Final = 32
_MAX_SECRET: Final = 512


def new_token() -> str:
    """Make the secret of a token: ``lst_`` and 43 characters."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def new_secret() -> str:
    """Make the secret of a session, a sign-in code or a device."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def new_user_code() -> str:
    """Make a code that people can compare and type: ``BCDF-GHJK``."""
    signs = [secrets.choice(USER_CODE_SIGNS) for _ in range(8)]
    return f"{''.join(signs[:4])}-{''.join(signs[4:])}"


def read_user_code(text: str) -> str:
    """Give a code as it is kept, however it was typed."""
    signs = "".join(sign for sign in text[:64].upper() if sign.isalpha())
    return f"{signs[:4]}-{signs[4:]}"


def digest_of(secret: str) -> bytes | None:
    """Hash a secret as it is kept; None for what cannot be one."""
    if not 0 < len(secret) <= _MAX_SECRET:
        return None
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def hint_of(token: str) -> str:
    """Show so much of a token that its owner knows it: 24 of its 256 bits, beside the prefix."""
    return f"{token[: len(TOKEN_PREFIX) + 2]}…{token[-2:]}"


def checked_name(name: str) -> str:
    """Check a token's name.

    Raises:
        TokenFieldError: It is empty, too long, or holds what a terminal or a log would choke on.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise TokenFieldError("name", f"has {len(name)} characters; accepted: 1 to {MAX_NAME}")
    if not name.isprintable():
        raise TokenFieldError("name", "holds characters that cannot be printed")
    return name


def checked_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Check scopes, and give each once and in order.

    Raises:
        TokenFieldError: There is none, or an unknown one.
    """
    wanted = tuple(scopes)
    unknown = sorted(set(wanted) - set(SCOPES))
    if unknown or not wanted:
        given = f"{unknown[0]!r} is unknown" if unknown else "none is given"
        raise TokenFieldError("scopes", f"{given}; accepted: {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Give a name that no other token has: the one wanted, or it with the first number that is free."""
    if wanted not in taken:
        return wanted
    numbered = (f"{wanted[: MAX_NAME - len(str(number)) - 1]}-{number}" for number in count(2))
    return next(name for name in numbered if name not in taken)

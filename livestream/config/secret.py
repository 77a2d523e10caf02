"""Tokens that do not show themselves, and names for them that tell nothing."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A token that shows itself only to who asks: printing, formatting, pickling and encoding it all fail to leak."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: a token never leaves memory")


def fingerprint(token: Secret | str, key: bytes) -> str:
    """Name a token without telling it: 16 hex digits of HMAC-SHA256 under the spool's ``key`` (32 random bytes)."""
    import hmac  # noqa: PLC0415 - loads OpenSSL, and most trainings have no token to name at import

    text = token.reveal() if isinstance(token, Secret) else token
    return hmac.digest(key, text.encode(errors="surrogateescape"), "sha256").hex()[:16]

"""`Keeper`: who may do what, asked by every request and changed by pages and commands.

A check is a lookup of the secret's SHA-256 in a cache that any commit of any process empties, so a token that
``livestream token delete`` ends is dead to a running server at its next request. Times are microseconds since the
epoch.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from livestream.studio.auth.base import Caller, Scope, Token
from livestream.studio.auth.database import connect, data_version
from livestream.studio.auth.devices import Devices
from livestream.studio.auth.errors import AuthError, NoTokenError, TokenFieldError, TokenNameTakenError
from livestream.studio.auth.texts import (
    checked_name,
    checked_scopes,
    digest_of,
    hint_of,
    new_secret,
    new_token,
)
from livestream.studio.store.sqlite.database import transaction

logger: Final = logging.getLogger(__name__)

SIGN_IN_CODE_US: Final = 24 * 3600 * 1_000_000
SESSION_US: Final = 30 * 24 * 3600 * 1_000_000
_TOUCH_US: Final = 60 * 1_000_000
_EXTEND_US: Final = 3600 * 1_000_000
"""A session is prolonged at most this often."""
_MAX_CACHED: Final = 4_096
MAX_SESSIONS: Final = 1_000
"""Of one token; over it the oldest end: whoever has a token can sign in as often as they like, and each is a row."""
_PROLONG: Final = (
    # The sessions that were opened with a regenerated token end with its overlap.
    "UPDATE session SET expires_us = ?1 WHERE digest = ?2"
    " AND NOT EXISTS (SELECT 1 FROM token WHERE token.id = session.token AND overlap_until_us > ?3)"
)
_FORGET_OLDEST: Final = (
    "DELETE FROM session WHERE token IS ?1 AND digest IN"
    " (SELECT digest FROM session WHERE token IS ?1 ORDER BY created_us DESC LIMIT -1 OFFSET ?2)"
)
_COLUMNS: Final = (
    "id, name, scopes, hint, project, created_us, expires_us, last_used_us,"
    " CASE WHEN overlap_until_us > ? THEN overlap_until_us END AS overlap_until_us"
)


def sign_in_link(url: str, code: str) -> str:
    """Give the link that signs a browser in. ``url``: the Studio's, ``code``: a new sign-in code."""
    return f"{url.rstrip('/')}/sign-in?code={code}"


class _Known(msgspec.Struct):
    """A secret that was found. ``until_us``: when it ends; ``touch_us``: when to note again that it is in use."""

    digest: bytes
    caller: Caller
    until_us: int | None
    touch_us: int


class Keeper:
    """Tokens, sessions and codes of one Studio; for one thread at a time."""

    def __init__(self, data: Path, clock_us: Callable[[], int]) -> None:
        self._connection = connect(data)
        self._clock_us = clock_us
        self._cache: dict[tuple[bool, bytes], _Known] = {}
        self._version = data_version(self._connection)
        (self.cookie,) = self._connection.execute("SELECT value FROM studio WHERE name = 'cookie'").fetchone()
        self.devices = Devices(self._connection, clock_us, self._changing, self._create)

    # -- tokens

    def create(
        self, name: str, scopes: Iterable[str], project: int | None = None, expires_us: int | None = None
    ) -> tuple[Token, str]:
        """Make a token; its secret is given here and never again.

        Raises:
            TokenFieldError: An argument is nonsense.
            TokenNameTakenError: Another token, not expired, has the name.
        """
        name = checked_name(name)
        granted = checked_scopes(scopes)
        if project is not None and "admin" in granted:
            raise TokenFieldError("project", "an admin token is for all projects; accepted: none, or other scopes")
        now_us = self._clock_us()
        if expires_us is not None and not now_us < expires_us < 1 << 62:
            raise TokenFieldError("expires", "lies in the past, or too far ahead")
        with self._changing():
            self._connection.execute("DELETE FROM token WHERE name = ? AND expires_us <= ?", (name, now_us))
            if self._connection.execute("SELECT 1 FROM token WHERE name = ?", (name,)).fetchone():
                raise TokenNameTakenError(f"name: there is a token {name!r} already: take another, or regenerate it")
            return self._create(name, granted, project, expires_us)

    def list(self) -> list[Token]:
        """All tokens that were not deleted, expired ones too, by name."""
        query = f"SELECT {_COLUMNS} FROM token ORDER BY name"  # noqa: S608 - a constant
        return [_token(row) for row in self._connection.execute(query, (self._clock_us(),))]

    def has_tokens(self) -> bool:
        """Whether any token is good now."""
        query = "SELECT 1 FROM token WHERE expires_us IS NULL OR expires_us > ?"
        return self._connection.execute(query, (self._clock_us(),)).fetchone() is not None

    def find(self, which: int | str) -> Token:
        """Give a token by its id or its name.

        Raises:
            NoTokenError: There is none.
        """
        column = "id" if isinstance(which, int) else "name"
        query = f"SELECT {_COLUMNS} FROM token WHERE {column} = ?"  # noqa: S608 - constants
        try:
            row = self._connection.execute(query, (self._clock_us(), which)).fetchone()
        except (OverflowError, UnicodeEncodeError):
            row = None
        if row is None:
            raise NoTokenError(f"there is no token {which!r}: see `livestream token list`")
        return _token(row)

    def regenerate(self, which: int | str, overlap_s: float = 0) -> tuple[Token, str]:
        """Give a token a new secret; the old one, and who signed in with it, is good for ``overlap_s`` more.

        Raises:
            NoTokenError: There is none of that id or name.
            TokenFieldError: The overlap is negative, or longer than a year.
        """
        if not 0 <= overlap_s <= 366 * 86_400:
            raise TokenFieldError("overlap", f"{overlap_s:g} s; accepted: from 0 to a year")
        secret = new_token()
        with self._changing():
            token = self.find(which)
            until_us = self._clock_us() + int(overlap_s * 1e6) if overlap_s else None
            self._connection.execute(
                "UPDATE token SET old_digest = CASE WHEN ?1 THEN digest END, overlap_until_us = ?1, digest = ?2,"
                " hint = ?3 WHERE id = ?4",
                (until_us, digest_of(secret), hint_of(secret), token.id),
            )
            self._connection.execute(
                "UPDATE session SET expires_us = min(expires_us, ?) WHERE token = ?", (until_us or 0, token.id)
            )
            return self.find(token.id), secret

    def delete(self, which: int | str) -> None:
        """End a token, and the sessions of who signed in with it.

        Raises:
            NoTokenError: There is none of that id or name.
        """
        with self._changing():
            self._connection.execute("DELETE FROM token WHERE id = ?", (self.find(which).id,))

    def revoke_all(self) -> int:
        """End every token, session, sign-in code and waiting device at once; gives the number of tokens."""
        with self._changing():
            count = self._connection.execute("DELETE FROM token").rowcount
            for table in ("session", "sign_in_code", "device"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
        return count

    def check(self, secret: str) -> Caller | None:
        """Say whose secret this is; None if it is nobody's, or no longer."""
        digest = digest_of(secret)
        return None if digest is None else self._look(digest, by_cookie=False)

    # -- people

    def new_sign_in_code(self) -> str:
        """Make a code that signs one browser in, as admin, within a day."""
        code = new_secret()
        now_us = self._clock_us()
        with self._changing():
            self._connection.execute("DELETE FROM sign_in_code WHERE expires_us <= ?", (now_us,))
            self._connection.execute(
                "INSERT INTO sign_in_code VALUES (?, ?)", (digest_of(code), now_us + SIGN_IN_CODE_US)
            )
        return code

    def sign_in(self, secret: str) -> str | None:
        """Open a session with a sign-in code, which is used up, or a token that may read; None: it is neither.

        Gives the session's secret, for the cookie.
        """
        secret = secret.strip()
        digest = digest_of(secret)
        if digest is None:
            return None
        caller = self.check(secret)
        if caller is not None and not caller.may("read"):
            return None
        session, now_us = new_secret(), self._clock_us()
        with self._changing():
            if caller is None and not self._use_up(digest, now_us):
                return None
            self._connection.execute("DELETE FROM session WHERE expires_us <= ?", (now_us,))
            self._connection.execute(_FORGET_OLDEST, (caller.token if caller else None, MAX_SESSIONS - 1))
            self._connection.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?)",
                (digest_of(session), caller.token if caller else None, now_us, now_us + SESSION_US),
            )
        return session

    def session(self, secret: str) -> Caller | None:
        """Say whose session this is; each use prolongs it to 30 days."""
        digest = digest_of(secret)
        return None if digest is None else self._look(digest, by_cookie=True)

    def sign_out(self, secret: str) -> None:
        """End a session; none is no error."""
        with self._changing():
            self._connection.execute("DELETE FROM session WHERE digest = ?", (digest_of(secret),))

    # -- the file

    def close(self) -> None:
        """Close auth.db."""
        self._connection.close()

    # -- inside

    def _create(
        self, name: str, scopes: tuple[Scope, ...], project: int | None, expires_us: int | None
    ) -> tuple[Token, str]:
        """Insert a token, in the caller's transaction."""
        secret = new_token()
        made = self._connection.execute(
            "INSERT INTO token (name, scopes, digest, hint, project, created_us, expires_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, " ".join(scopes), digest_of(secret), hint_of(secret), project, self._clock_us(), expires_us),
        )
        return self.find(made.lastrowid or 0), secret

    def _use_up(self, digest: bytes, now_us: int) -> bool:
        query = "DELETE FROM sign_in_code WHERE digest = ? AND expires_us > ?"
        return self._connection.execute(query, (digest, now_us)).rowcount == 1

    def _look(self, digest: bytes, *, by_cookie: bool) -> Caller | None:
        version = data_version(self._connection)
        if version != self._version:
            self._cache.clear()
            self._version = version
        now_us = self._clock_us()
        known = self._cache.get((by_cookie, digest))
        if known is None:
            known = self._find_session(digest, now_us) if by_cookie else self._find_token(digest, now_us)
            if known is None:
                return None
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[by_cookie, digest] = known
        if not hmac.compare_digest(known.digest, digest) or (known.until_us is not None and known.until_us <= now_us):
            return None
        if known.touch_us <= now_us:
            self._touch(known, now_us, by_cookie=by_cookie)
        return known.caller

    def _find_token(self, digest: bytes, now_us: int) -> _Known | None:
        row = self._connection.execute(
            "SELECT * FROM token WHERE digest = ?1 OR (old_digest = ?1 AND overlap_until_us > ?2)", (digest, now_us)
        ).fetchone()
        if row is None:
            return None
        is_old = row["digest"] != digest
        ends = [end for end in (row["expires_us"], row["overlap_until_us"] if is_old else None) if end is not None]
        caller = Caller(
            token=row["id"], name=row["name"], scopes=checked_scopes(row["scopes"].split()), project=row["project"]
        )
        return _Known(
            digest=row["old_digest" if is_old else "digest"],
            caller=caller,
            until_us=min(ends, default=None),
            touch_us=(row["last_used_us"] or 0) + _TOUCH_US,
        )

    def _find_session(self, digest: bytes, now_us: int) -> _Known | None:
        row = self._connection.execute(
            "SELECT session.digest, session.expires_us AS until_us, token.* FROM session"
            " LEFT JOIN token ON token.id = session.token WHERE session.digest = ? AND session.expires_us > ?",
            (digest, now_us),
        ).fetchone()
        if row is None:
            return None
        scopes: tuple[Scope, ...] = checked_scopes(row["scopes"].split()) if row["id"] else ("admin",)
        caller = Caller(
            token=row["id"] or 0,
            name=row["name"] or "a sign-in link",
            scopes=scopes,
            project=row["project"],
            by_cookie=True,
        )
        ends = [end for end in (row["until_us"], row["expires_us"]) if end is not None]
        touch_us = row["until_us"] - SESSION_US + _EXTEND_US
        return _Known(digest=row[0], caller=caller, until_us=min(ends), touch_us=touch_us)

    def _touch(self, known: _Known, now_us: int, *, by_cookie: bool) -> None:
        """Note that a secret is in use; a disk that is full must not keep anybody out."""
        known.touch_us = now_us + (_EXTEND_US if by_cookie else _TOUCH_US)
        try:
            self._connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may forget it
            if by_cookie:
                self._connection.execute(_PROLONG, (now_us + SESSION_US, known.digest, now_us))
                self._cache.pop((True, known.digest), None)
            else:
                self._connection.execute("UPDATE token SET last_used_us = ? WHERE id = ?", (now_us, known.caller.token))
        except sqlite3.OperationalError as error:
            logger.warning("livestream.studio_use_not_noted", extra={"reason": str(error)})
        finally:
            self._connection.execute("PRAGMA synchronous=FULL")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Join changes into one commit, after which nothing that was known is taken for granted.

        Raises:
            AuthError: None of them is done: the disk is full, or broken.
        """
        try:
            with transaction(self._connection):
                yield
        except sqlite3.Error as error:
            raise AuthError(f"auth.db cannot be changed: {error}") from error
        finally:
            self._cache.clear()


def _token(row: sqlite3.Row) -> Token:
    return Token(**{**dict(row), "scopes": checked_scopes(row["scopes"].split())})

"""Logins of other programs, as ``dvc studio login`` does them (the OAuth device flow, RFC 8628).

The program gets two codes: a long one, with which it asks again and again whether it may, and a short one, which a
person who is signed in sees and approves in a browser. The token is made when the program fetches it, so that its
secret is never stored; a program that fetched it, or was denied, is forgotten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Literal, TypeAlias

import msgspec

from livestream.studio.auth.base import Scope, Token
from livestream.studio.auth.errors import AuthError
from livestream.studio.auth.texts import checked_name, digest_of, free_name, new_secret, new_user_code, read_user_code

DEVICE_US: Final = 15 * 60 * 1_000_000
MAX_WAITING: Final = 1_000
"""Anybody can ask for a login: the table is bounded by refusing, so that nobody can push another's login out."""
DEVICE_SCOPES: Final[tuple[Scope, ...]] = ("ingest", "read")

Create: TypeAlias = Callable[[str, tuple[Scope, ...], int | None, int | None], tuple[Token, str]]


class TooManyDevicesError(AuthError):
    """So many logins wait for an approval that no more are taken now."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A program that waits. ``client_name`` is what it says of itself: anything."""

    user_code: str
    client_name: str
    token_name: str
    token_expires_us: int | None
    expires_us: int
    decision: str | None = None


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll found: a ``token``'s secret, or that the program waits on, or that it is over."""

    state: Literal["pending", "approved", "expired"]
    secret: str = ""


class Devices:
    """The programs that wait; part of the `Keeper`, whose connection and thread it shares."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock_us: Callable[[], int],
        changing: Callable[[], AbstractContextManager[None]],
        create: Create,
    ) -> None:
        self._connection = connection
        self._clock_us = clock_us
        self._changing = changing
        self._create = create

    def start(self, client_name: str, token_name: str, token_expires_us: int | None = None) -> tuple[str, Device]:
        """Take a login in; gives the code to poll with, and what to show. A name that is taken gets a number.

        Raises:
            TokenFieldError: The token's name is nonsense.
            TooManyDevicesError: Too many wait.
        """
        wanted, now_us, code = checked_name(token_name), self._clock_us(), new_secret()
        with self._changing():
            self._connection.execute("DELETE FROM device WHERE expires_us <= ?", (now_us,))
            waiting = self._connection.execute("SELECT count(*) FROM device").fetchone()[0]
            if waiting >= MAX_WAITING:
                raise TooManyDevicesError(f"{waiting} logins wait for an approval: try again in some minutes")
            device = Device(
                user_code=self._free_code(),
                client_name=client_name,
                token_name=free_name(wanted, set(self._names())),
                token_expires_us=token_expires_us,
                expires_us=now_us + DEVICE_US,
            )
            self._connection.execute(
                "INSERT INTO device (digest, user_code, client_name, token_name, token_expires_us, expires_us)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    digest_of(code),
                    device.user_code,
                    client_name,
                    device.token_name,
                    token_expires_us,
                    device.expires_us,
                ),
            )
        return code, device

    def find(self, user_code: str) -> Device | None:
        """Give the login of a short code, however it was typed; None if it is unknown or over."""
        row = self._connection.execute(
            "SELECT user_code, client_name, token_name, token_expires_us, expires_us, decision FROM device"
            " WHERE user_code = ? AND expires_us > ?",
            (read_user_code(user_code), self._clock_us()),
        ).fetchone()
        return Device(**dict(row)) if row is not None else None

    def decide(self, user_code: str, *, approve: bool) -> bool:
        """Approve or deny a login that waits; False if none does under that code."""
        with self._changing():
            decided = self._connection.execute(
                "UPDATE device SET decision = ? WHERE user_code = ? AND expires_us > ? AND decision IS NULL",
                ("approved" if approve else "denied", read_user_code(user_code), self._clock_us()),
            )
        return decided.rowcount == 1

    def poll(self, code: str) -> Granted:
        """Answer the program: its token, once, if it was approved; a login that was denied is over."""
        digest, now_us = digest_of(code), self._clock_us()
        row = self._connection.execute("SELECT * FROM device WHERE digest = ?", (digest,)).fetchone()
        if row is None or row["expires_us"] <= now_us:
            return Granted(state="expired")
        if row["decision"] is None:
            return Granted(state="pending")
        with self._changing():
            if not self._connection.execute("DELETE FROM device WHERE digest = ?", (digest,)).rowcount:
                return Granted(state="expired")
            if row["decision"] != "approved":
                return Granted(state="expired")
            name = free_name(row["token_name"], set(self._names()))
            _, secret = self._create(name, DEVICE_SCOPES, None, row["token_expires_us"])
            return Granted(state="approved", secret=secret)

    def _free_code(self) -> str:
        while True:
            code = new_user_code()
            if not self._connection.execute("SELECT 1 FROM device WHERE user_code = ?", (code,)).fetchone():
                return code

    def _names(self) -> Iterator[str]:
        for row in self._connection.execute("SELECT name FROM token UNION SELECT token_name FROM device"):
            yield row[0]

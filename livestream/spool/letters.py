"""Dead letters: what the Studio will not take as it is, kept until somebody decides.

They are on a writer's books as dead, whatever their kind, until a retry is accepted: then they are delivered. A letter
that its user drops stays on the books, and in the list with its reason; only its content goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from livestream.errors import SpoolError
from livestream.spool.database import Parameters, Row, Rows, writable
from livestream.spool.rows import DeadLetter, LetterKind, Settlement

DROPPED: Final = "dropped by the user"
"""Ends the reason of a letter whose content its user gave up."""

_COLUMNS: Final = "id, writer, experiment_id, seq, count, reason, status, at, length(event), blobs, kind, retry_at"
INSERT_LETTER: Final = """
INSERT INTO dead(writer, experiment_id, seq, count, reason, status, at, event, blobs, kind, retry_at)
VALUES (:writer, :experiment_id, :seq, :count, :reason, :status, :at, :event, :blobs, :kind, :retry_at)
"""
LIST_LETTERS: Final = f"""
SELECT {_COLUMNS}, NULL FROM dead
WHERE id > :after AND (:writer IS NULL OR writer = :writer)
  AND (:experiment_id IS NULL OR experiment_id = :experiment_id)
ORDER BY id LIMIT :limit
"""  # noqa: S608 - a constant of this module
SHOW_LETTER: Final = f"SELECT {_COLUMNS}, event FROM dead WHERE id = :id"  # noqa: S608
DUE_LETTERS: Final = f"""
SELECT {_COLUMNS}, NULL FROM dead
WHERE kind <> 'dead' AND (kind = 'retry' OR retry_at IS NULL OR retry_at <= :now)
ORDER BY id LIMIT :limit
"""  # noqa: S608
NEXT_RETRY: Final = """
SELECT min(CASE kind WHEN 'retry' THEN 0 ELSE coalesce(retry_at, 0) END) FROM dead WHERE kind <> 'dead'
"""
COUNT_KINDS: Final = "SELECT kind, count(*) FROM dead GROUP BY kind"
MARK_RETRY: Final = """
UPDATE dead SET kind = 'retry', retry_at = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND kind <> 'retry' AND event IS NOT NULL
"""
BLOBS_OF: Final = """
SELECT DISTINCT blob.value FROM dead, json_each(dead.blobs) AS blob
WHERE dead.id IN (SELECT value FROM json_each(:ids))
  AND blob.value NOT IN (SELECT other.value FROM dead AS kept, json_each(kept.blobs) AS other
                         WHERE kept.blobs <> '[]' AND kept.id NOT IN (SELECT value FROM json_each(:ids)))
"""
DROP_LETTERS: Final = """
UPDATE dead SET kind = 'dead', retry_at = NULL, event = NULL, blobs = '[]', reason = reason || ' (' || :dropped || ')'
WHERE id IN (SELECT value FROM json_each(:ids)) AND event IS NOT NULL
"""
DELIVER_LETTER: Final = """
UPDATE writer SET dead = dead - :count, delivered = delivered + :count, updated = :at WHERE uid = :writer
"""
DELETE_LETTER: Final = "DELETE FROM dead WHERE id = :id"
REFUSE_LETTER: Final = """
UPDATE dead SET kind = :kind, retry_at = :retry_at, reason = coalesce(:reason, reason), status = :status WHERE id = :id
"""
KNOWN_BLOBS: Final = "SELECT DISTINCT blob.value FROM dead, json_each(dead.blobs) AS blob WHERE dead.blobs <> '[]'"


class DeadLetters:
    """The table of dead letters."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list(
        self, *, writer: str | None = None, experiment_id: int | None = None, after: int = 0, limit: int = 1000
    ) -> list[DeadLetter]:
        """List letters by id, without their content, from the first after ``after``."""
        wanted: Parameters = {"writer": writer, "experiment_id": experiment_id, "after": after, "limit": limit}
        return [_letter(row) for row in self._rows.fetch(LIST_LETTERS, wanted)]

    def show(self, letter_id: int) -> DeadLetter | None:
        """Give one letter with its content."""
        rows = self._rows.fetch(SHOW_LETTER, {"id": letter_id})
        return _letter(rows[0]) if rows else None

    def due(self, now: float, limit: int = 100) -> Sequence[DeadLetter]:
        """List, without their content, the letters to try now: asked for, or parked until before ``now`` (epoch)."""
        return [_letter(row) for row in self._rows.fetch(DUE_LETTERS, {"now": now, "limit": limit})]

    def next_retry(self) -> float | None:
        """When the next letter is due, in seconds since the epoch (0: now); ``None`` where none waits."""
        ((when,),) = self._rows.fetch(NEXT_RETRY)
        return None if when is None else float(str(when))

    def counts(self) -> dict[LetterKind, int]:
        """Count the letters of each kind."""
        rows = self._rows.fetch(COUNT_KINDS)
        return msgspec.convert({str(kind): count for kind, count in rows}, dict[LetterKind, int])

    def blobs(self) -> frozenset[str]:
        """Name all files in the spool's ``dead`` folder that a letter needs."""
        return frozenset(str(name) for (name,) in self._rows.fetch(KNOWN_BLOBS))

    def retry(self, ids: Iterable[int]) -> int:
        """Ask for one more try of letters; tell how many have content that can be tried."""
        with writable(self._rows).transaction() as connection:
            return connection.execute(MARK_RETRY, {"ids": _json(ids)}).rowcount

    def drop(self, ids: Iterable[int]) -> frozenset[str]:
        """Give the content of letters up; tell which files in the ``dead`` folder nobody needs any more."""
        wanted = _json(ids)
        with writable(self._rows).transaction() as connection:
            freed = frozenset(str(name) for (name,) in connection.execute(BLOBS_OF, {"ids": wanted}).fetchall())
            connection.execute(DROP_LETTERS, {"ids": wanted, "dropped": DROPPED})
        return freed

    def settle(self, settlement: Settlement) -> frozenset[str]:
        """Note how one more try ended; tell which files in the ``dead`` folder nobody needs any more.

        Raises:
            SpoolError: There is no such letter.
        """
        letter = self.show(settlement.id)
        if letter is None:
            raise SpoolError(f"there is no dead letter {settlement.id}")
        with writable(self._rows).transaction() as connection:
            if not settlement.accepted:
                connection.execute(REFUSE_LETTER, _refusal(settlement))
                return frozenset()
            blobs = connection.execute(BLOBS_OF, {"ids": _json([letter.id])}).fetchall()
            connection.execute(DELETE_LETTER, {"id": letter.id})
            connection.execute(DELIVER_LETTER, {"count": letter.count, "at": settlement.at, "writer": letter.writer})
        return frozenset(str(name) for (name,) in blobs)


def insert_letters(connection: sqlite3.Connection, letters: Iterable[DeadLetter]) -> None:
    """Put letters into the table, within the caller's transaction."""
    for letter in letters:
        connection.execute(
            INSERT_LETTER,
            msgspec.structs.asdict(letter) | {"blobs": msgspec.json.encode(letter.blobs).decode()},
        )


def _refusal(settlement: Settlement) -> dict[str, str | float | int | None]:
    return {
        "id": settlement.id,
        "kind": "dead" if settlement.retry_at is None else "parked",
        "retry_at": settlement.retry_at,
        "reason": settlement.reason,
        "status": settlement.status,
    }


def _json(ids: Iterable[int]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()


def _letter(row: Row) -> DeadLetter:
    names = ("id", "writer", "experiment_id", "seq", "count", "reason", "status", "at", "size", "blobs", "kind")
    values = dict(zip((*names, "retry_at", "event"), row, strict=True))
    values["size"] = values["size"] or 0
    values["blobs"] = msgspec.json.decode(str(values["blobs"]))
    return msgspec.convert(values, DeadLetter)

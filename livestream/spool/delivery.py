"""Waiting, in a training, for what it emitted to be delivered: the cursor is read from the daemon's books."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from livestream.spool.forking import gate
from livestream.spool.launch import ask_daemon, is_served
from livestream.spool.layout import STATE_FILE
from livestream.spool.session import Session

_POLL_S: Final = 0.05
_START_S: Final = 10.0
SELECT_CURSOR: Final = "SELECT cursor FROM writer WHERE uid = :uid"


def wait_for_delivery(session: Session, wait_s: float) -> int:
    """Wait until the daemon has an answer for everything this session accepted, or for ``wait_s``.

    Returns:
        Events not delivered yet. Where no daemon serves the spool (any more) there is nothing to wait for.
    """
    writer = session.writer
    if writer is None:
        return 0
    deadline = time.monotonic() + wait_s
    spool = session.options.spool
    ask_daemon(spool, {"op": "wake"})
    unserved_since: float | None = None
    while True:
        left = writer.seq - cursor_of(spool, writer.info.uid)
        now = time.monotonic()
        unserved_since = None if is_served(spool) else unserved_since or now
        hopeless = unserved_since is not None and (not session.options.start_daemon or now - unserved_since > _START_S)
        if left <= 0 or now >= deadline or hopeless:
            return max(left, 0)
        time.sleep(min(_POLL_S, deadline - now))


def cursor_of(spool: Path, uid: str) -> int:
    """Read the last sequence number of a writer that the Studio acknowledged (or that is a dead letter)."""
    try:
        with gate, closing(sqlite3.connect(f"file:{spool / STATE_FILE}?mode=ro", uri=True, timeout=1.0)) as connection:
            row = connection.execute(SELECT_CURSOR, {"uid": uid}).fetchone()
    except sqlite3.Error:
        return 0
    return 0 if row is None else int(row[0])

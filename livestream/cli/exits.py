"""What the commands' exit codes mean: one table, shown by ``livestream --help``."""

from __future__ import annotations

from typing import Final

import click

OK: Final = 0
TROUBLE: Final = 1
USAGE: Final = 2
TIMED_OUT: Final = 3
HELD: Final = 4
DEAD_LETTERS: Final = 5
NO_SPOOL: Final = 6
BUSY: Final = 7
INTERRUPTED: Final = 130

MEANINGS: Final = (
    (OK, "All is well; for `sync` and `daemon --once`: nothing is left to deliver."),
    (TROUBLE, "Something is wrong: the error says what, `verify` and `doctor` list it."),
    (USAGE, "The command line, or a LIVESTREAM_* variable, cannot be understood."),
    (TIMED_OUT, "The time is over and events are left; run it again."),
    (HELD, "Events are held until something changes; the reason says what."),
    (DEAD_LETTERS, "Only dead letters are left; see `livestream queue ls --dead`."),
    (NO_SPOOL, "There is no spool in that folder."),
    (BUSY, "Another daemon serves the spool."),
    (INTERRUPTED, "Stopped by Ctrl-C; nothing is lost."),
)
"""Codes and meanings. Where several spools are synced, the first of ``WORST_FIRST`` that applies is given."""

WORST_FIRST: Final = (INTERRUPTED, TROUBLE, NO_SPOOL, BUSY, HELD, TIMED_OUT, DEAD_LETTERS, OK)


class CommandError(click.ClickException):
    """Ends a command with a message and one of the exit codes above."""

    def __init__(self, message: str, exit_code: int = TROUBLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click's own subclasses have one for all


def worst(codes: list[int]) -> int:
    """Choose the code that matters most; that of nothing at all is ``OK``."""
    return min(codes, key=WORST_FIRST.index, default=OK)

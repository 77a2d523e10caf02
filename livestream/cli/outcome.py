"""What a delivery left behind, and the exit code that tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from livestream.cli.exits import DEAD_LETTERS, HELD, OK, TIMED_OUT
from livestream.cli.queue_letters import all_letters
from livestream.cli.spools import look
from livestream.spool.rows import DeadLetter


class Ended(Protocol):
    """How a delivery ended: a daemon's ``Summary`` is one."""

    @property
    def queued(self) -> int:
        """Events that wait."""

    @property
    def held(self) -> tuple[str, ...]:
        """Why they wait, where something holds them."""


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters that somebody has to decide about.

    Attributes:
        waiting: Letters that will be tried again: parked, or asked for.
        dead: Letters for good that still have content.
        fresh: Letters of any kind that arose since the mark that was asked about.
    """

    waiting: int = 0
    dead: int = 0
    fresh: tuple[DeadLetter, ...] = ()


def remains(spool: Path, since: int = 0) -> Remains:
    """Count what is left; ``since`` is the highest id of a letter that is no news."""
    state = look(spool)
    if state is None:
        return Remains()
    waiting = dead = 0
    fresh = []
    try:
        for letter in all_letters(state):
            waiting += letter.kind != "dead"
            dead += letter.kind == "dead" and letter.size > 0
            if letter.id > since:
                fresh.append(letter)
    finally:
        state.close()
    return Remains(waiting=waiting, dead=dead, fresh=tuple(fresh))


def last_letter(spool: Path) -> int:
    """Give the highest id of a dead letter; 0 where there is none."""
    state = look(spool)
    if state is None:
        return 0
    try:
        return max((letter.id for letter in all_letters(state)), default=0)
    finally:
        state.close()


def exit_code(ended: Ended, left: Remains) -> int:
    """Tell by an exit code what is left; what arose now counts even where nothing of it can be saved."""
    if ended.queued:
        return HELD if ended.held else TIMED_OUT
    return DEAD_LETTERS if left.waiting or left.dead or left.fresh else OK

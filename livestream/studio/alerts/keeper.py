"""Rules, what they hold of, and what is still to be sent: one file in the data folder, private, written whole.

A change is made of the state as it is, put on disk, and only then true here: what is decided and what was told for it
are in the file together, so that a kill between any two instructions neither repeats an alert's decision nor forgets
it. An alert that was sent in the last instant before a kill may be sent again; its number says that it is the same.

The file holds the addresses of webhooks, which let anybody who knows them post: nobody but its owner can read it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from livestream.files import sync_folder, write_whole
from livestream.studio.alerts.rules import Alert, Judged, Rule, alert_of, decide

logger: Final = logging.getLogger(__name__)

T = TypeVar("T")

NAME: Final = "alerts.json"
MAX_RULES: Final = 100
MAX_WAITING: Final = 200
"""Alerts that are decided and not sent; what comes beyond them is dropped, and said at its rule."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an alert, or of a test, of a rule."""

    time_us: int
    ok: bool
    detail: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All there is; never changed, but replaced.

    Attributes:
        next_rule: Numbers are never used again.
        holds: By rule, the experiments of which it held when they were last looked at.
        waiting: Decided and not yet sent, oldest first.
        results: By rule, the last one.
        dropped: How many since the file was made.
    """

    next_rule: int = 1
    next_alert: int = 1
    rules: dict[int, Rule] = {}
    holds: dict[int, frozenset[int]] = {}
    waiting: tuple[Alert, ...] = ()
    results: dict[int, Result] = {}
    dropped: int = 0


class Keeper:
    """Keeps one Studio's. Belongs to the event loop, but for the writing of the file."""

    def __init__(self, data: Path) -> None:
        """Read what there is; a file that cannot be read is put aside, for the Studio must start without alerts too."""
        self._path = data / NAME
        self._lock = asyncio.Lock()
        for left in data.glob(f".{NAME}.*"):  # by one that was killed while it wrote
            left.unlink(missing_ok=True)
        self.state = self._read()

    async def change(self, edit: Callable[[State], State]) -> State:
        """Make one state of another and put it on disk, whatever becomes of the caller; gives the new one.

        Raises:
            OSError: It could not be written; nothing is changed.
        """
        return await asyncio.shield(asyncio.ensure_future(self._change(edit)))

    async def settled(self) -> None:
        """Wait until nothing is being written."""
        async with self._lock:
            pass

    async def _change(self, edit: Callable[[State], State]) -> State:
        async with self._lock:
            state = edit(self.state)
            if state is not self.state:
                await asyncio.to_thread(self._write, msgspec.json.encode(state))
                self.state = state
            return state

    def _write(self, content: bytes) -> None:
        write_whole(self._path, content)
        sync_folder(self._path.parent)

    def _read(self) -> State:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            aside = self._path.with_name(f"{NAME}.damaged")
            logger.error(  # noqa: TRY400 - where it lies is all that helps
                "livestream.studio_alerts_damaged", extra={"error": str(error), "put_aside": str(aside)}
            )
            self._put_aside(aside)
            return State()

    def _put_aside(self, aside: Path) -> None:
        try:
            self._path.rename(aside)
        except OSError as error:
            logger.warning("livestream.studio_alerts_not_put_aside", extra={"error": str(error)})


# -- changes of the state


def with_rule(state: State, rule: Rule, holds: Iterable[int]) -> State:
    """Put a rule there, or in the place of its earlier self, with the experiments of which it holds untold."""
    return msgspec.structs.replace(
        state,
        next_rule=max(state.next_rule, rule.id + 1),
        rules=state.rules | {rule.id: rule},
        holds=state.holds | {rule.id: frozenset(holds)},
    )


def without_rule(state: State, rule: int) -> State:
    """Take a rule away, with all that is known of it."""
    return msgspec.structs.replace(
        state,
        rules=_without(state.rules, rule),
        holds=_without(state.holds, rule),
        waiting=tuple(alert for alert in state.waiting if alert.rule != rule),
        results=_without(state.results, rule),
    )


def noted(state: State, judged: Iterable[Judged], now_us: int) -> State:
    """Note what rules say of experiments, and put what is to be told behind what waits."""
    holds, waiting, results = dict(state.holds), list(state.waiting), dict(state.results)
    number, dropped = state.next_alert, state.dropped
    is_same = True
    for one in judged:
        told, changed = decide(state.rules, one, holds)
        is_same = is_same and not changed
        holds |= changed
        for rule, finding in told:
            if len(waiting) < MAX_WAITING:
                waiting.append(alert_of(number, rule, one, finding, now_us))
                number += 1
            else:
                dropped += 1
                detail = f"dropped, as {MAX_WAITING} others wait to be sent"
                results[rule.id] = Result(time_us=now_us, ok=False, detail=detail)
    if is_same:
        return state
    return msgspec.structs.replace(
        state, holds=holds, waiting=tuple(waiting), results=results, next_alert=number, dropped=dropped
    )


def done_with(state: State, alert: Alert, result: Result | None) -> State:
    """Take an alert out of those that wait; ``result``: None where it was not sent at all."""
    waiting = tuple(one for one in state.waiting if one.id != alert.id)
    changed = msgspec.structs.replace(state, waiting=waiting)
    return changed if result is None else with_result(changed, alert.rule, result)


def with_result(state: State, rule: int, result: Result) -> State:
    """Note what became of something that was sent; of a rule that is gone nothing is kept."""
    if rule not in state.rules:
        return state
    return msgspec.structs.replace(state, results=state.results | {rule: result})


def _without(there: dict[int, T], number: int) -> dict[int, T]:
    return {key: value for key, value in there.items() if key != number}

"""``livestream queue retry`` and ``drop``: somebody decides about dead letters.

The daemon is asked where one serves the spool; otherwise the command takes the daemon's lock and its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from livestream.cli.exits import CommandError
from livestream.cli.output import counted, print_json
from livestream.cli.spools import existing, json_option, look, own, spool_option
from livestream.spool.dead_blobs import drop_dead_blobs
from livestream.spool.launch import ask_daemon, is_served
from livestream.spool.rows import DeadLetter
from livestream.spool.state import State

ANSWER_S: Final = 30.0
"""How long to wait for the daemon: it answers between two commits."""

_RETRY_HELP = """Send dead letters once more.

IDs are those of `livestream queue ls --dead`. A running daemon does it at once, otherwise the next `livestream
sync`. What the Studio refuses again stays a dead letter.

\b
Examples:
    livestream queue retry 3 4
    livestream queue retry --all && livestream sync
"""

_DROP_HELP = """Give the content of dead letters up.

They stay in the list, and in the books, as dropped; what they held is deleted and cannot be sent any more. Export
it before, if in doubt: `livestream queue export --dead`.

\b
Examples:
    livestream queue drop 3 4
    livestream queue drop --all --yes
"""


@click.command(help=_RETRY_HELP)
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="All that have content.")
@spool_option
@json_option
def retry(ids: tuple[int, ...], spool: Path | None, *, every: bool, as_json: bool) -> None:
    """Send dead letters once more."""
    path = existing(spool)
    chosen = _chosen(path, ids, every=every)
    count = _decide(path, "retry", chosen, lambda state: state.letters.retry(chosen))
    if as_json:
        print_json({"retried": count})
        return
    click.echo(f"{counted(count, 'dead letter')} will be sent once more.")
    if count and not is_served(path):
        click.echo("No daemon serves this spool now: run `livestream sync`.")


@click.command(help=_DROP_HELP)
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="All that have content.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@spool_option
@json_option
def drop(ids: tuple[int, ...], spool: Path | None, *, every: bool, yes: bool, as_json: bool) -> None:
    """Give the content of dead letters up."""
    path = existing(spool)
    chosen = _chosen(path, ids, every=every)
    if chosen and not yes:
        click.confirm(f"Delete what {counted(len(chosen), 'dead letter')} hold for ever?", abort=True, err=True)
    count = _decide(path, "drop", chosen, lambda state: _drop(path, state, chosen))
    if as_json:
        print_json({"dropped": count})
    else:
        click.echo(f"{counted(count, 'dead letter')} dropped.")


def all_letters(state: State, writer: str | None = None, after: int = 0) -> Iterator[DeadLetter]:
    """Give all dead letters by id, without their content."""
    while page := state.letters.list(writer=writer, after=after):
        yield from page
        after = page[-1].id


def _chosen(path: Path, ids: Iterable[int], *, every: bool) -> list[int]:
    wanted = sorted(set(ids))
    if bool(wanted) == every:
        raise click.UsageError("Give the ids of dead letters (see `livestream queue ls --dead`), or --all.")
    state = look(path)
    try:
        letters = {letter.id: letter for letter in all_letters(state)} if state is not None else {}
    finally:
        if state is not None:
            state.close()
    if every:
        return [letter.id for letter in letters.values() if letter.size]
    for number in wanted:
        if number not in letters:
            raise CommandError(f"there is no dead letter {number}: see `livestream queue ls --dead`")
        if not letters[number].size:
            raise CommandError(f"nothing is left of dead letter {number}: {letters[number].reason}")
    return wanted


def _decide(path: Path, op: str, ids: list[int], otherwise: Callable[[State], int]) -> int:
    """Have the daemon do it, or do it in its place."""
    if not ids:
        return 0
    if not is_served(path):
        with own(path) as state:
            return otherwise(state)
    answer = ask_daemon(path, {"op": op, "ids": ids}, timeout_s=ANSWER_S)
    if answer is None:
        raise CommandError("the daemon does not answer: try again, or see `livestream doctor`")
    if not answer.get("ok"):
        raise CommandError(f"the daemon refused: {answer.get('detail', 'it gives no reason')}")
    count = answer.get("count")
    return count if isinstance(count, int) else len(ids)


def _drop(path: Path, state: State, ids: list[int]) -> int:
    drop_dead_blobs(path, state.letters.drop(ids))
    return len(ids)

"""``livestream status``: how far each experiment's delivery is, with or without a daemon."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from livestream.cli.output import counted, human_bytes, human_moment, human_s, print_json, reasons
from livestream.cli.spools import chosen, is_spool, json_option, spool_argument
from livestream.cli.survey import ExperimentFacts, SpoolFacts, survey
from livestream.cli.tables import print_table
from livestream.events import JsonObject
from livestream.spool.rows import Books

_HELP = """Show how far each experiment's delivery is.

It needs no daemon: what is queued is counted in the spool itself.

\b
Example:
    livestream status
    livestream status --json | jq '.experiments[] | select(.state != "done")'

\b
States:
    live     delivered as it comes
    behind   events wait; "behind" says since when
    offline  recorded to be sent by `livestream sync` only
    held     nothing is sent until something changes; the reason says what
    ending   all is delivered but its end, which a daemon or `livestream sync` says
    done     delivered, to the end
"""


@click.command(help=_HELP)
@spool_argument
@click.option("--all", "with_done", is_flag=True, help="Show finished experiments one by one, too.")
@json_option
def status(named: Path | None, spool: Path | None, *, with_done: bool, as_json: bool) -> None:
    """Show how far each experiment's delivery is."""
    path = chosen(named, spool)
    exists = is_spool(path)
    facts = survey(path) if exists else SpoolFacts(path=path)
    if as_json:
        print_json(_document(facts, exists=exists))
    elif exists:
        _show(facts, with_done=with_done)
    else:
        click.echo(f"No spool in {path}: nothing was recorded yet.")
        click.echo("Call livestream.init() and run.emit() in a training, or see `livestream demo`.")


def _document(facts: SpoolFacts, *, exists: bool) -> JsonObject:
    return {
        "spool": str(facts.path),
        "exists": exists,
        "daemon": {"running": facts.served, **_daemon(facts)},
        "experiments": [_experiment(experiment) for experiment in facts.experiments],
        "studios": [
            {"url": target.url, "state": target.state, "detail": target.detail, "until": target.until}
            for target in facts.targets
        ],
        "books": _books(facts.books),
        "problems": facts.problems,
    }


def _daemon(facts: SpoolFacts) -> JsonObject:
    if not facts.served or facts.daemon is None:
        return {}
    return {"pid": facts.daemon.pid, "host": facts.daemon.host, "version": facts.daemon.version}


def _experiment(facts: ExperimentFacts) -> JsonObject:
    fields: JsonObject = msgspec.to_builtins(facts)
    return {**fields.pop("experiment"), **fields, "books": _books(facts.books)}


def _books(books: Books) -> JsonObject:
    return {
        "emitted": books.emitted,
        "delivered": books.delivered,
        "dead": books.dead,
        "refused": books.refused,
        "queued": books.queued,
        "superseded": books.superseded,
        "trimmed": books.trimmed,
        "balanced": books.balanced,
    }


def _show(facts: SpoolFacts, *, with_done: bool) -> None:
    click.echo(f"spool   {facts.path}")
    click.echo(f"daemon  {_daemon_line(facts)}")
    shown = [one for one in facts.experiments if with_done or one.state != "done" or one.letters or one.books.refused]
    if shown:
        click.echo()
        columns = ("experiment", "state", ">behind", ">backlog", ">size", ">step", "dead", "lost", "note")
        print_table(columns, [_row(one) for one in shown])
    hidden = len(facts.experiments) - len(shown)
    if hidden:
        click.echo(f"\n{counted(hidden, 'more experiment')} delivered to the end (--all shows them)")
    if not facts.experiments:
        click.echo("\nNo experiment was recorded yet.")
    click.echo(f"\nbooks   {books_line(facts.books)}")
    for problem in facts.problems:
        click.echo(f"note    {problem}")
    if any(one.backlog_events for one in facts.experiments) and not facts.served:
        click.echo("\nNothing delivers this now: run `livestream sync` to send it.")


def _daemon_line(facts: SpoolFacts) -> str:
    if not facts.served:
        return "not running (trainings start one; `livestream sync` delivers without it)"
    if facts.daemon is None:
        return "running"
    return f"running, pid {facts.daemon.pid} on {facts.daemon.host}, livestream {facts.daemon.version}"


def books_line(books: Books) -> str:
    """Tell the accounts in one line, with what they say about losses."""
    refused = sum(books.refused.values())
    line = (
        f"{books.emitted:,} emitted = {books.delivered:,} delivered + {books.dead:,} dead"
        f" + {refused:,} refused + {books.queued:,} queued"
    )
    return line if books.balanced else f"{line}  (they do not balance: run `livestream queue verify`)"


def _row(facts: ExperimentFacts) -> tuple[str, ...]:
    lost = reasons({**facts.books.refused, "trimmed": facts.books.trimmed})
    return (
        facts.experiment.name,
        facts.state,
        "-" if facts.behind_s is None else human_s(facts.behind_s),
        f"{facts.backlog_events:,}",
        human_bytes(facts.backlog_bytes) if facts.backlog_events else "-",
        "-" if facts.step is None else str(facts.step),
        reasons({str(kind): count for kind, count in facts.letters.items()}) or "-",
        lost or "-",
        _note(facts),
    )


def _note(facts: ExperimentFacts) -> str:
    if facts.held is not None:
        since = f" (since {human_moment(facts.held_since)})" if facts.held_since else ""
        return f"{facts.held}{since}"
    if facts.retrying_until is not None and (left_s := facts.retrying_until - time.time()) > 0:
        return f"retrying in {human_s(left_s)}: {facts.last_error or 'the Studio does not answer'}"
    return f"last error: {facts.last_error}" if facts.last_error else ""

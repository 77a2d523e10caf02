"""The demo's ledger: what each training says it emitted beside what the Studio says it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import click
import msgspec

from livestream.cli.demo_studio import DemoStudio, Requests, Seen
from livestream.cli.output import counted
from livestream.demo.record import Emitted, Picture, Point, leaves
from livestream.events import JsonObject
from livestream.spool.rows import Books

_LABEL_WIDTH: Final = 20
_COLUMN_WIDTH: Final = 14


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """All that the Studio has of a run.

    Attributes:
        points: Every stored row.
        plots: Rows of each plot that is no series.
    """

    seen: Seen | None = None
    points: list[Point] = []
    pictures: list[Picture] = []
    plots: dict[str, list[JsonObject]] = {}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as the three sides tell of it: its training, its spool, the Studio."""

    name: str
    was_killed: bool = False
    emitted: Emitted
    books: Books
    arrived: Arrived


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison of an account's sides gives.

    Attributes:
        events: That the training handed over, with its own ``start`` and ``done``; a killed one has no ``done``.
        in_flight_was_safe: The event that ``emit`` had not returned for when the training was killed is in the spool.
        params: So many are as they were emitted; ``plots`` likewise.
        lost: Points, images, parameters and plots that were emitted and are not in the Studio.
        duplicates: Points and images that are there more often than they were emitted.
        gaps: Events that the Studio itself misses.
        is_right: All of it is as it has to be.
    """

    name: str
    events: int
    in_flight_was_safe: bool
    delivered: int
    points: int
    images: int
    params: int
    plots: int
    lost: int
    duplicates: int
    gaps: int
    status: str
    is_right: bool


def read_back(studio: DemoStudio, name: str) -> Arrived:
    """Read a run out of the Studio."""
    seen = studio.experiments().get(name)
    if seen is None:
        return Arrived()
    return Arrived(
        seen=seen, points=studio.points(seen.id), pictures=studio.images(seen.id), plots=studio.plots(seen.id)
    )


def compare(account: Account) -> Finding:
    """Compare what was emitted with what arrived."""
    emitted, books, arrived, seen = account.emitted, account.books, account.arrived, account.arrived.seen
    in_flight_was_safe = emitted.in_flight is not None and books.accepted > len(emitted.accepted) + 1
    if in_flight_was_safe:
        emitted = emitted.with_what_was_in_flight()
    few, many = _differences(emitted.points, arrived.points)
    few_pictures, many_pictures = _differences(emitted.pictures, arrived.pictures)
    there = dict(leaves(next(iter(seen.params.values()), {}))) if seen is not None else {}
    params = sum(there.get(name) == value for name, value in emitted.params.items())
    plots = sum(arrived.plots.get(name) == rows for name, rows in emitted.plots.items())
    lost = few + few_pictures + len(emitted.params) - params + len(emitted.plots) - plots
    duplicates = many + many_pictures
    gaps = seen.delivery.missing_events + sum(seen.delivery.losses.values()) if seen is not None else 0
    status = seen.status.kind if seen is not None else "unknown"
    events = len(emitted.accepted) + (1 if account.was_killed else 2)
    is_delivered = events == books.delivered and books.balanced and not (books.queued or books.dead or emitted.refused)
    ended_well = status == ("failed" if account.was_killed else "completed")
    return Finding(
        name=account.name,
        events=events,
        in_flight_was_safe=in_flight_was_safe,
        delivered=books.delivered,
        points=len(arrived.points),
        images=len(arrived.pictures),
        params=params,
        plots=plots,
        lost=lost,
        duplicates=duplicates,
        gaps=gaps,
        status=status,
        is_right=is_delivered and ended_well and not (lost or duplicates or gaps),
    )


def print_ledger(accounts: Sequence[Account], requests: Requests) -> bool:
    """Print what was emitted beside what arrived; tell whether it is the same, once."""
    findings = [compare(account) for account in accounts]
    click.echo("\n" + _row("ledger", [finding.name for finding in findings]))
    for label, counts in (
        ("events emitted", [finding.events for finding in findings]),
        ("events delivered", [finding.delivered for finding in findings]),
        ("in the Studio:", []),
        ("  points", [finding.points for finding in findings]),
        ("  images", [finding.images for finding in findings]),
        ("  parameters", [finding.params for finding in findings]),
        ("  plots", [finding.plots for finding in findings]),
        ("lost", [finding.lost for finding in findings]),
        ("duplicates", [finding.duplicates for finding in findings]),
        ("gaps", [finding.gaps for finding in findings]),
    ):
        click.echo(_row(f"  {label}", [f"{count:,}" for count in counts]))
    click.echo(_row("  status", [finding.status for finding in findings]))
    click.echo(
        "\nEvery point, parameter and row of a plot was compared by value, every image by its SHA-256."
        f"\nThe Studio took {counted(requests.taken, 'request')}, {requests.repeats:,} of them known to be repeats."
    )
    for account, finding in zip(accounts, findings, strict=True):
        if account.was_killed:
            click.echo(_last_words(account, finding))
    is_right = all(finding.is_right for finding in findings)
    click.echo(
        "\nemitted = delivered, duplicates 0, lost 0" if is_right else "\nSOMETHING IS WRONG: please report this ledger"
    )
    return is_right


def _last_words(account: Account, finding: Finding) -> str:
    epochs = counted(len(account.emitted.accepted), "epoch")
    text = f"{account.name} was killed after {epochs} whose emit() had returned"
    if account.emitted.in_flight is None:
        return f"{text}; none was in flight."
    return f"{text}; one more was in flight, and {'got' if finding.in_flight_was_safe else 'did not get'} to the disk."


def _row(label: str, cells: Iterable[str]) -> str:
    return (label.ljust(_LABEL_WIDTH) + "".join(cell.rjust(_COLUMN_WIDTH) for cell in cells)).rstrip()


def _differences(emitted: Iterable[Hashable], arrived: Iterable[Hashable]) -> tuple[int, int]:
    """Count what did not arrive, and what arrived though it was not emitted, or not so often."""
    wanted, there = Counter(emitted), Counter(arrived)
    return (wanted - there).total(), (there - wanted).total()

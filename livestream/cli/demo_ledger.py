"""The demo's ledger: what the training says it emitted beside what the Studio says it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

import click
import msgspec

from livestream.cli.demo_studio import DemoStudio, Requests, Seen
from livestream.cli.output import counted
from livestream.demo.training import Emitted
from livestream.events import JsonObject
from livestream.spool.rows import Books

Point = tuple[str, int, float | str]


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """All that the Studio has of the run.

    Attributes:
        points: Every stored row: series, step, value.
        pictures: Step and SHA-256 of each.
        plots: Rows of each plot that is no series.
    """

    seen: Seen | None = None
    points: list[Point] = []
    pictures: list[tuple[int, str]] = []
    plots: dict[str, list[JsonObject]] = {}
    requests: Requests = Requests(0, 0)


def read_back(studio: DemoStudio, name: str) -> Arrived:
    """Read the run out of the Studio."""
    seen = studio.experiment(name)
    if seen is None:
        return Arrived(requests=studio.requests())
    return Arrived(
        seen=seen,
        points=[(series, step, value) for series, rows in studio.points(seen.id).items() for step, value in rows],
        pictures=studio.images(seen.id),
        plots=studio.plots(seen.id),
        requests=studio.requests(),
    )


def print_ledger(emitted: Emitted, books: Books, arrived: Arrived) -> bool:
    """Print what was emitted beside what arrived; tell whether it is the same, once."""
    seen = arrived.seen
    points = [(series, step, value) for series, rows in emitted.points.items() for step, value in rows]
    few, many = _differences(points, arrived.points)
    few_pictures, many_pictures = _differences(emitted.pictures, arrived.pictures)
    params = next(iter(seen.params.values()), {}) if seen is not None else {}
    same_params = sum(params.get(name) == value for name, value in emitted.params.items())
    same_plots = sum(arrived.plots.get(name) == rows for name, rows in emitted.plots.items())
    lost = few + few_pictures + len(emitted.params) - same_params + len(emitted.plots) - same_plots
    duplicates = many + many_pictures
    gaps = seen.delivery.missing_events + sum(seen.delivery.losses.values()) if seen is not None else 0
    status = seen.status.kind if seen is not None else "unknown to the Studio"
    events = emitted.accepted + 2
    rows = (
        ("emitted", events, f"start, {counted(emitted.accepted, 'epoch')}, done; refused {emitted.refused:,}"),
        ("delivered", books.delivered, f"dead letters {books.dead:,}, still queued {books.queued:,}"),
        ("points", len(arrived.points), f"in the Studio, of {len(points):,} in {len(emitted.points)} series"),
        ("images", len(arrived.pictures), f"of {len(emitted.pictures):,}, compared by their SHA-256"),
        ("params", same_params, f"of {len(emitted.params):,}; plots {same_plots} of {len(emitted.plots)}"),
        (
            "requests",
            arrived.requests.taken,
            f"that it took; {arrived.requests.repeats:,} of them known to be repeats",
        ),
        ("duplicates", duplicates, ""),
        ("gaps", gaps, f"the Studio calls the run {status}"),
        ("lost", lost, ""),
    )
    click.echo("\nledger")
    for name, count, note in rows:
        click.echo(f"  {name:<11}{count:>7,}  {note}".rstrip())
    same = events == books.delivered and not emitted.refused and books.balanced
    good = same and status == "completed" and not (duplicates or gaps or lost or books.queued or books.dead)
    click.echo(
        "\nemitted = delivered, duplicates 0, lost 0" if good else "\nSOMETHING IS WRONG: please report this ledger"
    )
    return good


def _differences(emitted: Iterable[Hashable], arrived: Iterable[Hashable]) -> tuple[int, int]:
    """Count what did not arrive, and what arrived though it was not emitted, or not so often."""
    wanted, there = Counter(emitted), Counter(arrived)
    return (wanted - there).total(), (there - wanted).total()

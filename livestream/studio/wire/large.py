"""One large body: a survey while it is received, and its slices when it is applied.

A body of 29 MB may hold 600,000 rows, seconds of work for the store, and stock clients wait five. So it is looked
through when it comes (`survey`: every field and every row is read, and thrown away), kept as it is, answered, and cut
into updates of some thousand rows each afterwards (`slices`). Both read it in pieces of half a millisecond of work, so
that whoever calls can do something else between two of them.

What the survey alone can know, which plots are snapshots although they begin as points would, it hands to the slices.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from itertools import chain
from typing import Final, Self

import msgspec

from livestream.studio.update import Points, Update
from livestream.studio.wire.body import Content, read_shell
from livestream.studio.wire.columns import own_axis
from livestream.studio.wire.fields import Fields, WireError
from livestream.studio.wire.plots import Plot, check_picture, pieces_of, points_of, read_plot, read_plots
from livestream.studio.wire.rows import Proof, check_rows, fit, read_columns

SLICE_ROWS: Final = 4_000
"""A slice is closed when it holds so many; one piece of a plot's rows comes on top of them at most."""
SLICE_BYTES: Final = 4 * 1024 * 1024
"""Likewise of images and snapshots."""
SLICE_PLOTS: Final = 500


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a large body that is sound.

    Attributes:
        update: All of it but the plots.
        snapshots: Paths of plots that are no points because of their rows.
        whole: All of it, where it was decoded at once.
    """

    update: Update
    snapshots: list[str]
    whole: Update | None = None

    @classmethod
    def of(cls, whole: Update) -> Self:
        """What is known of a body that was decoded at once."""
        return cls(update=whole, snapshots=[snapshot.path for snapshot in whole.snapshots], whole=whole)


class Slice(msgspec.Struct, frozen=True):
    """A part of a large body."""

    update: Update
    last: bool


def survey(payload: bytes | memoryview) -> Generator[None, None, Survey]:
    """Read all of a body and keep nothing; pauses after each piece.

    Returns:
        What the generator returns at its end (``StopIteration.value``).

    Raises:
        WireError: The first thing that is wrong with it.
    """
    update, raw = read_shell(payload)
    plots = read_plots(raw) if raw is not None else {}
    snapshots = []
    yield
    for path, fields in plots.items():
        plot = read_plot(path, fields)
        if plot.image is not None:
            check_picture(plot, plot.image)
            yield
        elif plot.rows is None:
            yield
        elif not (yield from _survey_rows(plot, plot.rows)):
            snapshots.append(path)
    return Survey(update=update, snapshots=snapshots)


def _survey_rows(plot: Plot, rows: msgspec.Raw) -> Generator[None, None, bool]:
    """Say whether a plot is what its place says: points, or a snapshot."""
    fits, proof, own = True, Proof(), own_axis(plot.path)
    for piece in pieces_of(plot, rows, None if plot.is_whole else proof):
        if plot.is_whole or not fits:
            check_rows(piece, f"{plot.field}.data")
        else:
            fits = fit(piece, f"{plot.field}.data", own, proof)
        yield
    return fits


def slices(payload: bytes | memoryview, snapshots: Collection[str]) -> Iterator[Slice]:
    """Cut a body that was surveyed into updates.

    Everything but the plots goes with the first slice, except for a ``done``, which comes last: all of its data is
    there when the experiment is called done. The other slices are ``data``, of a body of its kind: what a done brings
    ranks behind what any step brought.

    Raises:
        WireError: It is not what was surveyed.
    """
    shell, raw = read_shell(payload)
    plots = read_plots(raw) if raw is not None else {}
    bare = Update(kind="data", of=shell.kind, identity=shell.identity, client=shell.client, step=shell.step)
    is_done = shell.kind == "done"
    first = True
    held: Content | None = None
    for content in _contents(plots, frozenset(snapshots), shell.step):
        if held is not None:
            yield Slice(held.fill(shell if first and not is_done else bare), last=False)
            first = False
        held = content
    last = held or Content()
    yield Slice(last.fill(shell if first or is_done else bare), last=True)


def cut(whole: Update) -> Iterator[Slice]:
    """Cut an update that was decoded at once, and is small enough for that, by its rows; as `slices` does."""
    bare = Update(kind="data", of=whole.kind, identity=whole.identity, client=whole.client, step=whole.step)
    is_done = whole.kind == "done"
    groups: list[list[Points]] = [[]]
    rows = 0
    for points in chain.from_iterable(map(_by_rows, whole.points)):
        if rows >= SLICE_ROWS:
            groups.append([])
            rows = 0
        groups[-1].append(points)
        rows += len(points.steps)
    for number, group in enumerate(groups):
        last = number == len(groups) - 1
        has_all = last if is_done else number == 0
        yield Slice(msgspec.structs.replace(whole if has_all else bare, points=group), last=last)


def _by_rows(points: Points) -> Iterator[Points]:
    if len(points.steps) <= SLICE_ROWS:
        yield points
        return
    for at in range(0, len(points.steps), SLICE_ROWS):
        part = slice(at, at + SLICE_ROWS)
        yield msgspec.structs.replace(
            points, steps=points.steps[part], values=points.values[part], timestamps=points.timestamps[part]
        )


def _contents(plots: dict[str, Fields], snapshots: frozenset[str], step: int | None) -> Iterator[Content]:
    gathered, weight = Content(), 0.0
    for path, fields in plots.items():
        plot = read_plot(path, fields)
        for atom in _atoms(plot, step, is_snapshot=plot.is_whole or path in snapshots):
            gathered.absorb(atom)
            weight += _weight(atom)
            if weight >= 1:
                yield gathered
                gathered, weight = Content(), 0.0
    if weight:
        yield gathered


def _atoms(plot: Plot, step: int | None, *, is_snapshot: bool) -> Iterator[Content]:
    """Give a plot in pieces that are not cut further; its props go with the first."""
    if plot.rows is None or is_snapshot:
        atom = Content()
        atom.add(plot, step)
        yield atom
        return
    props, proof, own = plot.props, Proof(), own_axis(plot.path)
    for piece in pieces_of(plot, plot.rows, proof):
        columns = read_columns(piece, f"{plot.field}.data", own, proof)
        if columns is None:
            raise WireError(f"{plot.field}.data", "no longer the rows that were surveyed")
        atom = Content()
        atom.points = points_of(plot.path, columns)
        if props:
            atom.props[plot.path], props = props, {}
        yield atom


def _weight(atom: Content) -> float:
    """Give the part of a whole slice that an atom is."""
    rows = sum(len(points.steps) for points in atom.points)
    size = sum(len(picture.content) for picture in atom.pictures) + sum(len(plot.rows) for plot in atom.snapshots)
    return rows / SLICE_ROWS + size / SLICE_BYTES + 1 / SLICE_PLOTS

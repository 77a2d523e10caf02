"""Series of many experiments by their names, and the charts of those.

A name is not stored: it follows from all columns of its experiment (`summaries.series_names`). Runs of one project have
the same columns, hundreds of them, and so the names that follow from a list of columns are remembered by that list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from livestream.studio.store.base import NamedChart, SharedName
from livestream.studio.store.sqlite.charts import MAX_COST, read_chart
from livestream.studio.store.sqlite.summaries import series_names

MAX_COST_TOGETHER: Final = 600_000
"""Of all charts that are read at once, as `charts.MAX_COST` of one; half a second. Each may take its share of it."""
MIN_COST: Final = 2_000
REMEMBERED: Final = 64
MAX_REMEMBERED_CHARACTERS: Final = 128 * 1024
"""Of a list of columns; a longer one is looked through each time."""

_COLUMNS: Final = """
    SELECT asked.value,
        (SELECT json_group_array(id) FROM series WHERE experiment = asked.value),
        (SELECT json_group_array(json_array(path, "column")) FROM series WHERE experiment = asked.value)
    FROM json_each(:experiments) AS asked"""

_LAST_STEPS: Final = """
    SELECT json_group_array((SELECT max(step) FROM point WHERE series = asked.value))
    FROM json_each(:series) AS asked"""

_IDS_DECODER: Final = msgspec.json.Decoder(list[int])
_STEPS_DECODER: Final = msgspec.json.Decoder(list[int | None])
_COLUMNS_DECODER: Final = msgspec.json.Decoder(list[tuple[str, str]])


class _Columns(msgspec.Struct, frozen=True):
    """The series of an experiment: ``places`` tells where a name stands among ``columns``, which are as ``ids``."""

    experiment: int
    ids: list[int]
    columns: list[tuple[str, str]]
    places: Mapping[str, int]


def read_charts(
    connection: sqlite3.Connection,
    experiments: Sequence[int],
    names: Sequence[str],
    points: int,
    bounds: tuple[int | None, int | None],
) -> list[NamedChart]:
    """Read the charts of every series with one of the names; the caller holds a read transaction open.

    Args:
        connection: It.
        experiments: In the order of which the charts come.
        names: The order within an experiment.
        points: Of each chart, as ``bounds``.
        bounds: First and last step, both included; None: from the start, to the end.
    """
    share = MAX_COST_TOGETHER // max(len(experiments) * len(names), 1)
    max_cost = max(MIN_COST, min(share, MAX_COST))
    charts = []
    for found in _read_columns(connection, experiments):
        for name in names:
            place = found.places.get(name)
            if place is not None:
                series, (path, column) = found.ids[place], found.columns[place]
                chart = read_chart(connection, series, points, *bounds, max_cost)
                charts.append(
                    NamedChart(
                        series=series, experiment=found.experiment, name=name, path=path, column=column, chart=chart
                    )
                )
    return charts


def read_shared_names(connection: sqlite3.Connection, experiments: Sequence[int]) -> list[SharedName]:
    """Read all names of series that some of the experiments have, sorted; the caller holds a read transaction open."""
    owners: dict[str, list[int]] = {}
    last: dict[str, int | None] = {}
    for found in _read_columns(connection, experiments):
        asked = {"series": msgspec.json.encode(found.ids).decode()}
        steps = _STEPS_DECODER.decode(connection.execute(_LAST_STEPS, asked).fetchall()[0][0])
        for name, place in found.places.items():
            owners.setdefault(name, []).append(found.experiment)
            last[name] = max((step for step in (last.get(name), steps[place]) if step is not None), default=None)
    return [SharedName(name=name, experiments=owners[name], last_step=last[name]) for name in sorted(owners)]


def _read_columns(connection: sqlite3.Connection, experiments: Sequence[int]) -> Iterator[_Columns]:
    """Read the columns of experiments; those without any are left out."""
    asked = {"experiments": msgspec.json.encode(experiments).decode()}
    for experiment, ids, columns in connection.execute(_COLUMNS, asked).fetchall():
        if ids != "[]":
            known = _known if len(columns) <= MAX_REMEMBERED_CHARACTERS else _known.__wrapped__
            yield _Columns(experiment, _IDS_DECODER.decode(ids), *known(columns))


@lru_cache(REMEMBERED)
def _known(text: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Decode a list of columns, with the place of each name in it."""
    columns = _COLUMNS_DECODER.decode(text)
    names = series_names(columns)
    return columns, {names[column]: place for place, column in enumerate(columns)}

"""Series with what a list of them shows: how many steps, from where to where, the last value and the bounds.

Nothing of it is stored: it is put together from the coarsest roll-ups and the few rows beyond them, some hundred
entries of each series, however long it is.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from livestream.events import JsonObject
from livestream.studio.store.base import Series
from livestream.studio.store.sqlite.charts import read_covered, read_ends, read_measure, read_newest
from livestream.studio.store.sqlite.pieces import FIRST_STEP, LAST_STEP, cut

_METRICS_FOLDER: Final = "plots/metrics/"
_SUFFIX: Final = ".tsv"
_AXES: Final = frozenset({"step", "timestamp"})

_SERIES: Final = """
    SELECT s.id, s.experiment, s.path, s."column", p.props FROM series AS s
    LEFT JOIN plot AS p ON p.experiment = s.experiment AND p.path = s.path"""

_NAMESAKES: Final = """
    SELECT DISTINCT other.path, other."column" FROM series AS s
    JOIN series AS other ON other.experiment = s.experiment WHERE s.id = ?"""


def read_series(connection: sqlite3.Connection, experiment: int) -> list[Series]:
    """Read all series of an experiment, by path and column; the caller holds a read transaction open."""
    sql = _SERIES + ' WHERE s.experiment = ? ORDER BY s.path, s."column"'
    found = connection.execute(sql, (experiment,)).fetchall()
    names = series_names([(path, column) for _, _, path, column, _ in found])
    return [_summed(connection, row, names[row[2], row[3]]) for row in found]


def read_one_series(connection: sqlite3.Connection, series: int) -> Series | None:
    """Read one series; the caller holds a read transaction open."""
    found = connection.execute(_SERIES + " WHERE s.id = ?", (series,)).fetchall()
    if not found:
        return None
    names = series_names(connection.execute(_NAMESAKES, (series,)).fetchall())
    return _summed(connection, found[0], names[found[0][2], found[0][3]])


def series_names(columns: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name all series of an experiment, given as path and column, as people know them; no two alike.

    ``dvclive/plots/metrics/train/loss.tsv`` with column ``loss`` is ``train/loss``; what is built otherwise, and
    whatever would be named as another one, is ``path:column``. Our daemon never calls a column like an axis: the value
    of ``x/step`` stands in a column ``x/step``, that of ``timestamp`` in ``value``.
    """
    short = {key: _short(*key) for key in columns}
    taken: dict[str, int] = {}
    for name in [*short.values(), *(_long(*key) for key in columns)]:
        if name is not None:
            taken[name] = taken.get(name, 0) + 1
    return {key: name if name is not None and taken[name] == 1 else _long(*key) for key, name in short.items()}


def _short(path: str, column: str) -> str | None:
    _before, folder, name = f"/{path}".partition(f"/{_METRICS_FOLDER}")
    name = name.removesuffix(_SUFFIX)
    last = name.rpartition("/")[2]
    is_own = column == last or (last in _AXES and column in {name, "value"})
    return name if folder and is_own else None


def _long(path: str, column: str) -> str:
    return f"{path}:{column}"


def _summed(connection: sqlite3.Connection, row: tuple[Any, ...], name: str) -> Series:
    series, experiment, path, column, props = row
    first_step, last_step = read_ends(connection, series)
    newest = [] if last_step is None else read_newest(connection, series, last_step, last_step)
    measure = read_measure(connection, series, cut(FIRST_STEP, LAST_STEP, read_covered(connection, series)))
    return Series(
        id=series,
        experiment=experiment,
        path=path,
        column=column,
        name=name,
        props={} if props is None else msgspec.json.decode(props, type=JsonObject),
        count=measure.count,
        first_step=first_step,
        last_step=last_step,
        last=newest[0][1] if newest else None,
        minimum=measure.minimum,
        maximum=measure.maximum,
    )

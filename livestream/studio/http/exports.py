"""An experiment's rows as a file, however many there are: CSV or JSON Lines, streamed.

Rows go out a batch at a time. Between two batches no reader's thread, cursor or transaction is held, so that a slow
client keeps nothing from others and memory stays that of one batch. What is appended while an export runs may be in
it or not; no row is twice in it and none that was stored before is missing. If the server stops or the store fails in
the middle, the stream ends without its last chunk, which every HTTP client reports as an error.

    path,column,step,value,timestamp,received
    dvclive/plots/metrics/train/loss.tsv,loss,17,0.25,1700000000.123,1700000000.5

Values are numbers, ``nan``, ``inf`` or ``-inf``; times are seconds since the epoch, ``timestamp`` empty (null) where
the row said none. A spreadsheet runs a cell that begins with = + - or @ as a formula, and names come from strangers:
in CSV such a path or column has an apostrophe before it. JSON Lines has every name as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio.http.context import caller_of, services_of
from livestream.studio.http.experiments import Id
from livestream.studio.http.listing import seen
from livestream.studio.http.problems import ProblemError
from livestream.studio.http.routes import Route, id_of, query_of
from livestream.studio.http.security import still_may
from livestream.studio.http.shown import number, seconds
from livestream.studio.http.views import Number
from livestream.studio.store.base import Reader, Row, Series
from livestream.studio.update import Value

BATCH_ROWS: Final = 5_000
"""About 10 ms of a reader's thread and half a megabyte of text."""
MEDIA_TYPES: Final = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
COLUMNS: Final = ("path", "column", "step", "value", "timestamp", "received")

_LINE_END: Final = "\r\n"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Render: TypeAlias = Callable[[Series, Iterable[Row]], bytes]


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported, and how."""

    format: Annotated[Literal["csv", "jsonl"], Meta(description="CSV, or a JSON object a line.")] = "csv"
    rows: Annotated[
        Literal["newest", "all"],
        Meta(description="The newest row of each step, as charts show it, or every row that is stored."),
    ] = "newest"
    series: Annotated[tuple[Id, ...], Meta(max_length=500, description="Only these series.")] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of JSON Lines."""

    path: str
    column: str
    step: int
    value: Number
    timestamp: float | None
    received: float


class Newest:
    """Picks the newest row of each step out of rows that come by step; remembers one step, not more."""

    def __init__(self) -> None:
        self._held: Row | None = None

    def take(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Give the steps that are over."""
        for row in rows:
            held = self._held
            if held is None or row.step != held.step:
                if held is not None:
                    yield held
                self._held = row
            elif _is_newer(row, held):
                self._held = row

    def rest(self) -> list[Row]:
        """Give the last step."""
        held, self._held = self._held, None
        return [] if held is None else [held]


def _is_newer(row: Row, held: Row) -> bool:
    """Compare when rows were measured, else when they came; of equals the smallest value, as charts have it."""
    time_us, held_us = (one.timestamp * 1000 or one.received_us for one in (row, held))
    return time_us > held_us or (time_us == held_us and _rank(row.value) < _rank(held.value))


def _rank(value: Value) -> tuple[bool, float]:
    """Order values as the store does: its one text, "nan", behind all numbers."""
    return (True, 0) if isinstance(value, str) else (False, value)


async def export(request: web.Request) -> web.StreamResponse:
    """Stream the rows of an experiment."""
    services, allowed, experiment = services_of(request), caller_of(request).project, id_of(request)
    query = query_of(request, ExportQuery)
    chosen = await services.readers.ask(lambda reader: _series(reader, experiment, allowed, query.series))
    response = web.StreamResponse(headers=_headers(experiment, query.format))
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        if query.format == "csv":
            await response.write(_csv(COLUMNS))
        await _stream(request, response, chosen, query)
        await response.write_eof()
    except ConnectionError:
        pass  # the client is gone
    return response


async def _stream(request: web.Request, response: web.StreamResponse, chosen: list[Series], query: ExportQuery) -> None:
    """Write all rows of all series, a batch at a time."""
    readers = services_of(request).readers
    render = _as_csv if query.format == "csv" else _as_lines
    for series in chosen:
        newest = Newest() if query.rows == "newest" else None
        last: Row | None = None
        while True:
            batch, last = await readers.ask(partial(_batch, series=series, after=last, newest=newest, render=render))
            if not still_may(request, "read"):
                raise ProblemError(401, "the token ended before the rows did")
            if batch:
                await response.write(batch)
            if last is None:
                break


# -- in a reader's thread


def _series(reader: Reader, experiment: int, allowed: int | None, wanted: tuple[int, ...]) -> list[Series]:
    seen(reader, experiment, allowed)
    found = reader.series(experiment)
    unknown = set(wanted) - {series.id for series in found}
    if unknown:
        raise ProblemError(404, f"query.series: experiment {experiment} has none with the id {min(unknown)}")
    return [series for series in found if not wanted or series.id in wanted]


def _batch(
    reader: Reader, series: Series, after: Row | None, newest: Newest | None, render: Render
) -> tuple[bytes, Row | None]:
    """Render the next rows; with the row they end at, None after the last batch."""
    rows = list(islice(reader.stored_rows(series.id, after), BATCH_ROWS))
    last = rows[-1] if len(rows) == BATCH_ROWS else None
    if newest is not None:
        rows = [*newest.take(rows), *(newest.rest() if last is None else ())]
    return render(series, rows) if rows else b"", last


def _as_csv(series: Series, rows: Iterable[Row]) -> bytes:
    """Render rows as CSV: only the names can need quotes, and they are the same in all rows."""
    names = _csv([_plain(series.path), _plain(series.column)]).decode().removesuffix(_LINE_END)
    lines = []
    for row in rows:
        timestamp = row.timestamp / 1000 if row.timestamp else ""
        lines.append(f"{names},{row.step},{number(row.value)},{timestamp},{seconds(row.received_us)}")
    return (_LINE_END.join(lines) + _LINE_END).encode()


def _csv(row: Iterable[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=_LINE_END).writerow(row)
    return text.getvalue().encode()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _as_lines(series: Series, rows: Iterable[Row]) -> bytes:
    return msgspec.json.Encoder().encode_lines(
        [
            Line(
                path=series.path,
                column=series.column,
                step=row.step,
                value=number(row.value),
                timestamp=row.timestamp / 1000 if row.timestamp else None,
                received=seconds(row.received_us),
            )
            for row in rows
        ]
    )


def _headers(experiment: int, form: str) -> dict[str, str]:
    return {
        "Content-Type": f"{MEDIA_TYPES[form]}; charset=utf-8",
        "Content-Disposition": f'attachment; filename="experiment-{experiment}.{form}"',
    }


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/experiments/{id}/export",
        handler=export,
        summary="All rows of an experiment's series as CSV or JSON Lines, streamed.",
        query=ExportQuery,
        answer="text/csv, application/x-ndjson",
    ),
)

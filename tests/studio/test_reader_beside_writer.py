from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from reader_cases import RECEIVED_US, expected_chart, newest, random_bound, random_rows, summary

from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.reader import SqliteReader
from livestream.studio.store.sqlite.writer import SqliteWriter, open_writer
from livestream.studio.update import Delivery, Identity, Points, Update

IDENTITY = Identity(repository="github.com/o/r", repo_url="git@github.com:o/r.git", baseline_sha="a" * 40, name="run")
PATH = "dvclive/plots/metrics/loss.tsv"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SqliteWriter]:
    writer = open_writer(tmp_path, Blobs(tmp_path))
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: SqliteWriter, tmp_path: Path) -> Iterator[SqliteReader]:
    reader = SqliteReader(tmp_path)
    yield reader
    reader.close()


def deliver(writer: SqliteWriter, number: int, rows: list[tuple[int, float | int | str, int]]) -> None:
    points = Points(
        path=PATH,
        column="loss",
        steps=[step for step, _, _ in rows],
        values=[value for _, value, _ in rows],
        timestamps=[timestamp for _, _, timestamp in rows],
    )
    update = Update(kind="data", identity=IDENTITY, points=[points])
    delivery = Delivery(update=update, received_us=RECEIVED_US + number, digest=number.to_bytes(4, "big"))
    writer.apply([delivery])


@pytest.mark.parametrize("seed", range(25))
def test_after_every_commit_charts_and_summaries_are_those_of_the_stored_rows(
    seed: int, writer: SqliteWriter, reader: SqliteReader
) -> None:
    chance = random.Random(5_000 + seed)
    rows = random_rows(chance)[:8_000] or [(0, 1.0, 0)]
    slices = chance.choice([1, 2, 5])
    size = len(rows) // slices + 1
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    for number, part in enumerate(chance.sample(parts, len(parts)) + parts[:1]):
        deliver(writer, number, part)
        (series,) = reader.series(1)
        rows_read = reader.stored_rows(series.id)
        stored = [(row.step, row.value, row.timestamp, row.received_us) for row in rows_read]
        last_step, last, _, minimum, maximum, count = summary(newest(stored))
        assert (series.last_step, series.last, series.count) == (last_step, last, count)
        assert (series.minimum, series.maximum) == (minimum, maximum)
        for _ in range(4):
            points = chance.choice([2, 10, 100, 1_000])
            first, end = random_bound(chance, stored), random_bound(chance, stored)
            chart = reader.chart(series.id, points=points, first_step=first, last_step=end)
            assert chart == expected_chart(stored, points, first, end), (number, points, first, end)


def test_a_chart_is_of_one_state_while_the_writer_commits(writer: SqliteWriter, reader: SqliteReader) -> None:
    commits, size = 150, 100

    def write() -> None:
        for number in range(1, commits):
            deliver(writer, number, [(step, 1.0, 0) for step in range(number * size, (number + 1) * size)])

    deliver(writer, 0, [(step, 1.0, 0) for step in range(size)])
    thread = threading.Thread(target=write)
    thread.start()
    totals: list[int] = []
    while not totals or totals[-1] < commits * size:
        chart = reader.chart(1, points=50)
        assert chart.total == sum(chart.count) == chart.steps[-1] + 1
        assert chart.total % size == 0
        (series,) = reader.series(1)
        assert series.count == (series.last_step or 0) + 1
        totals.append(chart.total)
        assert thread.is_alive() or len(totals) < 100_000
    thread.join()
    assert totals == sorted(totals)

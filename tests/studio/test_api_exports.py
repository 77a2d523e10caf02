from __future__ import annotations

import asyncio
import csv
import io
import json
import random

import aiohttp
import pytest
from api_cases import add_rows, add_run, refused
from hypothesis import given
from hypothesis import strategies as st
from studio_stage import Client, OpenStudio, body, eventually, scalars

from livestream.events import Json
from livestream.studio.http import exports
from livestream.studio.http.exports import BATCH_ROWS, Newest
from livestream.studio.store.base import Row


async def table(client: Client, number: int, **query: str) -> list[dict[str, str]]:
    status, text = await client("GET", f"/api/experiments/{number}/export", params=query)
    assert status == 200, text
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def lines(client: Client, number: int, **query: str) -> list[Json]:
    status, text = await client("GET", f"/api/experiments/{number}/export", params={"format": "jsonl", **query})
    assert status == 200, text
    return [json.loads(line) for line in text.splitlines()]


async def test_rows_come_as_csv_and_as_lines(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(2, 0.1), (1, 1e-300)]) | scalars([(1, 3.0)], "val/acc"))
    told = await table(client, number)
    assert list(told[0]) == ["path", "column", "step", "value", "timestamp", "received"]
    assert [(row["column"], int(row["step"]), float(row["value"])) for row in told] == [
        ("loss", 1, 1e-300),
        ("loss", 2, 0.1),
        ("acc", 1, 3.0),
    ]
    assert told[0]["timestamp"] == "1700000000.001"
    assert [(line["step"], line["value"], line["timestamp"]) for line in await lines(client, number)] == [
        (1, 1e-300, 1700000000.001),
        (2, 0.1, 1700000000.002),
        (1, 3.0, 1700000000.001),
    ]


async def test_the_headers_say_what_it_is(client: Client) -> None:
    number = await add_run(client, "a")
    for form, media_type in (("csv", "text/csv"), ("jsonl", "application/x-ndjson")):
        path = f"{client.url}/api/experiments/{number}/export?format={form}"
        async with client.session.get(path, headers=client.headers) as answer:
            assert answer.content_type == media_type
            assert answer.headers["Content-Disposition"] == f'attachment; filename="experiment-{number}.{form}"'
            assert answer.headers["Cache-Control"] == "no-store"


async def test_older_rows_of_a_step_come_if_asked_for(client: Client) -> None:
    plot = "dvclive/plots/metrics/loss.tsv"
    for value in (1.0, 2.0, 3.0):
        number = await add_run(client, "a", plots={plot: {"data": [{"step": 1, "loss": value}]}})
    assert [row["value"] for row in await table(client, number)] == ["3.0"]
    assert [row["value"] for row in await table(client, number, rows="all")] == ["1.0", "2.0", "3.0"]
    assert (await table(client, number))[0]["timestamp"] == ""


async def test_only_some_series_come_if_asked_for(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0)]) | scalars([(1, 3.0)], "val/acc"))
    series = (await client.get(f"/api/experiments/{number}/series"))["series"]
    assert [row["column"] for row in await table(client, number, series=str(series[1]["id"]))] == ["acc"]
    status, answer = await client("GET", f"/api/experiments/{number}/export?series=99999")
    assert status == 404
    assert "99999" in answer["detail"]
    assert "$.format" in await refused(client, f"/api/experiments/{number}/export", format="xls")
    assert "$.rows" in await refused(client, f"/api/experiments/{number}/export", rows="some")


async def test_a_spreadsheet_runs_no_name_as_a_formula(client: Client) -> None:
    rows: list[Json] = [{"step": 1, '=cmd|"/c calc"!A1': 1.5}]
    number = await add_run(client, "a", plots={"@evil,\n.tsv".replace("\n", ""): {"data": rows}})
    (row,) = await table(client, number)
    assert row["path"] == "'@evil,.tsv"
    assert row["column"] == '\'=cmd|"/c calc"!A1'
    (line,) = await lines(client, number)
    assert (line["path"], line["column"]) == ("@evil,.tsv", '=cmd|"/c calc"!A1')


async def test_non_finite_values_are_words(client: Client) -> None:
    rows: list[Json] = [{"step": step, "loss": value} for step, value in enumerate(("nan", "inf", "-inf"))]
    number = await add_run(client, "a", plots={"loss.tsv": {"data": rows}})
    assert [row["value"] for row in await table(client, number)] == ["nan", "inf", "-inf"]
    assert [line["value"] for line in await lines(client, number)] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize("count", [BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS + 7])
async def test_no_row_is_lost_or_twice_where_batches_meet(client: Client, count: int) -> None:
    number = await add_rows(client, "a", count)
    for kind in ("newest", "all"):
        assert [line["step"] for line in await lines(client, number, rows=kind)] == list(range(count))


async def test_a_step_with_rows_in_two_batches_is_one_step(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH_ROWS", 2)
    plot = "loss.tsv"
    number = 0
    for value in range(5):
        data: list[Json] = [{"step": 1, "loss": value}, {"step": 2, "loss": value}]
        number = await add_run(client, "a", plots={plot: {"data": data}})
    assert [(line["step"], line["value"]) for line in await lines(client, number)] == [(1, 4), (2, 4)]
    assert len(await lines(client, number, rows="all")) == 10


async def test_clients_that_do_not_read_hold_up_nobody(client: Client) -> None:
    number = await add_rows(client, "a", 200_000)
    path = f"{client.url}/api/experiments/{number}/export"
    slow = [await client.session.get(path, headers=client.headers) for _ in range(12)]
    try:
        async with asyncio.timeout(60):
            assert (await client.get(f"/api/experiments/{number}"))["name"] == "a"
            assert len(await lines(client, number)) == 200_000
    finally:
        for answer in slow:
            answer.close()


async def test_a_client_that_goes_away_leaves_nothing_behind(studio: OpenStudio) -> None:
    client = studio.client
    number = await add_rows(client, "a", 60_000)
    tasks = len(asyncio.all_tasks())
    answer = await client.session.get(f"{client.url}/api/experiments/{number}/export", headers=client.headers)
    await answer.content.read(10)
    answer.close()
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    await client.post(body("done", "a"))
    assert (await client.get(f"/api/experiments/{number}"))["status"]["kind"] == "completed"


async def test_an_export_that_breaks_off_ends_as_an_error(studio: OpenStudio) -> None:
    client = studio.client
    number = await add_rows(client, "a", 200_000)
    async with client.session.get(f"{client.url}/api/experiments/{number}/export", headers=client.headers) as answer:
        assert answer.status == 200
        await answer.content.readline()
        await studio.services.readers.close()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20), st.integers(1, 5), st.randoms())
def test_the_newest_row_of_a_step_does_not_depend_on_batches(
    cases: list[tuple[int, int]], size: int, chance: random.Random
) -> None:
    rows = [Row(step, 1.0, timestamp, 10 + at) for at, (step, timestamp) in enumerate(sorted(cases))]
    expected: dict[int, Row] = {}
    for row in rows:
        held = expected.get(row.step)
        if held is None or (row.timestamp * 1000 or row.received_us) > (held.timestamp * 1000 or held.received_us):
            expected[row.step] = row  # of equals with one value the first
    newest = Newest()
    found = [row for start in range(0, len(rows), size) for row in newest.take(rows[start : start + size])]
    assert [*found, *newest.rest()] == list(expected.values())
    assert newest.rest() == []


@pytest.mark.parametrize("values", [(5.0, 7.0), (7.0, 5.0), ("nan", 1.0), (1.0, "nan")])
async def test_of_rows_of_one_millisecond_charts_and_exports_show_the_same(
    studio: OpenStudio, values: tuple[float | str, float | str]
) -> None:
    for value in values:
        rows = [{"step": 1, "timestamp": 1_700_000_000_000, "loss": value}]
        await studio.client.post(body(step=1, plots={"dvclive/plots/metrics/loss.tsv": {"data": rows}}))

    chart = await studio.client.get("/api/experiments/1/series/1")
    line = json.loads((await studio.client.get("/api/experiments/1/export", format="jsonl")).strip())

    assert [line["value"]] == chart["last"]

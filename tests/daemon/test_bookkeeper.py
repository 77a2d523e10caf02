from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from livestream.daemon.bookkeeper import Bookkeeper
from livestream.events import Experiment
from livestream.spool.database import StateFullError
from livestream.spool.layout import BALLAST_FILE, STATE_FILE
from livestream.spool.state import State

EXPERIMENT = Experiment(repo_url="r", baseline_sha="0" * 40, name="n")


async def test_work_is_done_in_order_and_survives_the_callers_cancellation(tmp_path: Path) -> None:
    books = Bookkeeper(tmp_path, shared=False)
    await books.open()
    try:
        row = await books.do(lambda state: state.ensure_experiment(EXPERIMENT))

        def hold(state: State) -> None:
            state.hold_experiment(row.id, "because", 1.0)

        task = asyncio.create_task(books.do(hold))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        found = await books.do(lambda state: state.experiment(row.id))
        assert found is not None
        assert found.hold == "because"
    finally:
        await books.close()


async def test_on_a_full_disk_the_ballast_goes_and_the_work_is_done_when_there_is_room(tmp_path: Path) -> None:
    books = Bookkeeper(tmp_path, shared=False)
    await books.open()
    books.keep_ballast()
    assert (tmp_path / BALLAST_FILE).stat().st_size > 0
    refusals = 2

    def full_twice(state: State) -> int:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise StateFullError("no space left")
        return state.ensure_experiment(EXPERIMENT).id

    try:
        assert await books.do(full_twice) > 0
        assert not (tmp_path / BALLAST_FILE).exists()
        assert not books.full
        books.keep_ballast()
        assert (tmp_path / BALLAST_FILE).exists()
    finally:
        await books.close()


async def test_unreadable_books_are_put_aside_and_begun_anew(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"this is no database" * 100)
    books = Bookkeeper(tmp_path, shared=False)

    await books.open()
    try:
        assert await books.do(lambda state: state.experiments()) == []
        assert list((tmp_path / "quarantine").rglob("daemon.db*"))
    finally:
        await books.close()


async def test_books_that_are_not_open_take_no_work(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Bookkeeper(tmp_path, shared=False).do(lambda state: state.experiments())

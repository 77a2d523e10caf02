from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reader_cases import Filled

from livestream.studio.store.base import Reader, Scope
from livestream.studio.store.errors import StoreError
from livestream.studio.store.readers import Readers
from livestream.studio.store.sqlite.reader import SqliteReader, open_reader

WAIT_S = 10.0


class Opened:
    """Opens readers, and remembers them with the thread that asked."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.threads: list[int] = []

    def __call__(self) -> Reader:
        self.threads.append(threading.get_ident())
        return open_reader(self.data)


@pytest.fixture
async def opened(tmp_path: Path) -> Opened:
    filled = Filled(tmp_path)
    for number in range(3):
        filled.add_experiment(f"run-{number}")
    filled.close()
    return Opened(tmp_path)


@pytest.fixture
async def readers(opened: Opened) -> AsyncIterator[Readers]:
    readers = Readers(opened, 2)
    yield readers
    await readers.close()


async def test_questions_are_answered_by_a_few_readers(opened: Opened, readers: Readers) -> None:
    answers = await asyncio.gather(*(readers.ask(lambda reader: len(reader.briefs(Scope()))) for _ in range(50)))
    assert answers == [3] * 50
    assert len(opened.threads) <= 2


async def test_a_reader_stays_in_its_thread(readers: Readers) -> None:
    seen: dict[int, set[int]] = {}

    def note(reader: Reader) -> None:
        seen.setdefault(id(reader), set()).add(threading.get_ident())

    await asyncio.gather(*(readers.ask(note) for _ in range(50)))
    assert all(len(threads) == 1 for threads in seen.values())


async def test_questions_run_side_by_side(readers: Readers) -> None:
    both = threading.Barrier(2)
    await asyncio.wait_for(asyncio.gather(*(readers.ask(lambda _: both.wait(WAIT_S)) for _ in range(2))), WAIT_S)


async def test_an_error_is_the_callers_and_the_reader_goes_on(readers: Readers) -> None:
    def fail(reader: Reader) -> None:
        raise ValueError("no")

    for _ in range(4):
        with pytest.raises(ValueError, match="no"):
            await readers.ask(fail)
    assert await readers.ask(lambda reader: reader.last_change()) == 0


async def test_a_store_that_cannot_be_opened_may_be_there_later(tmp_path: Path) -> None:
    readers = Readers(lambda: SqliteReader(tmp_path / "later"), 1)
    with pytest.raises(StoreError):
        await readers.ask(lambda reader: reader.last_change())
    (tmp_path / "later").mkdir()
    Filled(tmp_path / "later").close()
    assert await readers.ask(lambda reader: reader.last_change()) == 0
    await readers.close()


async def test_cancelled_callers_leave_nothing_behind(readers: Readers) -> None:
    started, release = threading.Semaphore(0), threading.Event()
    asked: list[str] = []

    def hold(reader: Reader) -> None:
        asked.append("held")
        started.release()
        release.wait(WAIT_S)

    def note(reader: Reader) -> None:
        asked.append("waited")

    held = [asyncio.ensure_future(readers.ask(hold)) for _ in range(2)]
    waiting = [asyncio.ensure_future(readers.ask(note)) for _ in range(20)]
    await asyncio.gather(*(asyncio.to_thread(started.acquire, timeout=WAIT_S) for _ in held))
    for task in held + waiting:
        task.cancel()
    assert all(
        isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*held, *waiting, return_exceptions=True)
    )
    release.set()
    assert await asyncio.wait_for(readers.ask(lambda reader: reader.last_change()), WAIT_S) == 0
    assert asked == ["held", "held"]


async def test_close_waits_for_answers_and_then_refuses(opened: Opened) -> None:
    readers = Readers(opened, 2)
    started, release = threading.Event(), threading.Event()

    def hold(reader: Reader) -> int:
        started.set()
        release.wait(WAIT_S)
        return reader.last_change()

    answer = asyncio.ensure_future(readers.ask(hold))
    await asyncio.to_thread(started.wait, WAIT_S)
    closing = asyncio.ensure_future(readers.close())
    await asyncio.sleep(0)
    assert not closing.done()
    with pytest.raises(StoreError, match="closed"):
        await readers.ask(lambda reader: reader.last_change())
    release.set()
    await closing
    assert await answer == 0
    await readers.close()

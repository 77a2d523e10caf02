"""Questions to the store from the event loop: a few threads, each with a reader of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from livestream.studio.store.base import Reader
from livestream.studio.store.errors import StoreError

T = TypeVar("T")

READERS: Final = 4


def portions(ids: Collection[int], at_once: int) -> Iterator[tuple[int, ...]]:
    """Cut ids, rising, into questions of so many: others' questions are answered between two of them."""
    ordered = sorted(ids)
    return (tuple(ordered[start : start + at_once]) for start in range(0, len(ordered), at_once))


class Readers:
    """A bounded pool: as many questions at once as there are readers, the rest wait in their order.

    A reader is opened when its thread is first needed, and stays. A caller that is cancelled while it waits takes its
    question with it; one whose question is being answered leaves, and the answer is dropped.
    """

    def __init__(self, open_reader: Callable[[], Reader], count: int = READERS) -> None:
        """Open nothing yet.

        Args:
            open_reader: Is called in the thread that will use the reader.
            count: How many at most.
        """
        self._open_reader = open_reader
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="livestream-reader")
        self._own = threading.local()
        self._opened: list[Reader] = []
        self._closed = False

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """Answer a question in one of the threads.

        Args:
            question: What it returns must be whole: an iterator over the reader would be read in another thread.

        Raises:
            StoreError: The store cannot be read, or `close` was called.
        """
        if self._closed:
            raise StoreError("the store's readers are closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    async def close(self) -> None:
        """Let the questions that are being answered end, drop those that wait, and close the readers."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        for reader in self._opened:
            reader.close()
        self._opened.clear()

    def _answer(self, question: Callable[[Reader], T]) -> T:
        reader: Reader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._open_reader()
            self._own.reader = reader
            self._opened.append(reader)
        return question(reader)

"""Fixtures that several modules ask for; a module that needs another of the name defines its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pages_cases import Stage, serve
from reader_cases import Filled
from studio_stage import Client, OpenStudio, open_studio

from livestream.studio.store.sqlite.reader import SqliteReader


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[OpenStudio]:
    """Open a whole Studio in this process."""
    async with open_studio(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def client(studio: OpenStudio) -> Client:
    """Give a client that may do everything."""
    return studio.client


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Serve the pages, and what they need."""
    async with serve(tmp_path / "data") as running:
        yield running


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    """Open tables to be filled row by row."""
    filled = Filled(tmp_path)
    yield filled
    filled.close()


@pytest.fixture
def reader(filled: Filled) -> Iterator[SqliteReader]:
    """Read them."""
    reader = SqliteReader(filled.data)
    yield reader
    reader.close()

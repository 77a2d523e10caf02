from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from livestream.sinks import StudioSink, Target, Timeouts
from livestream.testing import DEFAULT_TOKEN, FakeStudio


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio("livestream") as running:
        running.check_order = False
        yield running


@pytest.fixture
def target(studio: FakeStudio) -> Target:
    return Target(url=studio.url, token=DEFAULT_TOKEN)


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[StudioSink]:
    async with StudioSink(Timeouts(connect_s=1.0, silence_s=0.5), environ={}) as opened:
        yield opened

"""One world for all programs of a file: its process is started, and its places are made, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world import World

collect_ignore = ["programs"]  # they are run in folders of their own; what pytest collects it imports, here


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("parity")) as made:
        yield made

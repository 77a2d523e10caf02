"""A disk that fills up while everything runs: training goes on, losses are counted, and what was accepted arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import fill, mounted
from oracle import Dice, Storms, judge
from processes import until
from stage import Stage

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

NO_QUOTA = {"LIVESTREAM_QUOTA_BYTES": "1000000000000"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.mark.parametrize("profile", ["stock", "livestream"])
def test_a_full_disk_costs_only_what_is_counted_as_refused(
    tmp_path: Path, small_disk: Path, profile: str, request: pytest.FixtureRequest
) -> None:
    dice = Dice(request.node.name, 0)
    with Stage(tmp_path, profile) as stage:  # type: ignore[arg-type]
        stage.spool = small_disk / "spool"
        storms = Storms(stage, dice)
        environ = stage.environ(**NO_QUOTA)
        storm = storms.begin("run", environ, pauses=0.02, count=10_000_000)
        stage.serve(environ=environ)
        stage.await_ledger(lambda ledger: ledger.rows > 100)
        filler = fill(small_disk)
        until(lambda: storms.noted("x") or not storm.running, "emit refuses what it cannot keep", 90.0)
        assert storm.running, "the training goes on"
        filler.unlink()
        accepted = storms.accepted
        until(lambda: storms.accepted > accepted + 100, "emit accepts again", 60.0)
        storms.end()
        stage.end_daemon()
        refused = sum(map(len, storms.noted("x").values()))
        judge(stage, storms)
        books = stage.check()
        assert sum(books.total.refused.values()) == refused
        assert books.total.refused["disk"] > 0
        assert books.total.dead == 0
        if profile == "livestream":
            assert sum(stage.experiment().losses.values()) == refused


def test_a_limit_on_file_sizes_costs_only_what_is_counted(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dice = Dice(request.node.name, 0)
    with Stage(tmp_path, "livestream") as stage:
        storms = Storms(stage, dice)
        environ = stage.environ(**NO_QUOTA)
        limits = {"file_bytes": 4_500_000}  # above the journal's 4.2 MB, below where a segment would be sealed
        storm = storms.begin("run", environ, pauses=0.0, count=60_000, limits=limits)
        assert storm.wait(120.0) == 0
        assert "spool_not_writable" in storm.said(), "the limit was met"
        refused = sum(map(len, storms.noted("x").values()))
        judge(stage, storms)
        books = stage.check()
        assert sum(books.total.refused.values()) == refused
        assert storms.accepted + refused == 60_000

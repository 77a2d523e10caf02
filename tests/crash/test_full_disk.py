"""A disk that fills up while everything runs: training goes on, losses are counted, and what was accepted arrives."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import Dice, Storms, judge
from processes import until
from stage import Stage

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

DISK_BYTES = 32 * 1024 * 1024
NO_QUOTA = {"LIVESTREAM_QUOTA_BYTES": "1000000000000"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        disk.rmdir()
        pytest.skip("a tmpfs of its own takes root's rights")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65_536)):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk has no end")


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
        filler = _fill(small_disk)
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

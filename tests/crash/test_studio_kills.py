from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from oracle import Dice
from studio_oracle import check_equal, check_kept, check_whole, clean_pass, dump
from studio_plan import planned
from studio_stage import RunningStudio, eventually, studio_environment
from studio_storm import STUDIO_ROUNDS, drained, launch_backup, logged, siege

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


@pytest.fixture(params=range(STUDIO_ROUNDS))
def dice(request: pytest.FixtureRequest) -> Dice:
    return Dice(request.node.originalname, request.param)


async def test_a_studio_that_is_killed_in_a_storm_loses_nothing_that_it_answered(tmp_path: Path, dice: Dice) -> None:
    posts = planned(dice, large=4)
    clean = clean_pass(tmp_path / "clean", posts)
    async with siege(tmp_path / "data", posts, dice, most=3) as storm:
        while storm.running and storm.kills < 3:
            await storm.more(dice.randint(1, 60))
            await asyncio.sleep(dice.random() * 0.05)
            await storm.kill()
            await storm.check()
            if dice.random() < 0.3:
                await storm.more(dice.randint(1, 20))
                await storm.restart()
        await storm.end()
        check_equal(dump(storm.data), clean)
        await storm.kill()  # what is checked is on the disk
        check_kept(storm.data, posts, storm.storm.answered)
        check_equal(dump(storm.data), clean)
        check_whole(storm.data)


async def test_a_studio_that_is_killed_while_it_applies_large_bodies_applies_all_of_each_once(
    tmp_path: Path, dice: Dice
) -> None:
    posts = planned(dice, bodies=6, large=5, each=1)
    clean = clean_pass(tmp_path / "clean", posts)
    async with siege(tmp_path / "data", posts, dice, most=2) as storm:
        met = 0
        for _ in range(4):
            await storm.until(lambda: logged(storm.data))
            await asyncio.sleep(dice.random() * 0.1)
            met += bool(logged(storm.data))
            await storm.kill()
            if dice.random() < 0.5:
                await storm.check()
        await storm.end()
        assert met, "no kill met a body that was not applied"
        check_kept(storm.data, posts, storm.storm.answered)
        check_equal(dump(storm.data), clean)
        check_whole(storm.data)


STARTS: Final = 5


def _launch(data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "livestream", "studio", "--data", str(data), "--port", "0"]
    return subprocess.Popen(
        command, env=studio_environment(data.parent), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


async def test_a_studio_that_is_killed_again_and_again_at_its_start_starts_and_serves_at_last(
    tmp_path: Path, dice: Dice
) -> None:
    data = tmp_path / "data"
    posts = planned(dice, bodies=4, large=1, each=1)
    for _ in range(STARTS):
        if dice.random() < 0.4:
            shutil.rmtree(data, ignore_errors=True)  # from the first table on
        (data / "studio.lock").unlink(missing_ok=True)
        process = _launch(data)
        await eventually((data / "studio.lock").exists)
        await asyncio.sleep(dice.random() * 0.25)
        process.kill()
        process.wait()
    async with siege(data, posts, dice, most=1) as storm:
        await storm.end()
        check_kept(data, posts, storm.storm.answered)
        check_whole(data)


async def test_a_backup_during_which_anything_is_killed_is_whole_or_not_there(tmp_path: Path, dice: Dice) -> None:
    posts = planned(dice, large=3, each=1)
    async with siege(tmp_path / "data", posts, dice, most=2) as storm:
        await storm.more(20)
        for number in range(3):
            answered, copy = set(storm.storm.answered), tmp_path / f"copy{number}"
            process = launch_backup(storm.data, copy)
            await eventually(lambda copy=copy: copy.exists() or any(copy.parent.glob(f".{copy.name}.*")))  # type: ignore[misc]
            await asyncio.sleep(dice.random() ** 2 * 0.1)
            if dice.random() < 0.5:
                process.kill()
            else:
                await storm.kill()
            said = await asyncio.to_thread(process.communicate, timeout=30)
            print(f"backup {number}: exit {process.returncode}, there: {copy.exists()}")
            if process.returncode == 0 or copy.exists():
                with RunningStudio(copy):
                    await drained(copy)
                    check_kept(copy, posts, answered)
                    check_whole(copy)
            else:
                assert process.returncode == -signal.SIGKILL, said
        await storm.check()

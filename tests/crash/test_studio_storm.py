from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from oracle import Dice
from studio_oracle import check_equal, check_kept, check_whole, clean_pass, dump, experiments_begun
from studio_plan import Post, planned
from studio_stage import Client, RunningStudio, eventually
from studio_storm import PATIENCE_S, STUDIO_ROUNDS, drained, launch_backup, siege
from training_cases import small_disk, use_up

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


@pytest.fixture(params=range(STUDIO_ROUNDS))
def dice(request: pytest.FixtureRequest) -> Dice:
    return Dice(request.node.originalname, request.param)


async def test_a_storm_of_resends_leaves_what_one_clean_pass_leaves(tmp_path: Path, dice: Dice) -> None:
    posts = planned(dice)
    clean = clean_pass(tmp_path / "clean", posts)
    async with siege(tmp_path / "data", posts, dice) as storm:
        await storm.end()
        check_kept(storm.data, posts, storm.storm.answered)
        check_equal(dump(storm.data), clean)
        check_whole(storm.data)
        assert storm.storm.statuses.keys() <= {200, 429}
        async with aiohttp.ClientSession() as session:
            await _check_shown(Client(session, storm.studio.url, storm.tokens[0]), posts)


async def _check_shown(client: Client, posts: list[Post]) -> None:
    """People see what is stored."""
    shown = (await client.get("/api/experiments"))["experiments"]
    assert {each["name"] for each in shown} == {post.experiment for post in posts}
    for each in shown:
        own = [post for post in posts if post.experiment == each["name"]]
        has_losses = any(post.losses for post in own)
        assert each["status"]["kind"] == ("completed_with_gaps" if has_losses else "completed")
        assert each["step"] == max(post.step for post in own)
        steps = {(row.path, row.step) for post in own for row in post.rows}
        series = (await client.get(f"/api/experiments/{each['id']}/series"))["series"]
        assert {one["path"]: one["count"] for one in series} == Counter(path for path, _ in steps)
        images = (await client.get(f"/api/experiments/{each['id']}/images"))["images"]
        known = {(image.path, image.step) for post in own for image in post.images}
        assert {(image["path"], image["step"]) for image in images} == known


async def test_a_studio_that_is_stopped_for_longer_than_its_clients_wait_stores_everything_once(
    tmp_path: Path, dice: Dice
) -> None:
    posts = planned(dice)
    clean = clean_pass(tmp_path / "clean", posts)
    async with siege(tmp_path / "data", posts, dice, most=3) as storm:
        storm.storm.patience_s = 0.4
        for _ in range(2):
            await storm.more(dice.randint(5, 40))
            storm.studio.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.6 + dice.random() * 0.4)  # every client gives up, and posts again
            storm.studio.process.send_signal(signal.SIGCONT)
        storm.storm.patience_s = PATIENCE_S
        await storm.end()
        assert storm.storm.statuses[0] > 0
        check_kept(storm.data, posts, storm.storm.answered)
        check_equal(dump(storm.data), clean)
        check_whole(storm.data)


async def test_a_backup_taken_in_a_storm_is_a_studio_as_it_was_at_some_moment(tmp_path: Path, dice: Dice) -> None:
    posts = planned(dice, bodies=60, large=5)
    clean = clean_pass(tmp_path / "clean", posts)
    copy = tmp_path / "copy"
    async with siege(tmp_path / "data", posts, dice, most=2) as storm:
        await storm.more(dice.randint(10, 60))
        answered = set(storm.storm.answered)
        process = launch_backup(storm.data, copy)
        _, errors = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, errors
        assert len(storm.storm.answered) > len(answered), "nothing came beside it"
        await storm.end()
        check_equal(dump(storm.data), clean)
    with RunningStudio(copy):
        await drained(copy)
        check_kept(copy, posts, answered)
        check_whole(copy)
    begun = experiments_begun(copy)
    left = [post for post in posts if not (post.is_stock_start and post.experiment in begun)]
    async with siege(copy, left, dice, 1, storm.tokens) as again:
        await again.end()
        check_equal(dump(copy), clean)


async def test_a_full_disk_refuses_what_it_cannot_keep_and_all_passes_once_there_is_space(dice: Dice) -> None:
    posts = planned(dice, large=3)
    with tempfile.TemporaryDirectory() as elsewhere, small_disk("64m") as disk:
        clean = clean_pass(Path(elsewhere) / "clean", posts)
        async with siege(disk / "data", posts, dice, most=2) as storm:
            await storm.more(dice.randint(20, 100))
            hog = use_up(disk)
            refused = storm.storm.statuses[503]
            await storm.until(lambda: storm.storm.statuses[503] > refused + 10)
            assert storm.running
            async with aiohttp.ClientSession() as session:
                await _check_full(Client(session, storm.studio.url, storm.tokens[0]))
            storm.storm.may_go.clear()
            await eventually(lambda: storm.storm.idle)
            check_kept(storm.data, posts, [], is_drained=False)
            if dice.random() < 0.5:
                await _restart_without_space(storm.studio, hog)
            storm.storm.resume()
            hog.unlink(missing_ok=True)
            await storm.end()
            check_kept(storm.data, posts, storm.storm.answered)
            check_equal(dump(storm.data), clean)
            check_whole(storm.data)


async def _check_full(client: Client) -> None:
    """People see what is there; what they change is refused, if it needs space."""
    assert (await client.get("/healthz"))["status"] == "ok"
    (shown, *_) = (await client.get("/api/experiments"))["experiments"]
    for number in range(20):
        made, _ = await client("POST", "/api/tokens", json={"name": f"full {number}", "scopes": ["read"]})
        deleted, _ = await client("DELETE", f"/api/experiments/{shown['id']}")
        restored, _ = await client("POST", f"/api/experiments/{shown['id']}/restore")
        assert {made, deleted, restored} <= {200, 201, 204, 503}, (made, deleted, restored)


async def _restart_without_space(studio: RunningStudio, hog: Path) -> None:
    """Kill it and start it: where it cannot, it says so, and it starts once there is space."""
    await asyncio.to_thread(studio.kill)
    try:
        await asyncio.to_thread(studio.start)
    except AssertionError as error:
        said = str(error)
    else:
        return
    assert "Traceback" not in said
    assert any(reason in said for reason in ("full", "No space", "disk I/O error")), said
    await asyncio.to_thread(hog.unlink)
    await asyncio.to_thread(studio.start)


async def test_a_studio_that_finds_no_space_at_its_start_says_so_and_starts_once_there_is(dice: Dice) -> None:
    with small_disk("8m") as disk, RunningStudio(disk / "data") as studio:
        if dice.random() < 0.5:
            studio.kill()
            shutil.rmtree(studio.data)
        hog = use_up(disk)
        os.truncate(hog, hog.stat().st_size - dice.choice([0, 5_000, 20_000, 50_000, 100_000]))
        await _restart_without_space(studio, hog)
        hog.unlink(missing_ok=True)
        assert studio.token

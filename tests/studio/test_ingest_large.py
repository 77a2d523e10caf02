from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from ingest_cases import eventually, files_end_at, house, leave, scalar
from wire_cases import body, encoded, large_body

from livestream.studio.ingest.intake import BodyTooLargeError
from livestream.studio.ingest.log import HEAD_BYTES
from livestream.studio.settings import StudioLimits
from livestream.studio.store.errors import StoreError
from livestream.studio.wire.fields import WireError


async def test_a_large_body_is_safe_first_and_applied_then(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        await place.post_large(large_body(20_000))

        assert place.files() == ["000000000002.body"]
        assert place.ingest.applying("github.com/team/iris", body()["baseline_sha"], "brave-otter")
        assert place.points == 0
        place.gate.set()
        await held
        await place.settled()
        assert place.points == 20_000
        assert place.files() == []
        assert not place.ingest.applying("github.com/team/iris", body()["baseline_sha"], "brave-otter")
        assert place.counters.large_bodies == 1


async def test_small_ones_stay_behind_the_large_one_of_their_experiment(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        before = asyncio.ensure_future(place.post(scalar("brave-otter", 1, 1.0)))
        await asyncio.sleep(0)
        await place.post_large(large_body(30_000, step=1, metrics={"m.json": {"data": {"a": 2.0}}}))
        behind = [await place.post(scalar("brave-otter", 1, value)) for value in (3.0, 4.0)]
        other = asyncio.ensure_future(place.post(scalar("other", 1, 0.5)))
        await asyncio.sleep(0)
        place.gate.set()

        assert behind == [None, None]
        assert await before is not None
        assert await other is not None
        assert place.ingest.pending_bytes > 0, "the other experiment waited for the large body"
        await held
        await place.settled()
        # All have one step, so the last to be applied wins.
        assert place.metrics("brave-otter") == {"m.json": {"a": 4.0}}


async def test_what_an_earlier_run_left_is_applied_in_order(tmp_path: Path) -> None:
    leave(tmp_path, large_body(10_000, step=1, metrics={"m.json": {"data": {"a": 1}}}))
    leave(tmp_path, encoded(step=1, metrics={"m.json": {"data": {"a": 2}}}))
    (tmp_path / "ingest" / "000000000009.part").write_bytes(b"half a body")

    async with house(tmp_path) as place:
        await place.settled()

        assert place.points == 10_000
        assert place.metrics("brave-otter") == {"m.json": {"a": 2}}
        assert place.files() == []


async def test_a_body_that_was_half_applied_is_applied_again_without_harm(tmp_path: Path) -> None:
    payload = large_body(30_000)
    async with house(tmp_path) as place:
        await place.post_large(payload)
        await eventually(lambda: place.points > 0)
        await place.ingest.stop()
    leave(tmp_path, payload)
    leave(tmp_path, payload)

    async with house(tmp_path) as place:
        await place.settled()

        assert place.points == 30_000
        assert place.ask("SELECT count(*) FROM experiment") == [(1,)]


@pytest.mark.parametrize("damage", ["head", "body", "end", "empty"])
async def test_a_damaged_body_is_put_aside_and_blocks_nothing(tmp_path: Path, damage: str) -> None:
    path = leave(tmp_path, large_body(10_000))
    leave(tmp_path, large_body(9_000, name="whole"))
    content = path.read_bytes()
    middle = HEAD_BYTES + len(large_body(10_000)) // 2
    path.write_bytes(
        {
            "head": b"x" + content[1:],
            "body": content[:middle] + b"\xff\xff" + content[middle + 2 :],
            "end": content[:middle],
            "empty": b"",
        }[damage]
    )

    async with house(tmp_path) as place:
        await place.settled()

        assert (tmp_path / "ingest" / "refused" / path.name).exists()
        assert place.files() == ["refused"]
        await eventually(lambda: place.counters.large_refused == 1)
        (whole,) = place.ask("SELECT count(*) FROM point JOIN series ON series.id = series WHERE experiment = 2")
        assert whole[0] == 9_000 or place.points == 9_000


async def test_files_are_ours_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        place.hold()
        await place.post_large(large_body(20_000))

        (name,) = place.files()
        assert (tmp_path / "ingest").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "ingest" / name).stat().st_mode & 0o777 == 0o600


async def test_a_body_that_is_wrong_or_too_large_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, StudioLimits(max_request_bytes=2_000_000)) as place:
        with pytest.raises(WireError):
            await place.post_large(large_body(20_000)[:-1])
        with pytest.raises(BodyTooLargeError):
            await place.post_large(large_body(60_000))

        assert place.files() == []
        assert place.points == 0
        assert not place.ingest.pending_bytes


async def test_a_full_log_says_when_to_come_again(tmp_path: Path) -> None:
    async with house(tmp_path, StudioLimits(max_logged_bytes=500_000)) as place:
        held = place.hold()
        await place.post_large(large_body(20_000))

        assert (place.ingest.overloaded(large=True) or 0) >= 1
        assert place.ingest.overloaded() is None
        place.gate.set()
        await held
        await place.settled()
        assert place.ingest.overloaded(large=True) is None


async def test_a_log_that_cannot_be_written_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        with files_end_at(400_000), pytest.raises(OSError, match="too large"):
            await place.post_large(large_body(20_000))

        assert place.files() == []
        assert not place.ingest.pending_bytes
        await place.post_large(large_body(20_000))
        await place.settled()
        assert place.points == 20_000


async def test_a_store_that_cannot_be_written_keeps_large_bodies_until_it_can(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        await place.post_large(large_body(20_000))
        with files_end_at(100_000):
            place.gate.set()
            await held
            with pytest.raises(StoreError):
                await asyncio.gather(*[place.post(scalar("other", index, 0.5)) for index in range(500)])
            assert place.ingest.pending_bytes

        await place.settled()
        counted = place.ask("SELECT count(*) FROM point JOIN series ON id = series")
        assert counted[0][0] >= 20_000
        assert place.files() == []


async def test_a_body_that_the_store_does_not_take_lets_others_go_first(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        place.change(
            "CREATE TRIGGER no BEFORE INSERT ON experiment WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        held = place.hold()
        await place.post_large(large_body(9_000, name="bad", step=1, metrics={"m": {"data": {"a": 1}}}))
        await place.post(encoded(name="bad", step=1, metrics={"m": {"data": {"a": 2}}}))
        await place.post_large(large_body(9_000, name="good"))
        place.gate.set()
        await held
        await eventually(lambda: place.points == 9_000)
        assert place.ask("SELECT name FROM experiment") == [("good",)]
        place.change("DROP TRIGGER no")
        await place.settled()

        assert place.points == 18_000
        assert place.metrics("bad") == {"m": {"a": 2}}
        assert place.files() == []

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from ingest_cases import house, now_us, scalar
from wire_cases import encoded

from livestream.studio.ingest.ingest import StoppedError
from livestream.studio.settings import StudioLimits
from livestream.studio.store.base import Writer
from livestream.studio.update import Delivery, Points
from livestream.studio.wire.body import decode


async def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        posts = [asyncio.ensure_future(place.post(scalar(f"run {index % 3}", index, 0.5))) for index in range(60)]
        await asyncio.sleep(0)
        place.gate.set()
        ids = await asyncio.gather(*posts)
        await held

        assert place.counters.commits == 1
        assert (place.counters.deliveries, place.counters.points_new) == (60, 60)
        assert len(set(ids)) == 3
        assert place.points == 60
        assert {change.experiment for change in place.changes if change.kind != "project"} == set(ids)


async def test_one_bad_update_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    update = decode(encoded(name="bad"))
    broken = msgspec.structs.replace(update, points=[Points(path="p", column="c", steps=[2**70], values=[1.0])])
    bad = Delivery(update=broken, received_us=now_us(), digest=b"")

    async with house(tmp_path) as place:
        held = place.hold()
        good = [asyncio.ensure_future(place.post(scalar("good", index, 0.5))) for index in range(5)]
        await asyncio.sleep(0)
        lost = asyncio.ensure_future(place.ingest.submit(bad))
        await asyncio.sleep(0)
        place.gate.set()

        assert all(await asyncio.gather(*good))
        with pytest.raises(Exception, match=r"too large|range|store"):
            await lost
        await held
        assert place.points == 5
        assert place.ingest.overloaded() is None


async def test_a_call_gives_its_result_or_its_error(tmp_path: Path) -> None:
    def fail(_: Writer) -> None:
        raise KeyError("mine")

    async with house(tmp_path) as place:
        experiment = await place.post(scalar("run", 1, 0.5))
        assert experiment is not None
        place.changes.clear()

        gone = await place.ingest.call(lambda writer: writer.set_deleted([experiment], deleted=True, time_us=now_us()))

        assert [change.kind for change in place.changes] == ["deleted"]
        assert gone == place.changes
        with pytest.raises(KeyError):
            await place.ingest.call(fail)


async def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    async with house(tmp_path, StudioLimits(max_queued=3)) as place:
        held = place.hold()
        await asyncio.sleep(0)
        posts = [asyncio.ensure_future(place.post(scalar("run", index, 0.5))) for index in range(3)]
        await asyncio.sleep(0)

        assert (place.ingest.overloaded() or 0) > 0
        place.gate.set()
        await asyncio.gather(held, *posts)
        assert place.ingest.overloaded() is None


async def test_a_post_that_is_given_up_is_stored_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        post = asyncio.ensure_future(place.post(scalar("run", 1, 0.5)))
        await asyncio.sleep(0)
        post.cancel()
        place.gate.set()
        await held
        await place.post(scalar("run", 2, 0.5))

        assert place.points == 2


async def test_stopping_commits_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        posts = [asyncio.ensure_future(place.post(scalar("run", index, 0.5))) for index in range(40)]
        await asyncio.sleep(0)
        await place.ingest.stop()

        assert len(await asyncio.gather(*posts)) == 40
        with pytest.raises(StoppedError):
            await place.post(scalar("run", 99, 0.5))

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from ingest_cases import BOUND_S, eventually, files_end_at, house, leave, now_us, scalar
from wire_cases import body, encoded, large_body

from livestream.studio.ingest.ingest import Envelope
from livestream.studio.ingest.intake import BodyTooLargeError
from livestream.studio.ingest.log import HEAD_BYTES, LogHead, Part
from livestream.studio.settings import StudioLimits
from livestream.studio.store.errors import StoreError
from livestream.studio.update import UpdateKey
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.headers import Extension


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


def _make_late(path: Path, by_s: int) -> None:
    content = path.read_bytes()
    head = msgspec.json.decode(content[:HEAD_BYTES], type=LogHead)
    late = msgspec.structs.replace(head, received_us=head.received_us + by_s * 1_000_000)
    path.write_bytes(msgspec.json.encode(late).ljust(HEAD_BYTES - 1) + b"\n" + content[HEAD_BYTES:])


def spoil(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:HEAD_BYTES] + b"\xff" + content[HEAD_BYTES + 1 :])


async def test_what_was_put_aside_is_never_replaced(tmp_path: Path) -> None:
    for step in (1, 2):  # an empty log counts from 1 again
        spoil(leave(tmp_path, scalar("a", step, 1.0)))
        async with house(tmp_path) as place:
            await place.settled()

    assert len(os.listdir(tmp_path / "ingest" / "refused")) == 2


@pytest.mark.parametrize("damage", ["head", "body"])
async def test_a_body_that_cannot_be_put_aside_stops_nobody(tmp_path: Path, damage: str) -> None:
    path = leave(tmp_path, scalar("a", 1, 1.0))
    if damage == "head":
        path.write_bytes(b"x" + path.read_bytes()[1:])
    else:
        spoil(path)
    (tmp_path / "ingest" / "refused").write_bytes(b"a file where the folder belongs")

    async with house(tmp_path) as place, asyncio.timeout(BOUND_S):
        await place.settled()
        assert await place.post(scalar("b", 1, 1.0))

    assert path.exists()


async def test_what_a_large_done_brings_replaces_what_the_last_step_brought(tmp_path: Path) -> None:
    old, new = ({"data": [{"text": text * 100} for _ in range(count)]} for text, count in (("old", 1), ("new", 15_000)))
    plots = {"dvclive/plots/custom/curve.json": new, "dvclive/plots/custom/more.json": new}
    async with house(tmp_path) as place:
        await place.post(encoded(step=10, plots=dict.fromkeys(plots, old)))
        await place.post_large(encoded(type="done", step=None, plots=plots))
        await place.settled()

        assert place.ask("SELECT count(*) FROM plot WHERE instr(content, 'new')") == [(2,)]


async def test_the_longest_names_and_headers_have_room_in_the_log(tmp_path: Path) -> None:
    longest = "\N{GRINNING FACE}" * 980
    payload = large_body(10_000, name=longest, repo_url=f"https://example.com/{longest}")
    said = Extension(
        key=UpdateKey("w" * 200, 1, 2, 1, 1), losses={f"{number:02}{'r' * 77}": 1 for number in range(100)}
    )
    async with house(tmp_path) as place:
        async with place.ingest.intake(packed=False) as intake:
            await intake.take(payload)
            part = await intake.end()
            assert isinstance(part, Part)
            found = await place.ingest.survey(part)
            await place.ingest.log(part, found, Envelope(received_us=now_us(), extension=said))
        await place.settled()

        assert place.points == 10_000


async def test_small_ones_behind_a_large_one_share_commits(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        held = place.hold()
        await place.post_large(large_body(10_000, name="a"))
        for step in range(60):
            assert await place.post(scalar("a", step, float(step))) is None
        place.gate.set()
        await held
        await place.settled()

        assert place.metrics("a") == {"m.json": {"a": 59.0}}
        assert place.counters.commits < 20
        assert place.files() == []


async def test_a_log_that_was_applied_and_not_cleared_changes_nothing(tmp_path: Path) -> None:
    bodies = [encoded(type=kind, step=None, message="m") for kind in ("start", "done", "start")]
    for number, payload in enumerate([bodies[0], scalar("brave-otter", 9, 1.0), *bodies[1:]]):
        path = leave(tmp_path, payload)
        _make_late(path, 3_600 * number)
    last_start = path.read_bytes()
    asked = "SELECT json_extract(CAST(facts AS TEXT), '$.session', '$.step') FROM experiment"
    found = []
    for again in ([], [(path.name, last_start)]):
        for name, content in again:
            (tmp_path / "ingest" / name).write_bytes(content)
        async with house(tmp_path) as place:
            await place.settled()
            found.append((place.ask(asked), place.ask("SELECT kind FROM event ORDER BY id"), place.counters.commits))

    assert found[0][:2] == found[1][:2]
    assert found[0][0] == [("[2,null]",)]
    assert found[0][2] == 4, "a start shared a transaction, and would begin a session more if it were applied again"


@pytest.mark.parametrize("trouble", ["damaged", "not taken"])
async def test_one_bad_body_among_many_takes_no_other_with_it(tmp_path: Path, trouble: str) -> None:
    async with house(tmp_path) as place:
        place.change(
            "CREATE TRIGGER no BEFORE INSERT ON experiment WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    paths = [leave(tmp_path, scalar(name, 1, 1.0)) for name in ("a", "bad", "b", "c")]
    if trouble == "damaged":
        spoil(paths[1])

    async with house(tmp_path) as place:
        await eventually(lambda: place.ask("SELECT name FROM experiment ORDER BY name") == [("a",), ("b",), ("c",)])
        place.change("DROP TRIGGER no")
        await place.settled()

        assert place.points == (3 if trouble == "damaged" else 4)


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

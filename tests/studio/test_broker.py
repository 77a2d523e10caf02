from __future__ import annotations

import asyncio
import json

import msgspec
from studio_stage import eventually

from livestream.events import Json
from livestream.studio.broker import MAX_QUEUED, Broker, Packet, merged
from livestream.studio.store.base import Change

SOON_S = 5.0
PACE_S = 0.05


def change(seq: int, experiment: int = 1, **more: Json) -> Change:
    return msgspec.structs.replace(Change(seq=seq, experiment=experiment, kind="data", time_us=seq), **more)


def seqs(packets: list[Packet]) -> list[int | None]:
    return [packet.change.seq if packet.change else None for packet in packets]


async def test_the_first_change_comes_at_once_and_what_follows_comes_merged() -> None:
    broker = Broker(pace_s=PACE_S)
    with broker.subscribe() as heard:
        broker.publish([change(1, step=1)])
        assert seqs(await heard.take(0)) == [1]
        for seq in range(2, 100):
            broker.publish([change(seq, step=seq, plots=["a", f"b{seq % 2}"])])
        assert await heard.take(0) == []

        (packet,) = await heard.take(SOON_S)

    assert packet.change is not None
    assert (packet.change.seq, packet.change.step, packet.change.plots) == (99, 99, ["a", "b0", "b1"])


async def test_experiments_do_not_hold_each_other_back() -> None:
    broker = Broker(pace_s=PACE_S)
    with broker.subscribe() as heard:
        broker.publish([change(1, 1), change(2, 2)])

        assert seqs(await heard.take(0)) == [1, 2]


async def test_a_listener_resumes_before_what_is_held_back() -> None:
    broker = Broker(last_seq=10, pace_s=PACE_S)
    with broker.subscribe() as heard:
        broker.publish([change(11, 1)])
        broker.publish([change(12, 1)])
        broker.publish([change(13, 2)])
        packets = await heard.take(0)
        assert [packet.resume for packet in packets] == [11, 11]
        assert broker.resume == 11

        (held,) = await heard.take(SOON_S)

    assert (held.resume, broker.resume) == (12, 13)


async def test_a_listener_that_is_too_slow_starts_afresh_and_costs_nobody_else() -> None:
    broker = Broker(pace_s=PACE_S)
    with broker.subscribe() as slow, broker.subscribe() as quick:
        taken = 0
        for seq in range(1, MAX_QUEUED + 2):
            broker.publish([change(seq, seq)])
            taken += len(await quick.take(0))

        packets = await slow.take(0)

    assert taken == MAX_QUEUED + 1
    assert seqs(packets) == [None]
    assert (slow.resets, quick.resets) == (1, 0)
    assert packets[0].encoded == b'id: 1001\nevent: reset\ndata: {"seq":1001}\n\n'


async def test_a_packet_is_serialised_once_and_reads_as_one_event() -> None:
    broker = Broker()
    with broker.subscribe() as one, broker.subscribe() as two:
        broker.publish([change(7, metrics={"f": {"a\nb": 1.5}})])
        (first,), (second,) = await one.take(0), await two.take(0)

    assert first.encoded is second.encoded
    head, event, data, *rest = first.encoded.split(b"\n")
    assert (head, event, rest) == (b"id: 7", b"event: change", [b"", b""])
    assert json.loads(data.removeprefix(b"data: "))["metrics"] == {"f": {"a\nb": 1.5}}


async def test_waiting_ends_with_news_with_time_and_with_the_broker() -> None:
    broker = Broker(last_seq=5)
    assert await broker.wait_beyond(4, 0)
    assert not await broker.wait_beyond(5, 0.001)
    waiting = asyncio.create_task(broker.wait_beyond(5, SOON_S))
    await asyncio.sleep(0)
    broker.publish([change(6)])
    assert await waiting
    waiting = asyncio.create_task(broker.wait_beyond(6, SOON_S))
    await asyncio.sleep(0)
    broker.close()
    assert not await waiting


async def test_closing_sends_what_is_held_back_and_lets_listeners_end() -> None:
    broker = Broker()
    with broker.subscribe() as heard:
        waiting = asyncio.create_task(heard.take(SOON_S))
        await asyncio.sleep(0)
        broker.publish([change(1)])
        broker.publish([change(2)])
        assert seqs(await waiting) == [1]
        broker.close()

        assert seqs(await heard.take(SOON_S)) == [2]
        assert await heard.take(SOON_S) == []
        broker.publish([change(3)])
        assert await heard.take(SOON_S) == []


async def test_memory_is_given_back_when_experiments_fall_quiet() -> None:
    broker = Broker(pace_s=0.001)
    broker.publish([change(seq, seq) for seq in range(1, 500)])
    await eventually(lambda: not broker._held)

    assert not broker._timers
    assert not broker._held_since


def test_merged_changes_lay_newer_leaves_over_older_ones() -> None:
    older = change(1, kind="facts", metrics={"f": {"a": 1, "b": {"x": 1, "y": 1}}}, step=4, params={"p": {"lr": 1}})
    newer = change(2, metrics={"f": {"b": {"y": 2}}, "g": {"c": 3}})

    both = merged(older, newer)

    assert both.metrics == {"f": {"a": 1, "b": {"x": 1, "y": 2}}, "g": {"c": 3}}
    assert (both.seq, both.kind, both.step, both.params) == (2, "facts", 4, {"p": {"lr": 1}})
    assert merged(change(1, kind="deleted"), change(2, kind="restored")).kind == "restored"
    assert merged(change(1, kind="deleted"), change(2, kind="facts")).kind == "deleted"

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest
from sink_cases import OK, Peer, raw_server, start

from livestream.pipeline.decide import Accepted, Misdirected, TooLarge, Unavailable
from livestream.sinks import StudioSink, Target, Timeouts


def at(address: str) -> Target:
    return Target(url=f"http://{address}", token="t")


async def test_one_connection_serves_many_requests(sink: StudioSink) -> None:
    peers: list[Peer] = []

    async def behave(peer: Peer) -> None:
        peers.append(peer)
        while True:
            await peer.request()
            await peer.answer()

    async with raw_server(behave) as address:
        for _ in range(20):
            assert await sink.send(at(address), start()) == Accepted()
    assert len(peers) == 1


@pytest.mark.parametrize("by", ["reset", "close"])
async def test_a_stale_connection_is_replaced_at_once(sink: StudioSink, by: str) -> None:
    requests: list[int] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        requests.append(peer.number)
        await peer.answer()
        await peer.request()  # the second on this connection meets a server that has given it up
        requests.append(peer.number)
        if by == "reset":
            peer.reset()

    async with raw_server(behave) as address:
        assert await sink.send(at(address), start()) == Accepted()
        assert await sink.send(at(address), start()) == Accepted()
    assert requests == [1, 1, 2]


async def test_the_second_try_does_not_take_another_stale_connection(sink: StudioSink) -> None:
    together = asyncio.Barrier(3)
    requests: list[int] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        if peer.number <= 3:
            await together.wait()  # three connections wait in the pool, and all of them go stale
            await peer.answer()
            await peer.request()
            requests.append(peer.number)
            peer.reset()
            return
        requests.append(peer.number)
        await peer.answer()

    async with raw_server(behave) as address:
        assert await asyncio.gather(*(sink.send(at(address), start()) for _ in range(3))) == [Accepted()] * 3
        requests.clear()
        assert await sink.send(at(address), start()) == Accepted()
    assert len(requests) == 2
    assert requests[-1] == 4


async def test_there_is_one_more_try_and_not_two(sink: StudioSink) -> None:
    requests: list[int] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        requests.append(peer.number)
        if peer.number == 1:
            await peer.answer()
            await peer.request()
            requests.append(peer.number)
        peer.reset()

    async with raw_server(behave) as address:
        assert await sink.send(at(address), start()) == Accepted()
        outcome = await sink.send(at(address), start())
    assert outcome == Unavailable(None, f"{address}: connection reset by peer")
    assert requests == [1, 1, 2]


async def test_a_new_connection_that_breaks_is_not_tried_again(sink: StudioSink) -> None:
    requests: list[int] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        requests.append(peer.number)

    async with raw_server(behave) as address:
        outcome = await sink.send(at(address), start())
    assert outcome == Unavailable(None, f"{address}: closed the connection without an answer")
    assert requests == [1]


async def test_a_server_that_speaks_something_else_is_unavailable(sink: StudioSink) -> None:
    async def behave(peer: Peer) -> None:
        await peer.answer(b"SSH-2.0-OpenSSH_9.6\r\n")
        await peer.request()

    async with raw_server(behave) as address:
        outcome = await sink.send(at(address), start())
    assert isinstance(outcome, Unavailable)


async def test_an_endless_answer_is_read_to_its_bound_only(sink: StudioSink) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
        while True:
            await peer.answer(b"x" * 65_536)

    async with raw_server(behave) as address:
        outcome = await sink.send(at(address), start())
    assert isinstance(outcome, Misdirected)
    assert len(outcome.detail) < 1_000


async def test_an_answer_that_drips_is_given_up(sink: StudioSink) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        while True:
            await asyncio.sleep(0.05)
            await peer.answer(b" ")

    async with raw_server(behave) as address:
        begun = time.monotonic()
        outcome = await sink.send(at(address), start())
    assert outcome == Unavailable(None, f"{address}: silent for 0.5 s")
    assert time.monotonic() - begun < 10  # it would drip for 50


async def test_an_answer_before_the_body_was_read_counts_unless_it_says_yes(sink: StudioSink) -> None:
    async def behave(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        answers = {1: b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 2: OK}
        await peer.answer(answers[peer.number])
        await asyncio.sleep(5)

    large = start(message="x" * 20_000_000)
    async with raw_server(behave) as address:
        assert await sink.send(at(address), large) == TooLarge(413)
        outcome = await sink.send(at(address), large)
    assert isinstance(outcome, Unavailable)
    assert "before it had read the request" in outcome.detail


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_server_that_reads_nothing_costs_no_connection_once_it_is_given_up(sink: StudioSink) -> None:
    open_meanwhile: list[int] = []

    async def behave(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        open_meanwhile.append(open_towards(port))
        await asyncio.sleep(30)

    async with raw_server(behave) as address:
        port = int(address.rpartition(":")[2])
        assert isinstance(await sink.send(at(address), start(message="x" * 20_000_000)), Unavailable)
        await asyncio.sleep(0)  # asyncio closes in the next round
        assert open_meanwhile == [1]
        assert open_towards(port) == 0


def open_towards(port: int) -> int:
    """Count the connections to a port that their client has open, or is still trying to close."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] in {"01", "04", "05"} for row in rows)


async def test_a_host_that_swallows_connections_is_given_up_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            async with StudioSink(Timeouts(connect_s=0.3), environ={}) as sink:
                outcome = await sink.send(at(f"127.0.0.1:{port}"), start())
        finally:
            for filler in fillers:
                filler.close()
    assert outcome == Unavailable(None, f"127.0.0.1:{port}: no connection within 0.3 s")

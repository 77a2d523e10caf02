from __future__ import annotations

import asyncio

from livestream.daemon.health import MAX_BYTES_IN_FLIGHT, Studio, Verdict
from livestream.daemon.vault import Destination
from livestream.sinks.base import Target

DESTINATION = Destination(Target(url="http://studio.example", token="t"), "f")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_slots_are_granted_in_the_order_they_were_asked_for() -> None:
    studio = Studio(DESTINATION)
    studio.report(Verdict(ok=False))  # one at a time after trouble
    order: list[int] = []

    async def sender(number: int) -> None:
        async with studio.slot(10):
            order.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(sender(number))

    assert order == list(range(8))


async def test_bytes_in_flight_are_bounded_and_one_large_request_always_passes() -> None:
    studio = Studio(DESTINATION)
    held: list[int] = []
    most = 0

    async def sender(size: int) -> None:
        nonlocal most
        async with studio.slot(size):
            held.append(size)
            most = max(most, sum(held))
            await asyncio.sleep(0.001)
            held.remove(size)

    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(sender(MAX_BYTES_IN_FLIGHT // 3))
        group.create_task(sender(3 * MAX_BYTES_IN_FLIGHT))

    assert MAX_BYTES_IN_FLIGHT < most <= 3 * MAX_BYTES_IN_FLIGHT


async def test_after_trouble_one_sender_probes_while_the_others_wait() -> None:
    studio = Studio(DESTINATION)
    studio.report(Verdict(ok=False))
    together = 0
    most = 0

    async def sender() -> None:
        nonlocal together, most
        async with studio.slot(1):
            together += 1
            most = max(most, together)
            await asyncio.sleep(0.001)
            together -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(sender())

    assert most == 1


def test_concurrency_grows_by_one_a_round_and_shrinks_by_a_tenth() -> None:
    studio = Studio(DESTINATION)
    before = studio.limit

    for _ in range(int(before)):
        studio.report(Verdict(ok=True))
    assert before + 0.8 < studio.limit <= before + 1

    grown = studio.limit
    studio.report(Verdict(ok=False))
    assert studio.limit == grown * 0.9


def test_a_wait_blocks_until_it_is_over_and_a_success_ends_it() -> None:
    clock = Clock()
    studio = Studio(DESTINATION, clock)

    studio.report(Verdict(ok=True, wait_s=30))
    assert studio.blocked_s == 30
    clock.now += 29
    assert studio.blocked_s == 1
    studio.report(Verdict(ok=True))
    assert studio.blocked_s == 0


def test_a_hold_is_remembered_until_it_is_released() -> None:
    studio = Studio(DESTINATION, Clock())

    studio.report(Verdict(ok=True, wait_s=900, hold="the token is refused"))
    assert (studio.held, studio.blocked_s) == ("the token is refused", 900)
    assert studio.successes == 0

    studio.release()
    assert (studio.held, studio.blocked_s) == (None, 0)


def test_a_studio_is_well_while_its_last_answer_was_good_and_nothing_holds_it() -> None:
    clock = Clock()
    studio = Studio(DESTINATION, clock)
    seen = [studio.is_well]
    for trouble in (Verdict(ok=False), Verdict(ok=True, wait_s=9), Verdict(ok=True, hold="no")):
        studio.report(trouble)
        clock.now += 8
        seen.append(studio.is_well)
        studio.report(Verdict(ok=True))
        seen.append(studio.is_well)
    assert seen == [True, *[False, True] * 3]


async def test_a_sender_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    studio = Studio(DESTINATION)
    studio.report(Verdict(ok=False))

    async with studio.slot(1):

        async def wait() -> None:
            async with studio.slot(1):
                raise AssertionError("nobody may enter here")

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(1), studio.slot(1):
        pass

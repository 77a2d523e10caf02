"""What do 200 viewers of the feed cost, and how soon do they see what 20 trainings send?

Each training posts a step of 10 metrics 4 times a second, as one that we would watch does. Viewers hold a stream each
(``/api/feed``) and follow all of it. ``seen`` is the time from the first byte of a post until a viewer has read that
this step is there; the Studio gathers what befalls one experiment for up to a quarter of a second, so it cannot be much
below that. Rounds with viewers and without take turns: what they add is theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from benchmarks.harness import Options, Report, figure, interleave, quantile, run, scratch
from benchmarks.studio import Connection, Studio, connected, data_body, read_news, running, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
VIEWERS: Final = 200
TRAININGS: Final = 20
SERIES: Final = 10
HERTZ: Final = 4.0
LENGTH_S: Final = 10.0
QUICK_LENGTH_S: Final = 2.5
SEEN_BOUND_MS: Final = 1_000.0
LOAD_BOUND: Final = 1.0


class Seen(msgspec.Struct, frozen=True):
    """One round: seconds until viewers saw steps, seconds until posts were answered, the Studio's load and memory."""

    seen_s: list[float]
    answers_s: list[float]
    cores: float
    resident_mb: float
    resets: int
    unseen: int


class Viewer:
    """A stream of the feed; notes when it first knew of a step."""

    def __init__(self, sent: dict[tuple[int, int], float]) -> None:
        self.seen_s: list[float] = []
        self.newest: dict[int, int] = {}
        self.resets = -1  # the hello, which says no experiment either
        self.following = asyncio.Event()
        self._sent = sent

    async def follow(self, connection: Connection) -> None:
        """Read until cancelled."""
        async for told in connection.events("/api/feed"):
            now_s = time.perf_counter()
            self.following.set()
            for news in map(read_news, told):
                if news.experiment is None:
                    self.resets += 1
                elif news.step is not None and (news.experiment, news.step) in self._sent:
                    self.seen_s.append(now_s - self._sent[news.experiment, news.step])
                    self.newest[news.experiment] = news.step


async def watch(studio: Studio, viewers: int, length_s: float) -> Seen:
    """Run trainings, and viewers beside them."""
    sent: dict[tuple[int, int], float] = {}
    steps = int(length_s * HERTZ)
    dice = random.Random(7)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Connection(studio, number)) for number in range(TRAININGS)]
        for number, client in enumerate(clients):
            await client.post(start_body(f"run-{number}"))
        async with connected(studio) as client:
            page = await client.json("/api/experiments?limit=1000")
        ids = {experiment["name"]: experiment["id"] for experiment in page["experiments"]}
        watching = [Viewer(sent) for _ in range(viewers)]
        tasks = [
            asyncio.create_task(viewer.follow(await stack.enter_async_context(Connection(studio, number))))
            for number, viewer in enumerate(watching)
        ]
        await asyncio.gather(*(viewer.following.wait() for viewer in watching))
        trainings = [
            _train(client, ids[f"run-{number}"], _bodies(number, steps, dice), sent, number / TRAININGS / HERTZ)
            for number, client in enumerate(clients)
        ]
        began, cpu_s = time.perf_counter(), studio.cpu_s
        answers = await asyncio.gather(*trainings)
        cores = (studio.cpu_s - cpu_s) / (time.perf_counter() - began)
        resident_mb = studio.resident_mb
        await asyncio.sleep(1.0)  # what is still on its way
        for task in tasks:
            task.cancel()
    return Seen(
        [seen_s for viewer in watching for seen_s in viewer.seen_s],
        [answer_s for some in answers for answer_s in some],
        cores,
        resident_mb,
        sum(viewer.resets for viewer in watching),
        sum(viewer.newest.get(number, -1) < steps - 1 for viewer in watching for number in ids.values()),
    )


def _bodies(number: int, steps: int, dice: random.Random) -> list[bytes]:
    return [data_body(f"run-{number}", step, 1, SERIES, dice) for step in range(steps)]


async def _train(
    client: Connection, experiment: int, bodies: list[bytes], sent: dict[tuple[int, int], float], delay_s: float
) -> list[float]:
    """Post steps at their time; give how long each answer took."""
    answers = []
    began = time.perf_counter() + delay_s
    for step, body in enumerate(bodies):
        await asyncio.sleep(max(began + step / HERTZ - time.perf_counter(), 0))
        sent[experiment, step] = at_s = time.perf_counter()
        await client.post(body)
        answers.append(time.perf_counter() - at_s)
    return answers


def seen_once(viewers: int, length_s: float) -> Seen:
    """Watch a Studio of its own."""
    with scratch() as folder, running(folder / "data", max(viewers, TRAININGS)) as studio:
        return asyncio.run(watch(studio, viewers, length_s))


def measure(options: Options, report: Report) -> None:
    length_s = QUICK_LENGTH_S if options.quick else LENGTH_S
    found = interleave(
        {f"{viewers} viewers": lambda viewers=viewers: seen_once(viewers, length_s) for viewers in (0, 20, VIEWERS)},  # type: ignore[misc]
        1 if options.quick else min(options.rounds, 3),
    )
    rows = [
        (
            name,
            *(
                figure([quantile(seen.seen_s, share) * 1e3 for seen in rounds]) if rounds[0].seen_s else None
                for share in (0.5, 0.99)
            ),
            *(figure([quantile(seen.answers_s, share) * 1e3 for seen in rounds]) for share in (0.5, 0.99)),
            figure([seen.cores for seen in rounds]),
            figure([seen.resident_mb for seen in rounds]),
        )
        for name, rounds in found.items()
    ]
    columns = ("", "seen ms", "p99", "answer ms", "p99 ", "cores", "resident MB")
    report.table(f"{TRAININGS} trainings at {HERTZ:g} Hz", columns, rows)
    all_of_them = found[f"{VIEWERS} viewers"]
    report.at_most("p99 seen, ms", max(quantile(seen.seen_s, 0.99) for seen in all_of_them) * 1e3, SEEN_BOUND_MS)
    report.at_most("cores", max(seen.cores for seen in all_of_them), LOAD_BOUND)
    report.at_most("viewers that were told to start afresh", sum(seen.resets for seen in all_of_them), 0)
    report.at_most("last steps that a viewer missed", sum(seen.unseen for seen in all_of_them), 0)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())

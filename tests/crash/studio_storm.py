"""A storm: every planned body posted one to five times, shuffled, by two tokens over several connections."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from studio_oracle import check_kept, check_whole
from studio_plan import Post
from studio_stage import RunningStudio, eventually, studio_environment, token_for

STUDIO_ROUNDS: Final = int(os.environ.get("LIVESTREAM_CRASH_ROUNDS", "1"))
CONNECTIONS: Final = 6
RESEND_S: Final = 5.0
"""Who posts a stock start again does so within this time; a Studio takes one that comes later for a new session's."""
PATIENCE_S: Final = 10.0
"""How long a client waits for an answer, and how long a test waits for progress is `BOUND_S`."""
BOUND_S: Final = 60.0


class Storm:
    """Posts what is planned, again and again until all of it was answered with 200.

    Attributes:
        answered: Numbers of the posts that were answered 200 at least once.
        statuses: What came back; 0 is no answer.
        may_go: Cleared to hold the clients back.
    """

    def __init__(self, posts: list[Post], dice: random.Random, most: int = 5) -> None:
        self.answered: set[int] = set()
        self.statuses: Counter[int] = Counter()
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.patience_s = PATIENCE_S
        self._dice = dice
        self._copies = {post.number: dice.randint(0, most - 1) for post in posts}
        self._loose = [post for post in posts if not post.lane for _ in range(self._copies[post.number] + 1)]
        self._lanes = {lane: _turns(posts, lane) for lane in {post.lane for post in posts} - {""}}
        self._under_way: Counter[int] = Counter()
        self._first_s: dict[int, float] = {}

    async def run(self, url: str, tokens: list[str]) -> None:
        """Post everything; ends when every body and every copy of it was answered."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS * 2)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(self._work(session, url, tokens[number % len(tokens)]))

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self._under_way.total()

    async def pause(self) -> None:
        """Hold the clients back, and wait for what is under way."""
        self.may_go.clear()
        await eventually(lambda: self.idle, BOUND_S)

    def resume(self) -> None:
        """Let them go on."""
        self.may_go.set()

    # -- clients

    async def _work(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        while self._loose or self._lanes or not self.idle:
            await self.may_go.wait()
            post = self._pick()
            if post is None:
                await asyncio.sleep(0.005)
                continue
            self._under_way[post.number] += 1
            try:
                status, wait_s = await self._post(session, url, token, post)
            finally:
                self._under_way[post.number] -= 1
            self.statuses[status] += 1
            if status == 200:
                self._note(post)
                continue
            assert status in {0, 429, 503}, f"body {post.number} was answered {status}"
            if not post.lane or post.number in self.answered:
                self._loose.append(post)
            await asyncio.sleep(min(wait_s, 0.2) * self._dice.random())

    def _pick(self) -> Post | None:
        """Choose the next post: any that is loose, or the next of a writer that no other client is sending."""
        dice = self._dice
        heads = [post for turns in self._lanes.values() for post in turns[0] if not self._under_way[post.number]]
        if heads and (not self._loose or dice.random() < 0.5):
            post = dice.choice(heads)
            if self._copies[post.number] and dice.random() < 0.2:
                self._copies[post.number] -= 1
                self._loose.append(post)  # somebody else sends the same at the same time
            return post
        if not self._loose:
            return None
        place = dice.randrange(len(self._loose))
        self._loose[place], self._loose[-1] = self._loose[-1], self._loose[place]
        post = self._loose.pop()
        first_s = self._first_s.setdefault(post.number, time.monotonic())
        is_late = post.number in self.answered and time.monotonic() - first_s > RESEND_S
        return None if post.is_stock_start and is_late else post

    async def _post(self, session: aiohttp.ClientSession, url: str, token: str, post: Post) -> tuple[int, float]:
        headers = post.headers | {"Authorization": f"token {token}", "Content-Type": "application/json"}
        payload = post.payload
        if self._dice.random() < 0.3:
            payload, headers["Content-Encoding"] = gzip.compress(payload, 1), "gzip"
        data = _chunks(payload) if self._dice.random() < 0.5 else io.BytesIO(payload)
        try:
            async with asyncio.timeout(self.patience_s):
                async with session.post(f"{url}/api/live", data=data, headers=headers) as answer:
                    return answer.status, float(answer.headers.get("Retry-After", "1"))
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, 1.0

    def _note(self, post: Post) -> None:
        is_first = post.number not in self.answered
        self.answered.add(post.number)
        if not post.lane or not is_first:
            return
        self._loose += [post] * self._copies[post.number]
        turns = self._lanes[post.lane]
        turns[0].remove(post)
        if not turns[0]:
            turns.popleft()
        if not turns:
            del self._lanes[post.lane]


async def _chunks(payload: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(payload), 65_536):
        yield payload[start : start + 65_536]


def _turns(posts: Iterable[Post], lane: str) -> deque[list[Post]]:
    turns: dict[int, list[Post]] = {}
    for post in posts:
        if post.lane == lane:
            turns.setdefault(post.turn, []).append(post)
    return deque(turns[turn] for turn in sorted(turns))


class Siege:
    """A Studio in a process of its own, and a storm on it."""

    def __init__(self, studio: RunningStudio, posts: list[Post], dice: random.Random, most: int = 5) -> None:
        self.studio = studio
        self.data = studio.data
        self.posts = posts
        self.dice = dice
        self.storm = Storm(posts, dice, most)
        self.kills = 0
        self.tokens: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self, tokens: list[str]) -> None:
        """Let the storm break loose."""
        self.tokens = tokens
        self._task = asyncio.create_task(self.storm.run(self.studio.url, tokens))

    async def stop(self) -> None:
        """End it wherever it is."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def running(self) -> bool:
        """Whether anything is left to be answered."""
        return self._task is not None and not self._task.done()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something, or the storm's end."""
        await eventually(lambda: holds() or not self.running, BOUND_S)

    async def more(self, count: int) -> None:
        """Wait until so many more bodies were answered."""
        goal = len(self.storm.answered) + count
        await self.until(lambda: len(self.storm.answered) >= goal)

    async def kill(self) -> None:
        """Kill the Studio as a power cut would, all but the disk, and start it again."""
        await asyncio.to_thread(self.studio.kill)
        self.kills += 1
        await asyncio.to_thread(self.studio.start)

    async def restart(self) -> None:
        """End the Studio as `systemctl restart` does: no client that it has begun with goes without its answer."""
        said = await asyncio.to_thread(self.studio.stop)
        assert (self.studio.process.returncode, "Traceback" in said) == (0, False), said
        await asyncio.to_thread(self.studio.start)

    async def rest(self) -> None:
        """Hold the storm back until all that is logged is applied."""
        await self.storm.pause()
        await drained(self.data)

    async def check(self) -> None:
        """What was answered is there, at a moment of rest."""
        await self.rest()
        check_kept(self.data, self.posts, self.storm.answered)
        check_whole(self.data)
        self.storm.resume()

    async def end(self) -> None:
        """Let the storm blow itself out."""
        assert self._task is not None
        async with asyncio.timeout(BOUND_S * 2):
            await self._task
        assert self.storm.answered == {post.number for post in self.posts}
        await drained(self.data)


@asynccontextmanager
async def siege(
    data: Path, posts: list[Post], dice: random.Random, most: int = 5, tokens: list[str] | None = None
) -> AsyncIterator[Siege]:
    """Start a Studio on a folder, and a storm on it; both end with the context. ``tokens``: those that are there."""
    with RunningStudio(data) as studio:
        made = Siege(studio, posts, dice, most)
        made.begin(tokens or [token_for(data, name) for name in ("one", "two")])
        try:
            yield made
        finally:
            print(f"{made.kills} kills, answers {dict(made.storm.statuses)}, logged: {list(map(str, logged(data)))}")
            await made.stop()


async def drained(data: Path) -> None:
    """Wait until all that is logged is applied."""
    await eventually(lambda: not logged(data), BOUND_S)


def logged(data: Path) -> list[Path]:
    """Bodies that are safe and not applied yet."""
    return [path for path in (data / "ingest").iterdir() if path.suffix == ".body"]


def launch_backup(data: Path, target: Path) -> subprocess.Popen[str]:
    """Begin `livestream studio backup`."""
    command = [sys.executable, "-m", "livestream", "studio", "backup", str(target), "--data", str(data)]
    environ = studio_environment(data.parent)
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

"""One attached repository and what is known of it.

A folder is read in place: its references are compared with those of the last look, and only when one has moved is the
history read again, in one call. Its remote is asked for the experiments pushed there, without fetching anything.
A URL has a bare clone without file contents (``--filter=blob:none``), which is ours alone: locks that a killed git
left in it are removed before the next fetch.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from livestream.errors import ConfigError
from livestream.git import local_url, read_git, strip_credentials
from livestream.studio.git_tree.git import Git, GitError
from livestream.studio.git_tree.graph import (
    COMMIT_FORMAT,
    REFERENCE_FORMAT,
    Experiments,
    Graph,
    build,
    experiments_of,
    parse_references,
    parse_remote_references,
    parse_worktrees,
)
from livestream.studio.git_tree.remote import Remote, parse_remote
from livestream.studio.git_tree.values import SourceState
from livestream.studio.repositories import normalise, project_name

MAX_COMMITS: Final = 20_000
"""The newest are known, by date; experiments are rarely started from older ones."""
MAX_REFERENCES: Final = 50_000
READ_TIMEOUT_S: Final = 60.0
ASK_TIMEOUT_S: Final = 30.0
FETCH_TIMEOUT_S: Final = 600.0
FIRST_FETCH_TIMEOUT_S: Final = 6 * 3600.0
"""A big repository's history over a slow line; http.lowSpeedTime ends what does not move at all."""
MAX_WAIT_S: Final = 900.0
LEAST_WAIT_S: Final = 2.0
"""Between two calls of a remote, however often somebody asks for one."""
_REFSPECS: Final = ("+refs/heads/*:refs/heads/*", "+refs/exps/*:refs/exps/*")
_ABOUT: Final = {"read": "", "fetch": "", "remote": "its remote cannot be asked for experiments: "}
_log = logging.getLogger("livestream.studio.git_tree")


class Source:
    """One attached repository. All attributes may be read at any time; only its own tasks change them.

    Attributes:
        graph: What is known; replaced as a whole.
        remote_experiments: Of the remote of a folder.
        cloned: It is a URL.
        folder: Where git is run: the user's, or the clone.
        first_read: Set when the first look is over, well or not.
    """

    def __init__(self, shown: str, git: Git, folder: Path, clock_us: Callable[[], int], host: str) -> None:
        self.graph = Graph()
        self.remote_experiments: Experiments = {}
        self.cloned = False
        self.first_read = asyncio.Event()
        self._shown = shown
        self._git = git
        self.folder = folder
        self._clock_us = clock_us
        self._host = host
        self._remote: Remote | None = None
        self._repositories: tuple[str, ...] = ()
        self._seen: tuple[bytes, bytes] | None = None
        self._read_us: int | None = None
        self._fetched = False
        self._problems: dict[str, str] = {}
        self._look_wanted = asyncio.Event()
        self._fetch_wanted = asyncio.Event()

    @classmethod
    def broken(cls, shown: str, problem: str, git: Git, clock_us: Callable[[], int]) -> Source:
        """One that can never be read, kept so that people are told."""
        source = cls(shown, git, Path("/"), clock_us, "")
        source._problems["source"] = problem
        source._repositories = (normalise(shown),)
        source.first_read.set()
        _log.warning("livestream.studio_git_source_refused", extra={"source": shown, "problem": problem})
        return source

    @classmethod
    def clone(cls, url: str, git: Git, folder: Path, clock_us: Callable[[], int], host: str) -> Source:
        """A URL, with its clone in ``folder``.

        Raises:
            ConfigError: Nothing can be fetched from it.
        """
        remote = parse_remote(url)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", project_name(url)).strip("-.")[:60]
        digest = hashlib.sha256(normalise(url).encode(errors="replace")).hexdigest()[:12]
        source = cls(strip_credentials(url), git, folder / f"{name}-{digest}.git", clock_us, host)
        source.cloned = True
        source._remote = remote
        source._repositories = (normalise(url),)
        return source

    def serves(self, repository: str) -> bool:
        """Whether a repository, in its normal form, is this one; a project may lie in a folder of a local one."""
        return any(
            repository == known or (known.startswith("local://") and repository.startswith(f"{known}/"))
            for known in self._repositories
        )

    def state(self) -> SourceState:
        """How it is doing."""
        return SourceState(
            source=self._shown,
            repositories=self._repositories,
            problem=next(iter(self._problems.values()), None),
            read_us=self._read_us,
            commits=len(self.graph.commits),
        )

    def nudge(self) -> None:
        """Look again now, at the remote too."""
        self._look_wanted.set()
        self._fetch_wanted.set()

    async def keep(self, look_s: float, fetch_s: float) -> None:
        """Stay up to date until cancelled."""
        if "source" in self._problems:
            return
        if self.cloned:
            await self._keep_fetching(self._update_clone, "fetch", fetch_s)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_looking(look_s))
            group.create_task(self._keep_fetching(self._ask_remote, "remote", fetch_s))

    async def _keep_looking(self, look_s: float) -> None:
        while True:
            await self._attempt("read", self._look)
            await _wait(self._look_wanted, look_s)

    async def _keep_fetching(self, fetch: Callable[[], Awaitable[None]], about: str, fetch_s: float) -> None:
        failures = 0
        if not self.cloned:
            await self.first_read.wait()
        while True:
            failures = 0 if await self._attempt(about, fetch) else failures + 1
            least_s = min(LEAST_WAIT_S, fetch_s)
            await asyncio.sleep(least_s)
            wait_s = min(fetch_s * 2 ** min(failures, 10), max(MAX_WAIT_S, fetch_s))
            await _wait(self._fetch_wanted, wait_s - least_s)

    async def _attempt(self, about: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something that may fail; remember and log why, once for each reason."""
        try:
            await work()
        except (GitError, OSError, ConfigError) as error:
            problem = f"{_ABOUT[about]}{error}"
            if self._problems.get(about) != problem:
                extra = {"source": self._shown, "about": about, "problem": problem}
                _log.warning("livestream.studio_git_failed", extra=extra)
            self._problems[about] = problem
            return False
        else:
            self._problems.pop(about, None)
            return True
        finally:
            self.first_read.set()

    async def _look(self) -> None:
        """Read the references, and the history if one of them has moved."""
        which = (f"--format={REFERENCE_FORMAT}", f"--count={MAX_REFERENCES}", "refs/heads", "refs/remotes", "refs/exps")
        listed = await self._git.read(self.folder, "for-each-ref", *which, timeout_s=READ_TIMEOUT_S)
        worktrees = await self._git.read(self.folder, "worktree", "list", "--porcelain", timeout_s=READ_TIMEOUT_S)
        seen = (listed.text, worktrees.text)
        if seen != self._seen:
            references = parse_references(listed.text)
            folders, heads = parse_worktrees(worktrees.text)
            starts = dict.fromkeys([*heads, *(reference.sha for reference in references)])
            commits = await self._history(list(starts))
            self.graph = await asyncio.to_thread(build, references, commits, bare=self.cloned)
            self._seen = seen
            if not self.cloned:
                self._identify(folders)
        self._read_us = self._clock_us()

    async def _history(self, starts: list[str]) -> bytes:
        if not starts:
            return b""
        options = ("--stdin", "--ignore-missing", "--date-order", f"--max-count={MAX_COMMITS}", "--encoding=UTF-8")
        shas = "".join(f"{sha}\n" for sha in starts).encode()
        command = ("rev-list", *options, f"--format={COMMIT_FORMAT}")
        return (await self._git.read(self.folder, *command, timeout_s=READ_TIMEOUT_S, feed=shas)).text

    def _identify(self, worktrees: list[str]) -> None:
        """Learn under which names experiments of this folder come."""
        info = read_git(self.folder, {})
        urls = [info.remote_url] if info and info.remote_url else []
        if info:
            urls += [*info.remotes.values(), local_url(self._host, info.root), str(info.root)]
        for folder in worktrees:
            urls += [local_url(self._host, Path(folder)), folder]
        self._repositories = tuple(dict.fromkeys(normal for normal in map(normalise, urls) if normal))

    async def _ask_remote(self) -> None:
        """List the experiments on the remote of a folder."""
        info = read_git(self.folder, {})
        chosen = info.remote_url if info else None
        names = [name for name, url in info.remotes.items() if url == chosen] if info else []
        if info is None or not names:
            self.remote_experiments = {}
            return
        key = f"remote.{names[0]}.url"
        url = await self._git.read(self.folder, "config", "--get", key, timeout_s=READ_TIMEOUT_S)
        remote = parse_remote(url.text.decode(errors="replace").rstrip("\n"))
        answer = await self._git.reach(
            info.root, "ls-remote", "--", remote.url, "refs/exps/*", timeout_s=ASK_TIMEOUT_S, settings=remote.settings
        )
        self.remote_experiments = experiments_of(parse_remote_references(answer.text)[0])

    async def _update_clone(self) -> None:
        """Bring the clone up to date and read it; what is there from before is read first, so that it shows at once."""
        remote = self._remote
        if remote is None:
            return
        folder = str(self.folder)
        make = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--", folder)
        await self._git.read(self.folder.parent, *make, timeout_s=READ_TIMEOUT_S)
        await asyncio.to_thread(_remove_locks, self.folder)
        if self._read_us is None:
            await self._look()
        await self._git.read(self.folder, "config", "remote.origin.url", remote.url, timeout_s=READ_TIMEOUT_S)
        options = ("--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "origin")
        timeout_s = FETCH_TIMEOUT_S if self.graph.commits else FIRST_FETCH_TIMEOUT_S
        await self._git.reach(self.folder, "fetch", *options, *_REFSPECS, timeout_s=timeout_s, settings=remote.settings)
        before = self._seen
        await self._look()
        if self._seen != before or not self._fetched:
            await self._follow_head(remote)
        self._fetched = True

    async def _follow_head(self, remote: Remote) -> None:
        """Make the clone's HEAD the remote's: the default branch."""
        answer = await self._git.reach(
            self.folder, "ls-remote", "--symref", "origin", "HEAD", timeout_s=ASK_TIMEOUT_S, settings=remote.settings
        )
        head = parse_remote_references(answer.text)[1]
        if head.startswith("refs/heads/"):
            await self._git.read(self.folder, "symbolic-ref", "HEAD", head, timeout_s=READ_TIMEOUT_S)
            await self._look()


def open_source(name: str, git: Git, clones: Path, host: str, clock_us: Callable[[], int]) -> Source:
    """Attach a path or a URL.

    Raises:
        ConfigError: It is neither.
    """
    if "://" in name or (re.match(r"[^/]*:", name) and not Path(name).is_dir()):
        return Source.clone(name, git, clones, clock_us, host)
    try:
        folder = Path(name).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"repository {name!r}: {error}") from error
    return Source(str(folder), git, folder, clock_us, host)


async def _wait(wanted: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(timeout_s, 0)):
            await wanted.wait()
    wanted.clear()


def _remove_locks(folder: Path) -> None:
    """Take away locks of a git process that was killed; nobody else works in this clone, and none of ours runs now."""
    for place in (folder.glob("*.lock"), (folder / "refs").rglob("*.lock"), (folder / "objects").rglob("*.lock")):
        for lock in place:
            lock.unlink(missing_ok=True)

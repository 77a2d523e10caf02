"""Every attached repository, kept up to date in the background; questions are answered from memory, at once."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from livestream.errors import ConfigError
from livestream.files import private_folder
from livestream.git import strip_credentials
from livestream.studio.clock import now_us
from livestream.studio.git_tree.git import Git
from livestream.studio.git_tree.graph import Experiments
from livestream.studio.git_tree.source import Source, open_source
from livestream.studio.git_tree.values import Branch, Commit, SourceState
from livestream.studio.repositories import normalise

FIRST_READ_S: Final = 5.0
"""A start waits this long for the repositories that are folders."""

_normal = functools.lru_cache(maxsize=4096)(normalise)  # a page of the table asks for one commit a row


class GitTree:
    """The repositories given with ``--repo``: folders are read in place and never written, URLs are cloned bare.

    Nothing of it is needed for a Studio to work: without a repository, or with a broken one, experiments are shown
    under their baseline's digits, and ``sources()`` tells why. Questions may come from any thread: what is known of a
    repository is replaced as a whole.
    """

    def __init__(
        self,
        data: Path,
        sources: Sequence[str] = (),
        *,
        environ: Mapping[str, str] | None = None,
        host: str | None = None,
        clock_us: Callable[[], int] = now_us,
        look_s: float = 5.0,
        fetch_s: float = 60.0,
    ) -> None:
        """Prepare; nothing is read before `start`.

        Args:
            data: The Studio's data folder; clones go into ``repositories`` there.
            sources: Paths and URLs.
            environ: Of the process.
            host: This machine's name, as ``local://<host>/...`` has it.
            clock_us: Microseconds since the epoch.
            look_s: How often the references on disk are compared with what is known.
            fetch_s: How often remotes are asked; longer while they fail.
        """
        self._folder = data / "repositories"
        self._names = tuple(dict.fromkeys(sources))
        self._git = Git(os.environ if environ is None else environ)
        self._host = socket.gethostname() if host is None else host
        self._clock_us = clock_us
        self._look_s = look_s
        self._fetch_s = fetch_s
        self._sources: list[Source] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Attach everything. What cannot be read now is tried again later, and told by `sources`."""
        for name in self._names:
            try:
                source = open_source(name, self._git, private_folder(self._folder), self._host, self._clock_us)
            except ConfigError as error:
                source = Source.broken(strip_credentials(name), str(error), self._git, self._clock_us)
            if not (source.cloned and any(known.cloned and known.folder == source.folder for known in self._sources)):
                self._sources.append(source)
        self._tasks = [asyncio.create_task(source.keep(self._look_s, self._fetch_s)) for source in self._sources]
        local = [asyncio.create_task(source.first_read.wait()) for source in self._sources if not source.cloned]
        if local:
            _, late = await asyncio.wait(local, timeout=FIRST_READ_S)
            for task in late:
                task.cancel()

    async def stop(self) -> None:
        """End every git process and forget nothing that is on disk."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    def refresh(self, repository: str) -> None:
        """Look at a repository again now, remote included; returns before it is done."""
        for source in self._of(repository):
            source.nudge()

    def knows(self, repository: str) -> bool:
        """Whether a repository (in its normal form) is attached."""
        return any(True for _ in self._of(repository))

    def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit; None if the repository is not attached or has no such commit on any branch or experiment."""
        for source in self._of(repository):
            found = source.graph.commits.get(sha)
            if found is not None:
                return found
        return None

    def branches(self, repository: str) -> list[Branch]:
        """All branches: the default one first, then by their newest commit."""
        return list(next((source.graph.branches for source in self._of(repository) if source.graph.branches), ()))

    def experiment_refs(self, repository: str) -> Experiments:
        """Commits of experiments that were pushed, or are in the clone, by (baseline, name)."""
        found: Experiments = {}
        for source in self._of(repository):
            found = {**source.remote_experiments, **source.graph.experiments, **found}
        return found

    def sources(self) -> list[SourceState]:
        """How every attached repository is doing, in the order of attachment."""
        return [source.state() for source in self._sources]

    def source(self, repository: str) -> SourceState | None:
        """How one of them is doing."""
        return next((source.state() for source in self._of(repository)), None)

    def _of(self, repository: str) -> Iterator[Source]:
        if not self._sources:
            return iter(())
        normal = _normal(repository)
        return (source for source in self._sources if source.serves(normal))

"""Real repositories, made by the git binary."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "Ada@Example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class Repository:
    """A working clone under a folder; times of commits rise by a minute each."""

    def __init__(self, folder: Path, *, bare: bool = False) -> None:
        self.folder = folder
        self.time_s = 1_700_000_000
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *(["--bare"] if bare else []))

    def git(self, *arguments: str, feed: bytes = b"", environ: Mapping[str, str] | None = None) -> str:
        """Run git; its answer without the last newline."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        answer = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**kept, **IDENTITY, **(environ or {})},
            input=feed,
            capture_output=True,
            check=False,
        )
        assert answer.returncode == 0, (arguments, answer.stderr)
        return answer.stdout.decode(errors="replace").rstrip("\n")

    def commit(self, message: str, *, author: str = "Ada") -> str:
        """Commit nothing but a message; give its digits."""
        self.time_s += 60
        when = f"{self.time_s} +0000"
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_NAME": author}
        self.git(
            "commit",
            "--quiet",
            "--allow-empty",
            "--allow-empty-message",
            "-F",
            "-",
            feed=message.encode(),
            environ=dates,
        )
        return self.git("rev-parse", "HEAD")

    def experiment(self, baseline: str, name: str) -> str:
        """Make an experiment's commit and its reference as DVC does, outside of any branch."""
        self.time_s += 60
        when = f"{self.time_s} +0000"
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        tree = self.git("rev-parse", f"{baseline}^{{tree}}")
        revision = self.git("commit-tree", tree, "-p", baseline, "-m", f"dvc: commit experiment {name}", environ=dates)
        self.git("update-ref", experiment_reference(baseline, name), revision)
        return revision

    def many_commits(self, count: int) -> None:
        """Add commits to main quickly."""
        lines = []
        for number in range(count):
            lines.append(
                f"commit refs/heads/main\nmark :{number + 1}\ncommitter Ada <ada@example.org> "
                f"{self.time_s + number * 60} +0000\ndata <<END\ncommit {number}\nEND\n"
            )
            if number:
                lines.append(f"from :{number}\n")
        self.time_s += count * 60
        self.git("fast-import", "--quiet", feed="".join(lines).encode())


def experiment_reference(baseline: str, name: str) -> str:
    return f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"


async def until(met: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Poll until something holds."""
    async with asyncio.timeout(timeout_s):
        while not met():  # noqa: ASYNC110 - what is waited for is in other processes
            await asyncio.sleep(0.02)

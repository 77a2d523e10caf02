"""What the rest of the Studio sees of Git."""

from __future__ import annotations

import msgspec


class Commit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One commit, as far as a table shows it.

    Attributes:
        sha: 40 hex digits.
        short: The first 7 of them.
        subject: First paragraph of the message in one line, without characters that do not print; at most 300.
        author: Name of the author, treated likewise; at most 100.
        email_hash: sha256 (hex) of the author's address in lower case, as avatar services take it.
        time_s: When it was committed, seconds since the epoch.
        parents: More than one for a merge.
        branches: Those that contain it: the nearest first, then in the order of `GitTree.branches`; at most 20.
    """

    sha: str
    short: str
    subject: str
    author: str
    email_hash: str
    time_s: int
    parents: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()


class Branch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A branch.

    Attributes:
        name: ``main``; ``origin/main`` where a clone's remote is elsewhere than the branch itself.
        head: Its newest commit.
        default: The repository's main branch; at most one is.
        merged: All its commits are in the default branch.
        commits: What belongs to it, newest first: every known commit is listed in one branch only, in the default
            branch if it is there, else in the nearest.
    """

    name: str
    head: str
    default: bool = False
    merged: bool = False
    commits: tuple[str, ...] = ()


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How an attached repository is doing.

    Attributes:
        source: The path or URL as it was attached, without credentials.
        repositories: Normal forms under which it is known.
        problem: Why it could not be read or fetched the last time; None if it could.
        read_us: When its references were last looked at; None: never.
        commits: How many are known.
    """

    source: str
    repositories: tuple[str, ...] = ()
    problem: str | None = None
    read_us: int | None = None
    commits: int = 0

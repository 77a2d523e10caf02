"""What git printed, as commits, branches and experiments. Pure functions of bytes.

``git rev-list --topo-order`` prints children before their parents, so that one pass carries down, from commit to
parents, which branches contain each (a set, as the bits of a number) and how near the nearest one is.
Texts of commits are whatever somebody typed: they are cut, and what does not print is replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from livestream.studio.git_tree.values import Branch, Commit

REFERENCE_FORMAT: Final = "%(objectname)%00%(HEAD)%00%(symref)%00%(refname)"
"""For ``git for-each-ref``: a line a reference."""
COMMIT_FORMAT: Final = "%x00%P%x00%ct%x00%ae%x00%an%x00%s%x00"
"""For ``git rev-list``, which puts a line ``commit <sha>`` before each: neither field can hold a NUL."""
MAX_SUBJECT: Final = 300
MAX_AUTHOR: Final = 100
MAX_BRANCHES: Final = 1_000
MAX_NAMED: Final = 20
"""Branches named at a commit."""
_FIELDS: Final = 6
_MAX_TIME_DIGITS: Final = 12
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_EXPERIMENT: Final = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/\x00-\x20\x7f]+)")

Experiments = dict[tuple[str, str], str]
"""(baseline commit, name) to the experiment's own commit."""


class Reference(msgspec.Struct, frozen=True):
    """One reference. ``current``: HEAD is on it; ``target``: the reference it stands for."""

    name: str
    sha: str
    current: bool = False
    target: str = ""


class Graph(msgspec.Struct, frozen=True):
    """All that is known of one repository. Branches: the default one first, then by their newest commit."""

    commits: dict[str, Commit] = {}
    branches: tuple[Branch, ...] = ()
    experiments: Experiments = {}


def parse_references(output: bytes) -> list[Reference]:
    """Read what ``git for-each-ref --format=REFERENCE_FORMAT`` printed."""
    rows = (line.split("\0") for line in output.decode(errors="replace").split("\n"))
    return [
        Reference(name=row[3], sha=row[0], current=row[1] == "*", target=row[2])
        for row in rows
        if len(row) == 4 and _SHA.fullmatch(row[0])
    ]


def parse_remote_references(output: bytes) -> tuple[list[Reference], str]:
    """Read what ``git ls-remote --symref`` printed: references, and the one that HEAD stands for (or "")."""
    references: list[Reference] = []
    head = ""
    for line in output.decode(errors="replace").split("\n"):
        left, _, name = line.partition("\t")
        if left.startswith("ref: ") and name == "HEAD":
            head = left.removeprefix("ref: ")
        elif _SHA.fullmatch(left):
            references.append(Reference(name=name, sha=left))
    return references, head


def parse_worktrees(output: bytes) -> tuple[list[str], list[str]]:
    """Read what ``git worktree list --porcelain`` printed: folders, and the commits checked out there."""
    lines = output.decode(errors="surrogateescape").split("\n")
    folders = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
    heads = [line.removeprefix("HEAD ") for line in lines if line.startswith("HEAD ")]
    return folders, [head for head in heads if _SHA.fullmatch(head) and head.strip("0")]


def split_experiment(reference: str) -> tuple[str, str] | None:
    """Baseline and name of ``refs/exps/<2>/<38>/<name>``; None for any other reference."""
    match = _EXPERIMENT.fullmatch(reference)
    return (match[1] + match[2], match[3]) if match else None


def experiments_of(references: Sequence[Reference]) -> Experiments:
    """The experiments among references."""
    named = ((split_experiment(reference.name), reference.sha) for reference in references)
    return {key: sha for key, sha in named if key is not None}


def build(references: Sequence[Reference], commits: bytes, *, bare: bool) -> Graph:
    """Put a repository together.

    Args:
        references: All that matter, in any order.
        commits: Output of ``git rev-list --topo-order --format=COMMIT_FORMAT``, newest first; it may be cut.
        bare: A clone of ours, whose HEAD is the remote's: the default branch. In a working clone it is whatever is
            checked out.
    """
    raw = {commit.sha: commit for commit in _parse_commits(commits)}
    heads = _heads(references, raw)
    default = _default(references, heads, bare=bare)
    ordered = sorted(heads, key=lambda name: (name != default, -_time(raw, heads[name]), name))[:MAX_BRANCHES]
    masks, homes = _carry_down(raw, [heads[name] for name in ordered], has_default=default is not None)
    named = {sha: _names(masks[sha], homes[sha][1], ordered) for sha in raw}
    return Graph(
        commits={
            sha: msgspec.structs.replace(commit, branches=named[sha]) if named[sha] else commit
            for sha, commit in raw.items()
        },
        branches=_branches(ordered, heads, default, masks, homes),
        experiments=experiments_of(references),
    )


def _parse_commits(output: bytes) -> Iterator[Commit]:
    fields = output.split(b"\0")
    for start in range(0, len(fields) - _FIELDS, _FIELDS):
        first, parents, time, address, author, subject = fields[start : start + _FIELDS]
        sha = first.decode("ascii", errors="replace").strip().rpartition(" ")[2]
        if not _SHA.fullmatch(sha):
            return  # 64 digits, in a repository of SHA-256: the wire has no room for them
        yield Commit(
            sha=sha,
            short=sha[:7],
            subject=_clean(subject, MAX_SUBJECT),
            author=_clean(author, MAX_AUTHOR),
            email_hash=hashlib.sha256(address.strip().lower()).hexdigest(),
            time_s=int(time) if time.isdigit() and len(time) <= _MAX_TIME_DIGITS else 0,
            parents=tuple(parents.decode("ascii", errors="replace").split()),
        )


def _clean(text: bytes, most: int) -> str:
    """Cut a text, and replace what could steer a terminal or turn a line around."""
    decoded = text[: most * 4].decode(errors="replace")[:most]
    if decoded.isprintable():
        return decoded
    return "".join(character if character.isprintable() else "\ufffd" for character in decoded)


def _heads(references: Sequence[Reference], known: Mapping[str, Commit]) -> dict[str, str]:
    """Branch names to commits: local ones, and those of remotes that are elsewhere or not here at all."""
    local, remote = "refs/heads/", "refs/remotes/"
    there = [reference for reference in references if reference.sha in known and not reference.target]
    heads = {
        reference.name.removeprefix(local): reference.sha for reference in there if reference.name.startswith(local)
    }
    for reference in there:
        if reference.name.startswith(remote):
            name = reference.name.removeprefix(remote)
            if heads.get(name.partition("/")[2]) != reference.sha:
                heads.setdefault(name, reference.sha)
    return heads


def _default(references: Sequence[Reference], heads: Mapping[str, str], *, bare: bool) -> str | None:
    """The main branch: what the remote's HEAD says, else one of the usual names, else what is checked out."""
    targets = [ref.target.removeprefix("refs/remotes/") for ref in references if ref.name == "refs/remotes/origin/HEAD"]
    current = [ref.name.removeprefix("refs/heads/") for ref in references if ref.current]
    told = [name for target in targets for name in (target.partition("/")[2], target)]
    wanted = [*told, *(current if bare else []), "main", "master", *current, *sorted(heads)]
    return next((name for name in wanted if name in heads), None)


def _time(commits: Mapping[str, Commit], sha: str) -> int:
    return commits[sha].time_s


def _carry_down(
    commits: Mapping[str, Commit], heads: Sequence[str], *, has_default: bool
) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """For each commit the set of branches that contain it, and (home, nearest) as indices of ``heads``; -1: none."""
    far = len(commits) + 1
    masks = dict.fromkeys(commits, 0)
    nearest: dict[str, tuple[int, int]] = dict.fromkeys(commits, (far, -1))
    for index, sha in enumerate(heads):
        masks[sha] |= 1 << index
        nearest[sha] = min(nearest[sha], (0, index))
    for sha, commit in commits.items():
        mask, (distance, index) = masks[sha], nearest[sha]
        if not mask:
            continue
        for parent in commit.parents:
            if parent in masks:
                masks[parent] |= mask
                nearest[parent] = min(nearest[parent], (distance + 1, index))
    homes = {sha: (0 if has_default and masks[sha] & 1 else index, index) for sha, (_, index) in nearest.items()}
    return masks, homes


def _names(mask: int, nearest: int, ordered: Sequence[str]) -> tuple[str, ...]:
    if not mask:
        return ()
    names = [ordered[nearest]]
    rest = mask & ~(1 << nearest)
    while rest and len(names) < MAX_NAMED:
        lowest = rest & -rest
        names.append(ordered[lowest.bit_length() - 1])
        rest ^= lowest
    return tuple(names)


def _branches(
    ordered: Sequence[str],
    heads: Mapping[str, str],
    default: str | None,
    masks: Mapping[str, int],
    homes: Mapping[str, tuple[int, int]],
) -> tuple[Branch, ...]:
    own: list[list[str]] = [[] for _ in ordered]
    for sha, (home, _) in homes.items():
        if home >= 0:
            own[home].append(sha)
    return tuple(
        Branch(
            name=name,
            head=heads[name],
            default=name == default,
            merged=name != default and default is not None and bool(masks[heads[name]] & 1),
            commits=tuple(own[index]),
        )
        for index, name in enumerate(ordered)
    )

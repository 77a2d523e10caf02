"""A project's experiments in their Git history: branches, commits upon them, and the experiments started from those.

A commit stands in one branch only (`git_tree.values.Branch.commits`). Where a baseline is on no branch, because it was
never pushed, was rewritten, or the repository is not attached, its experiments stand under ``detached``: nothing is
ever invisible for want of a commit. Experiments that Git knows by a reference ``refs/exps/...`` are matched with those
that were streamed, by baseline and name, or by the commit that their ``done`` told (they may have been renamed).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from livestream.studio.git_tree.graph import Experiments
from livestream.studio.git_tree.tree import GitTree
from livestream.studio.git_tree.values import Branch
from livestream.studio.http.shown import commit_view, seconds_or_none
from livestream.studio.http.views import CommitView, Time
from livestream.studio.store.base import Brief, Project, Reader, Scope


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it: so many commits of each branch, and so many branches, beside those with experiments."""

    commits: int
    branches: int


class PlacedView(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment that was streamed; ``rev`` is its commit, if it has one, and ``pushed`` whether Git has it."""

    id: int
    name: str
    rev: str | None
    pushed: bool


class ReferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment that only Git knows."""

    name: str
    rev: str


class PlaceView(msgspec.Struct, frozen=True, kw_only=True):
    """A baseline and what was started from it; ``commit`` is null where Git does not know it.

    Attributes:
        experiments: Newest first.
        references: Experiments in Git that were never streamed here, by name.
    """

    baseline_sha: str
    commit: CommitView | None
    experiments: list[PlacedView]
    references: list[ReferenceView]


class BranchView(msgspec.Struct, frozen=True, kw_only=True):
    """A branch with its own commits, newest first.

    Attributes:
        merged: All its commits are in the default branch, and listed there.
        more: Commits of its own that are left out.
    """

    name: str
    head: str
    default: bool
    merged: bool
    commits: list[PlaceView]
    more: int


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A project's history.

    Attributes:
        attached: The repository is known (``--repo``); without it all stands under ``detached``.
        problem: Why it could not be read or fetched the last time.
        read: When it was last looked at.
        detached: Baselines on no branch, those with the newest experiments first.
        branches: The default one first, then by their newest commit.
        more: Branches that are left out; none with experiments is.
    """

    attached: bool
    problem: str | None
    read: Time | None
    detached: list[PlaceView]
    branches: list[BranchView]
    more: int


def history(reader: Reader, tree: GitTree, project: Project, wanted: Wanted) -> HistoryView:
    """Put experiments and Git together; belongs to a reader's thread."""
    repository = project.repository
    source = tree.source(repository)
    places = _places(reader.briefs(Scope(repository=repository, subdir=project.subdir)), tree, repository)
    known = tree.branches(repository)
    homed = {sha for branch in known for sha in branch.commits if sha in places}
    shown = [
        branch
        for index, branch in enumerate(known)
        if index < wanted.branches or any(sha in places for sha in branch.commits)
    ]
    return HistoryView(
        attached=source is not None,
        problem=source.problem if source else None,
        read=seconds_or_none(source.read_us) if source else None,
        detached=[place for sha, place in places.items() if sha not in homed],
        branches=[_branch(branch, places, tree, repository, wanted.commits) for branch in shown],
        more=len(known) - len(shown),
    )


def _places(briefs: list[Brief], tree: GitTree, repository: str) -> dict[str, PlaceView]:
    """Baselines with anything upon them: those of the newest experiments first."""
    references = tree.experiment_refs(repository)
    revisions = frozenset(references.values())
    streamed: dict[str, list[PlacedView]] = {}
    taken: set[tuple[str, str]] = set()
    for brief in briefs:
        placed = _placed(brief, references, revisions)
        streamed.setdefault(brief.identity.baseline_sha, []).append(placed)
        taken.add((brief.identity.baseline_sha, brief.identity.name))
    told = {brief.facts.experiment_rev for brief in briefs}
    only_git: dict[str, list[ReferenceView]] = {}
    for key, rev in sorted(references.items()):
        if key not in taken and rev not in told:
            only_git.setdefault(key[0], []).append(ReferenceView(name=key[1], rev=rev))
    return {
        sha: _place(sha, tree, repository, streamed.get(sha, []), only_git.get(sha, []))
        for sha in dict.fromkeys([*streamed, *only_git])
    }


def _placed(brief: Brief, references: Experiments, revisions: frozenset[str]) -> PlacedView:
    rev = brief.facts.experiment_rev
    in_git = references.get((brief.identity.baseline_sha, brief.identity.name))
    return PlacedView(
        id=brief.id,
        name=brief.identity.name,
        rev=in_git or rev,
        pushed=in_git is not None or rev in revisions or bool(brief.facts.references),
    )


def _place(
    sha: str, tree: GitTree, repository: str, experiments: list[PlacedView], references: list[ReferenceView]
) -> PlaceView:
    commit = tree.commit(repository, sha)
    return PlaceView(
        baseline_sha=sha,
        commit=commit_view(commit) if commit else None,
        experiments=experiments,
        references=references,
    )


def _branch(branch: Branch, places: Mapping[str, PlaceView], tree: GitTree, repository: str, most: int) -> BranchView:
    listed = [sha for index, sha in enumerate(branch.commits) if index < most or sha in places]
    return BranchView(
        name=branch.name,
        head=branch.head,
        default=branch.default,
        merged=branch.merged,
        commits=[places.get(sha) or _place(sha, tree, repository, [], []) for sha in listed],
        more=len(branch.commits) - len(listed),
    )

"""Choosing the experiments of a page, and making the page: what runs in a reader's thread, off the event loop.

A list is made in two readings. The first looks at every experiment in scope but only at its facts and the leaves that
conditions and sorts name (`choose`); the second fetches the dictionaries of the page alone, which are spliced into the
answer as they are stored. An experiment that changes in between is shown as it is then; none is shown twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from livestream.studio import query
from livestream.studio.experiment import Facts
from livestream.studio.git_tree.values import Commit
from livestream.studio.held import field_held
from livestream.studio.http.problems import ProblemError
from livestream.studio.http.shown import commit_view, experiment_view, seconds
from livestream.studio.http.views import ExperimentPage, ExperimentView
from livestream.studio.query import Condition, FieldKey, Held, Key, LeafKey, Sort
from livestream.studio.settings import StatusBounds
from livestream.studio.status import LIVE, Status, StatusKind, delivery, derive
from livestream.studio.store.base import Brief, ExperimentRow, KeyPath, Reader, Scope
from livestream.studio.update import Identity

T = TypeVar("T")

MAX_KEY_PATHS: Final = 400
"""Leaves read an experiment for one request. A key without a file asks once a file."""


class Moment(msgspec.Struct, frozen=True):
    """When experiments are looked at, and what is known of them beside the store. Safe to ask from any thread.

    Attributes:
        applying: Whether a large update is in and not yet shown, by repository, commit and name.
        commit: A commit by repository and sha; None of one that is not known.
    """

    now_us: int
    bounds: StatusBounds
    applying: Callable[[str, str, str], bool]
    commit: Callable[[str, str], Commit | None]

    def status(self, identity: Identity, facts: Facts) -> Status:
        """How a run is doing."""
        applying = self.applying(identity.repository, identity.baseline_sha, identity.name)
        return derive(facts, self.now_us, self.bounds, applying=applying)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which experiments, in which order, which page of them.

    Attributes:
        project: Only this project's; ``allowed`` likewise, for the sake of the token.
        live: Only those that are expected to speak again, or only the others.
        text: Stands in the name, message, commit, repository or folder; case does not count.
    """

    scope: Scope
    project: int | None = None
    allowed: int | None = None
    statuses: frozenset[StatusKind] = frozenset()
    live: bool | None = None
    text: str = ""
    conditions: tuple[Condition, ...] = ()
    sorts: tuple[Sort, ...] = ()
    limit: int = 100
    offset: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether all that is in scope is wanted, in the order in which the store gives it."""
        return not (self.statuses or self.live is not None or self.text or self.conditions or self.sorts)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The experiments of a page; ``change`` is the newest change that they surely show."""

    ids: list[int]
    total: int
    change: int


# -- who may see what


def seen(reader: Reader, experiment: int, allowed: int | None) -> ExperimentRow:
    """Read one experiment, deleted ones too.

    Raises:
        ProblemError: 404: there is none, or the token's project does not show it.
    """
    for row in reader.rows([experiment]):
        if allowed is None:
            return row
        for project in reader.projects():
            if project.id == allowed and project.shows(row.identity.repository, row.subdir):
                return row
    raise ProblemError(404, f"experiment: none has the id {experiment}")


def is_seen(reader: Reader, experiment: int, allowed: int) -> bool:
    """Whether there is an experiment that a project shows."""
    try:
        seen(reader, experiment, allowed)
    except ProblemError:
        return False
    return True


def visible(reader: Reader, experiments: Sequence[int], allowed: int | None) -> list[int]:
    """Give those of some experiments that a caller may see, each once, in their order; deleted ones are among them."""
    wanted = tuple(dict.fromkeys(experiments))
    if allowed is None or not wanted:
        return list(wanted)
    for project in reader.projects():
        if project.id == allowed:
            scope = Scope(repository=project.repository, subdir=project.subdir, ids=wanted)
            shown = {*reader.ids(scope), *reader.ids(msgspec.structs.replace(scope, deleted=True))}
            return [one for one in wanted if one in shown]
    return []


# -- choosing


def choose(reader: Reader, search: Search, moment: Moment) -> Chosen:
    """Find what a search means.

    Raises:
        ProblemError: 404 of a project that is not there, 400 of a key that is looked for in too many files.
    """
    change = reader.last_change()
    scope = _scope(reader, search)
    if scope is None:
        return Chosen(ids=[], total=0, change=change)
    if search.is_plain:
        everything = reader.ids(scope)
        return Chosen(ids=_cut(everything, search), total=len(everything), change=change)
    briefs = _briefs(reader, scope, search)
    found = [brief for brief in briefs.all if _is_wanted(brief, briefs, search, moment)]
    if search.sorts:
        keys = [sort.key for sort in search.sorts]
        found = query.sort_by(found, search.sorts, lambda brief, at: briefs.first(brief, keys[at], moment))
    return Chosen(ids=[brief.id for brief in _cut(found, search)], total=len(found), change=change)


def _cut(found: Sequence[T], search: Search) -> list[T]:
    return list(found[search.offset : search.offset + search.limit])


def _scope(reader: Reader, search: Search) -> Scope | None:
    """Give the scope of the project that must show an experiment; None: the token's project is no more."""
    number = search.project if search.project is not None else search.allowed
    if number is None:
        return search.scope
    if search.allowed not in {None, number}:
        raise ProblemError(404, f"project: none has the id {number}")
    for project in reader.projects():
        if project.id == number:
            return msgspec.structs.replace(search.scope, repository=project.repository, subdir=project.subdir)
    if search.project is None:
        return None
    raise ProblemError(404, f"project: none has the id {number}")


class _Briefs:
    """Briefs, with the place of every leaf among their ``keys``."""

    def __init__(self, briefs: list[Brief], places: Mapping[LeafKey, range]) -> None:
        self.all = briefs
        self._places = places

    def held(self, brief: Brief, key: Key, moment: Moment) -> Sequence[Held]:
        """What an experiment holds under a key."""
        if isinstance(key, FieldKey):
            return field_held(brief, key.field, moment.status)
        return [next((value for value in (brief.keys[at] for at in self._places[key]) if value is not None), None)]

    def first(self, brief: Brief, key: Key, moment: Moment) -> Held:
        """The first of them."""
        return next(iter(self.held(brief, key, moment)), None)


def _briefs(reader: Reader, scope: Scope, search: Search) -> _Briefs:
    """Read the briefs, with the leaves that the search names; one without a file is read from every file there is."""
    keys = [condition.key for condition in search.conditions] + [sort.key for sort in search.sorts]
    leaves = list(dict.fromkeys(key for key in keys if isinstance(key, LeafKey)))
    if not leaves:
        return _Briefs(reader.briefs(scope), {})
    metrics, params = _files(reader.briefs(scope)) if any(key.file is None for key in leaves) else ([], [])
    paths: list[KeyPath] = []
    places: dict[LeafKey, range] = {}
    for key in leaves:
        files = [key.file] if key.file is not None else metrics if key.group == "metrics" else params
        places[key] = range(len(paths), len(paths) + len(files))
        paths += [KeyPath(key.group, file, key.names) for file in files]
        if len(paths) > MAX_KEY_PATHS:
            raise ProblemError(400, f"query: keys in {len(files)} files; name one: {key.group}[FILE].{key.names[0]}")
    return _Briefs(reader.briefs(scope, paths), places)


def _files(briefs: Sequence[Brief]) -> tuple[list[str], list[str]]:
    """All metrics files and all params files, by name."""
    metrics: set[str] = set()
    params: set[str] = set()
    for brief in briefs:
        metrics.update(brief.facts.metric_ranks)
        params.update(brief.facts.param_ranks)
    return sorted(metrics), sorted(params)


def _is_wanted(brief: Brief, briefs: _Briefs, search: Search, moment: Moment) -> bool:
    if search.text and not _has_text(brief, search.text.casefold()):
        return False
    if search.statuses or search.live is not None:
        kind = moment.status(brief.identity, brief.facts).kind
        if (search.statuses and kind not in search.statuses) or search.live not in {None, kind in LIVE}:
            return False
    return all(query.holds(condition, briefs.held(brief, condition.key, moment)) for condition in search.conditions)


def _has_text(brief: Brief, text: str) -> bool:
    identity = brief.identity
    places = (identity.name, brief.facts.message or "", identity.baseline_sha, identity.repository, brief.subdir)
    return any(text in place.casefold() for place in places)


# -- showing


def page(reader: Reader, search: Search, moment: Moment) -> bytes:
    """Make the answer to a search: JSON.

    Raises:
        ProblemError: As `choose`.
    """
    chosen = choose(reader, search, moment)
    projects = _Projects(reader, search.allowed)
    answer = ExperimentPage(
        experiments=[_show(row, moment, projects) for row in reader.rows(chosen.ids)],
        total=chosen.total,
        offset=search.offset,
        limit=search.limit,
        change=chosen.change,
        now=seconds(moment.now_us),
    )
    return msgspec.json.encode(answer)


def one(reader: Reader, experiment: int, allowed: int | None, moment: Moment) -> bytes:
    """Make the answer of one experiment: JSON.

    Raises:
        ProblemError: 404.
    """
    row = seen(reader, experiment, allowed)
    return msgspec.json.encode(_show(row, moment, _Projects(reader, allowed)))


def _show(row: ExperimentRow, moment: Moment, projects: _Projects) -> ExperimentView:
    identity = row.identity
    commit = moment.commit(identity.repository, identity.baseline_sha)
    return experiment_view(
        row,
        moment.status(identity, row.facts),
        delivery(row.facts),
        None if commit is None else commit_view(commit),
        projects.of(identity.repository, row.subdir),
    )


class _Projects:
    """Which projects show an experiment; from a token for one project the others are hidden."""

    def __init__(self, reader: Reader, allowed: int | None) -> None:
        self._projects = [project for project in reader.projects() if allowed in {None, project.id}]
        self._known: dict[tuple[str, str], list[int]] = {}

    def of(self, repository: str, subdir: str) -> list[int]:
        """Give their ids."""
        found = self._known.get((repository, subdir))
        if found is None:
            found = [project.id for project in self._projects if project.shows(repository, subdir)]
            self._known[repository, subdir] = found
        return found

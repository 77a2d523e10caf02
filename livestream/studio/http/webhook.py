"""What DVC tells after ``dvc exp push`` and ``dvc exp remove``: which references of experiments came or went."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.git import strip_credentials
from livestream.studio.git_tree.graph import split_experiment
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.projects import find_project, page_url, visible
from livestream.studio.http.routes import Route, body_of
from livestream.studio.http.writing import written
from livestream.studio.repositories import normalise, project_name
from livestream.studio.store.base import Project, Reader, Scope
from livestream.studio.store.errors import ProjectExistsError

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_REFERENCES: Final = 10_000

References = Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=MAX_REFERENCES)]


class Refs(msgspec.Struct, frozen=True, kw_only=True):
    """References ``refs/exps/<2>/<38>/<name>``."""

    pushed: References = []
    removed: References = []


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """The body, as DVC sends it; what else it may hold is passed over."""

    repo_url: Annotated[str, Meta(min_length=1, max_length=1_000)]
    refs: Refs
    client: str = ""


class Noted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``url``: the page that DVC shows its user; left out where no project shows the repository."""

    url: str | None = None


async def note_references(request: web.Request) -> web.Response:
    """Note them at their experiments, and look at the repository anew."""
    services = services_of(request)
    told = await body_of(request, Notification, MAX_BODY_BYTES)
    repository = normalise(told.repo_url)
    if not repository or not told.repo_url.isprintable():
        raise ProblemError(400, "body.repo_url: no repository's URL")
    _check("pushed", told.refs.pushed)
    _check("removed", told.refs.removed)
    allowed = caller_of(request).project
    projects = await services.readers.ask(lambda reader: visible(reader, allowed))
    project = find_project(projects, repository)
    if allowed is not None and project is None:
        raise ProblemError(403, "body.repo_url: this token is for another project")
    now_us = services.clock_us()
    refs = told.refs
    if allowed is not None and project is not None and project.subdir:
        refs = await services.readers.ask(partial(_mine, project=project, refs=refs))
    pushed, removed = refs.pushed, refs.removed
    await written(services, lambda writer: writer.note_references(repository, pushed, removed, now_us))
    services.tree.refresh(repository)
    if project is None and services.tree.knows(repository):
        project = await _project_of(services, told.repo_url, now_us)
    return json_response(Noted(url=page_url(request, project.id) if project else None))


def _check(field: str, references: list[str]) -> None:
    for index, reference in enumerate(references):
        if split_experiment(reference) is None:
            raise ProblemError(400, f"body.refs.{field}[{index}]: no reference of an experiment (refs/exps/...)")


def _mine(reader: Reader, project: Project, refs: Refs) -> Refs:
    """Keep those of experiments that a project over a folder shows: its token changes no others."""
    named = {reference: split_experiment(reference) for reference in (*refs.pushed, *refs.removed)}
    baselines = tuple({name[0] for name in named.values() if name is not None})
    scope = Scope(repository=project.repository, subdir=project.subdir, baseline_shas=baselines)
    known = {
        (brief.identity.baseline_sha, brief.identity.name)
        for is_deleted in (False, True)
        for brief in reader.briefs(msgspec.structs.replace(scope, deleted=is_deleted))
    }
    mine = {reference for reference, name in named.items() if name in known}
    return Refs(
        pushed=[reference for reference in refs.pushed if reference in mine],
        removed=[reference for reference in refs.removed if reference in mine],
    )


async def _project_of(services: Services, repo_url: str, now_us: int) -> Project | None:
    """Make the project of an attached repository, whose first news this is."""
    wanted = Project(
        id=0,
        name=project_name(repo_url),
        repository=normalise(repo_url),
        repo_url=strip_credentials(repo_url),
        created_us=now_us,
    )
    try:
        return await written(services, lambda writer: writer.add_project(wanted))
    except ProjectExistsError:  # an experiment of it came this moment
        projects = await services.readers.ask(lambda reader: reader.projects())
        return find_project(projects, wanted.repository)


ROUTES: Final = (
    Route(
        method="POST",
        path="/webhook/dvc",
        handler=note_references,
        summary="As DVC calls it after `dvc exp push` and `dvc exp remove`: references that came or went.",
        scope="ingest",
        body=Notification,
        answer=Noted,
    ),
)

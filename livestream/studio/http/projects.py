"""Projects: views of one repository or a folder of it, with the Git history that its experiments stand in.

Every repository has a project by itself as soon as an experiment of it comes; more can be made over the same one, for
example one a folder. An experiment is in all projects that show it (`repositories.shows`). Beside our own routes stand
two that public clients call: ``create-project`` and ``view-links``, in the shapes that those expect.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.git import strip_credentials
from livestream.studio.http.addresses import base_url, root_of
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.history import HistoryView, Wanted, history
from livestream.studio.http.problems import ProblemError, encoded_response, json_response
from livestream.studio.http.routes import Route, body_of, id_of, query_of
from livestream.studio.http.security import see_other
from livestream.studio.http.shown import seconds
from livestream.studio.http.views import Time
from livestream.studio.http.writing import written
from livestream.studio.repositories import normalise, normalise_subdir, project_name
from livestream.studio.store.base import Project, Reader, Scope
from livestream.studio.store.errors import ProjectExistsError

MAX_TEXT: Final = 1_000
MAX_COMMITS_ASKED: Final = 2_000

Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class ProjectView(msgspec.Struct, frozen=True, kw_only=True):
    """A project.

    Attributes:
        repository: Normal form of ``repo_url``; two spellings of one repository have one.
        subdir: Only this folder; "" is all of it.
        automatic: It came with the first experiment.
        attached: The repository's history is known (``--repo``).
        problem: Why it could not be read or fetched the last time; null where it could, or is not attached.
    """

    id: int
    name: str
    repository: str
    repo_url: str
    subdir: str
    automatic: bool
    created: Time
    attached: bool
    problem: str | None


class ProjectList(msgspec.Struct, frozen=True, kw_only=True):
    """All projects that the caller may see, by name."""

    projects: list[ProjectView]


class NewProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to be made; without a name it is called after its repository and folder."""

    repo_url: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    name: Annotated[str, Meta(max_length=200)] = ""
    subdir: Text = ""


class StockProject(msgspec.Struct, frozen=True, kw_only=True):
    """As clients of the hosted Studio send it; ``public`` and ``team_name`` mean nothing here."""

    repo_url: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    name: Annotated[str, Meta(max_length=200)] | None = None
    subdir: Text | None = None
    public: bool | None = None
    team_name: Text | None = None


class StockProjectView(msgspec.Struct, frozen=True, kw_only=True):
    """A project as that client knows it; ``url`` is its page."""

    id: int
    url: str
    name: str


class StockProjects(msgspec.Struct, frozen=True, kw_only=True):
    """What was made; one."""

    projects: list[StockProjectView]


class DeletedProject(msgspec.Struct, frozen=True, kw_only=True):
    """``deleted``: its id."""

    deleted: int


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a history; what has experiments always comes."""

    commits: Annotated[int, Meta(ge=0, le=1_000, description="The newest so many of each branch.")] = 30
    branches: Annotated[int, Meta(ge=0, le=1_000, description="The first so many branches.")] = 50


class ViewLinksQuery(msgspec.Struct, frozen=True, kw_only=True):
    """As the VS Code extension asks."""

    git_remote_url: Text
    commits: Annotated[tuple[Text, ...], Meta(max_length=MAX_COMMITS_ASKED)] = ()


class LiveLink(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment that is not done."""

    baseline_sha: str
    name: str


class ViewLinks(msgspec.Struct, frozen=True, kw_only=True):
    """What of the commits asked for can be seen here.

    Attributes:
        live: Experiments on them that are not done.
        pushed: Those of them that are in the repository, and commits of experiments pushed upon them.
        view_url: The project's page.
    """

    live: list[LiveLink]
    pushed: list[str]
    view_url: str


class Nothing(msgspec.Struct, frozen=True):
    """A query without parameters."""


# -- handlers


async def list_projects(request: web.Request) -> web.Response:
    """List projects."""
    query_of(request, Nothing)
    services, allowed = services_of(request), caller_of(request).project
    projects = await services.readers.ask(lambda reader: visible(reader, allowed))
    return json_response(ProjectList(projects=[_view(services, project) for project in projects]))


async def create_project(request: web.Request) -> web.Response:
    """Make a project."""
    wanted = await body_of(request, NewProject)
    project, is_new = await _make(request, wanted.repo_url, wanted.name, wanted.subdir)
    if not is_new:
        folder = f" and folder {project.subdir!r}" if project.subdir else ""
        raise ProblemError(409, f"body: project {project.id} ({project.name!r}) has this repository{folder} already")
    return json_response(_view(services_of(request), project))


async def create_stock_project(request: web.Request) -> web.Response:
    """Make a project, or find it: a client that tries again must not fail."""
    wanted = await body_of(request, StockProject)
    project, _ = await _make(request, wanted.repo_url, wanted.name or "", wanted.subdir or "")
    shown = StockProjectView(id=project.id, url=page_url(request, project.id), name=project.name)
    return json_response(StockProjects(projects=[shown]))


async def delete_project(request: web.Request) -> web.Response:
    """Forget a project."""
    query_of(request, Nothing)
    services, project = services_of(request), await _visible_project(request)
    if not await written(services, lambda writer: writer.drop_project(project.id)):
        raise _no_project(project.id)
    return json_response(DeletedProject(deleted=project.id))


async def get_history(request: web.Request) -> web.Response:
    """Answer the tree of branches, commits and experiments."""
    services, asked = services_of(request), query_of(request, HistoryQuery)
    project = await _visible_project(request)
    wanted = Wanted(commits=asked.commits, branches=asked.branches)
    content = await services.readers.ask(
        lambda reader: msgspec.json.encode(history(reader, services.tree, project, wanted))
    )
    return encoded_response(content)


async def get_view_links(request: web.Request) -> web.Response:
    """Tell which commits and experiments can be seen here."""
    services, asked = services_of(request), query_of(request, ViewLinksQuery)
    allowed = caller_of(request).project
    found = await services.readers.ask(lambda reader: _links(reader, services, asked, allowed))
    if found is None:
        raise ProblemError(404, "query.git_remote_url: no project has this repository")
    project, live, pushed = found
    return json_response(ViewLinks(live=live, pushed=pushed, view_url=page_url(request, project.id)))


async def open_page(request: web.Request) -> web.Response:
    """Send a browser to the page that shows a project; clients append queries of their own to its address."""
    project = await _visible_project(request)
    given = request.rel_url.raw_query_string  # still escaped: a line break must not get into a header
    return see_other(f"{root_of(request)}?project={project.id}{'&' * bool(given)}{given}")


# -- inside


def visible(reader: Reader, allowed: int | None) -> list[Project]:
    """The projects that a caller may see, by name; ``allowed``: the only one, None: all."""
    return [project for project in reader.projects() if allowed in {None, project.id}]


def find_project(projects: list[Project], repository: str) -> Project | None:
    """The project of a repository: the one over all of it, else the oldest."""
    there = [project for project in projects if project.repository == repository]
    return min(there, key=lambda project: (project.subdir != "", project.id), default=None)


def page_url(request: web.Request, project: int) -> str:
    """The address of a project's page, for people."""
    return f"{base_url(request)}/projects/{project}"


async def _visible_project(request: web.Request) -> Project:
    wanted, allowed = id_of(request), caller_of(request).project
    projects = await services_of(request).readers.ask(lambda reader: visible(reader, allowed))
    project = next((project for project in projects if project.id == wanted), None)
    if project is None:
        raise _no_project(wanted)
    return project


def _no_project(project: int) -> ProblemError:
    return ProblemError(404, f"project: there is none with the id {project}")


async def _make(request: web.Request, repo_url: str, name: str, subdir: str) -> tuple[Project, bool]:
    """Make a project, or find the one that is there; whether it is new."""
    services = services_of(request)
    wanted = _checked(repo_url, name, subdir, services.clock_us())
    try:
        made: Project = await written(services, lambda writer: writer.add_project(wanted))
    except ProjectExistsError:
        projects = await services.readers.ask(lambda reader: reader.projects())
    else:
        return made, True
    same = (wanted.repository, wanted.subdir)
    found = next((project for project in projects if (project.repository, project.subdir) == same), None)
    if found is None:
        raise ProblemError(503, "its project was deleted this moment; try again", {"Retry-After": "1"})
    return found, False


def _checked(repo_url: str, name: str, subdir: str, now_us: int) -> Project:
    repository, folder = normalise(repo_url), normalise_subdir(subdir)
    for field, text in (("repo_url", repo_url), ("name", name), ("subdir", subdir)):
        if not text.isprintable():
            raise ProblemError(400, f"body.{field}: holds characters that do not print")
    if not repository or repository.endswith("/"):
        raise ProblemError(400, "body.repo_url: no repository's URL; accepted: https://host/owner/name, git@host:path")
    if ".." in folder.split("/"):
        raise ProblemError(400, "body.subdir: leads out of the repository")
    called = name.strip() or (f"{project_name(repo_url)}/{folder}" if folder else project_name(repo_url))
    return Project(
        id=0,
        name=called,
        repository=repository,
        repo_url=strip_credentials(repo_url),
        subdir=folder,
        automatic=False,
        created_us=now_us,
    )


def _view(services: Services, project: Project) -> ProjectView:
    source = services.tree.source(project.repository)
    return ProjectView(
        id=project.id,
        name=project.name,
        repository=project.repository,
        repo_url=project.repo_url,
        subdir=project.subdir,
        automatic=project.automatic,
        created=seconds(project.created_us),
        attached=source is not None,
        problem=source.problem if source else None,
    )


def _links(
    reader: Reader, services: Services, asked: ViewLinksQuery, allowed: int | None
) -> tuple[Project, list[LiveLink], list[str]] | None:
    project = find_project(visible(reader, allowed), normalise(asked.git_remote_url))
    if project is None:
        return None
    shas = {sha.lower() for sha in asked.commits}
    briefs = reader.briefs(Scope(repository=project.repository, subdir=project.subdir))
    there = [brief for brief in briefs if brief.identity.baseline_sha in shas]
    live = [
        LiveLink(baseline_sha=brief.identity.baseline_sha, name=brief.identity.name)
        for brief in there
        if brief.facts.done_us is None
    ]
    references = services.tree.experiment_refs(project.repository)
    pushed = {sha for sha in shas if services.tree.commit(project.repository, sha) is not None}
    pushed |= {rev for (baseline, _), rev in references.items() if baseline in shas or rev in shas}
    for brief in briefs:
        rev = brief.facts.experiment_rev
        if rev is not None and brief.facts.references and (brief.identity.baseline_sha in shas or rev in shas):
            pushed.add(rev)
    return project, live, sorted(pushed)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/projects",
        handler=list_projects,
        summary="List projects.",
        answer=ProjectList,
    ),
    Route(
        method="POST",
        path="/api/projects",
        handler=create_project,
        summary="Make a project over a repository, or over a folder of it.",
        scope="admin",
        body=NewProject,
        answer=ProjectView,
        problems={409: "There is one over this repository and folder."},
    ),
    Route(
        method="DELETE",
        path="/api/projects/{id}",
        handler=delete_project,
        summary="Delete a project; its experiments stay.",
        scope="admin",
        answer=DeletedProject,
    ),
    Route(
        method="GET",
        path="/api/projects/{id}/commits",
        handler=get_history,
        summary="The Git history of a project: branches, their commits, and the experiments started from them.",
        query=HistoryQuery,
        answer=HistoryView,
    ),
    Route(
        method="POST",
        path="/api/create-project",
        handler=create_stock_project,
        summary="As the hosted Studio's: make a project, or find the one that is there.",
        scope="admin",
        body=StockProject,
        answer=StockProjects,
    ),
    Route(
        method="GET",
        path="/api/view-links",
        handler=get_view_links,
        summary="As the VS Code extension asks: which commits and experiments can be seen here.",
        query=ViewLinksQuery,
        answer=ViewLinks,
        problems={404: "No project has this repository."},
    ),
    Route(
        method="GET",
        path="/projects/{id}",
        handler=open_page,
        summary="The page of a project.",
        listed=False,
    ),
)

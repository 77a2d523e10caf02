from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from security_cases import CHANGING, ENDLESS, IRIS, READING, Run, add_marked, everything, filled, sent_by
from studio_stage import SHA, Client, OpenStudio, body, open_studio, token_for

from livestream.events import Json
from livestream.studio.app import ROUTES
from livestream.studio.http.routes import Route

SCOPES = ("ingest", "read", "admin")
OTHER = "https://github.com/octo/other.git"
SHELL = "/experiments/{id}"
"""A page of the application, which is the same document whatever the number: it asks the read API."""


class Place(msgspec.Struct, frozen=True):
    """A Studio with a run in the project that a token is limited to, and runs that are none of its business."""

    studio: OpenStudio
    limited: Client
    mine: Run
    foreign: tuple[Run, ...]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_studio(tmp_path / "data") as studio:
        mine = await add_marked(studio, "mine0", subdir="a")
        folder = await add_marked(studio, "theirs1", subdir="b")
        elsewhere = await add_marked(studio, "theirs2", OTHER)
        token = token_for(tmp_path / "data", "limited", "ingest", "read", project=mine.project)
        yield Place(studio, studio.with_token(token), mine, (folder, elsewhere))


async def ask(client: Client, route: Route, path: str, **more: Json) -> tuple[int, str]:
    headers = client.headers | more.pop("headers", {})
    url = client.url + path
    async with client.session.request(route.method, url, headers=headers, allow_redirects=False, **more) as answer:
        if path.startswith(ENDLESS) and answer.status == 200:
            return answer.status, (await answer.content.readany()).decode()
        return answer.status, (await answer.read()).decode(errors="replace")


async def test_a_route_wants_its_scope_of_everybody(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        clients = {scope: studio.with_token(token_for(tmp_path / "data", scope, scope)) for scope in SCOPES}
        for route in ROUTES:
            path = filled(route, {"id": 1, "series": 1})
            status, text = await ask(studio.with_token(None), route, path)
            if route.scope is None:
                assert status not in {401, 403}
                continue
            assert status == 401, text
            assert "livestream token create" in text
            for scope in {"ingest", "read"} - {route.scope}:
                status, text = await ask(clients[scope], route, path)
                assert (status, f"this needs {route.scope}" in text) == (403, True), (route.path, scope, text)


async def test_a_token_of_one_project_reads_nothing_else_on_any_route(place: Place) -> None:
    words = [*(run.mark for run in place.foreign), "octo/other"]
    for route in READING:
        if route.scope != "read":
            continue
        for run in (place.mine, *place.foreign):
            path = filled(route, run.places(route.path))
            queries = {"git_remote_url": OTHER, "commits": SHA} if "view-links" in path else {}
            status, text = await ask(place.limited, route, path, params=queries)
            assert status < 500, (path, text)
            assert not [word for word in words if word in text], (path, text)
            if "{" in route.path and route.path != SHELL and run is not place.mine and "/plots/content" not in path:
                assert status == 404, (path, status, text)
    for query in (f"project={run.project}" for run in place.foreign):
        assert (await place.limited("GET", f"/api/experiments?{query}"))[0] == 404
    for run in place.foreign:
        for query in (f"id={run.experiment}", f"name={run.mark}", f"q={run.mark}", f"filter=name={run.mark}"):
            assert (await place.limited.get(f"/api/experiments?{query}"))["total"] == 0, query
    assert (await place.limited.get("/api/experiments"))["total"] == 1


async def test_what_is_not_there_and_what_is_not_shown_look_the_same(place: Place) -> None:
    for foreign in place.foreign:
        for route in READING:
            if "{id}" not in route.path or route.scope != "read" or route.path.endswith("/content"):
                continue
            if route.path == SHELL:
                continue
            told = []
            for places in (foreign.places(route.path), {"id": 999_999, "series": 999_999}):
                status, text = await ask(place.limited, route, filled(route, places))
                told.append((status, text.replace(str(places["id"]), "N").replace(str(places["series"]), "N")))
            assert told[0] == told[1], route.path


async def test_a_token_of_one_project_changes_nothing_else_on_any_route(place: Place) -> None:
    before = await everything(place.studio.client)
    for route in CHANGING:
        if route.scope is None:
            continue
        for run in place.foreign:
            repo_url = OTHER if run.mark == "theirs2" else IRIS
            hostile = sent_by(run.mark, repo_url) | {"message": "taken over"}
            bodies: list[Json] = [hostile, hostile | {"subdir": "a"}, hostile | {"subdir": ""}]
            bodies += [body(kind, run.mark, repo_url=repo_url, subdir="a") for kind in ("start", "done")]
            if route.path == "/api/live/beats":
                bodies = [{"beats": [{"repo_url": repo_url, "baseline_sha": SHA, "name": run.mark, "writer": "w"}]}]
            if route.path == "/webhook/dvc":
                reference = f"refs/exps/{SHA[:2]}/{SHA[2:]}/{run.mark}"
                bodies = [{"repo_url": repo_url, "refs": {"pushed": [reference]}}]
            for sent in bodies:
                status, text = await ask(place.limited, route, filled(route, run.places(route.path)), json=sent)
                is_own_repository = route.path == "/webhook/dvc" and repo_url == IRIS
                assert status == (200 if is_own_repository else 403), (route.path, sent, status, text)
    after = await everything(place.studio.client)
    assert after == before


async def test_a_token_of_one_project_works_within_it(place: Place) -> None:
    await place.limited.post(sent_by("mine0", IRIS, step=2))
    await place.limited.post(sent_by("new", IRIS, subdir="a"))
    reference = f"refs/exps/{SHA[:2]}/{SHA[2:]}/mine0"
    told = {"repo_url": IRIS, "refs": {"pushed": [reference]}}
    assert (await place.limited("POST", "/webhook/dvc", json=told))[0] == 200

    assert (await place.limited.get(f"/api/experiments/{place.mine.experiment}"))["references"] == [reference]
    shown = await place.limited.get("/api/experiments")
    assert {one["name"] for one in shown["experiments"]} == {"mine0", "new"}


async def test_streams_of_a_token_of_one_project_are_silent_about_others(place: Place) -> None:
    url = f"{place.limited.url}/api/feed?since=0"
    async with place.limited.session.get(url, headers=place.limited.headers) as feed, asyncio.timeout(20):
        streamed = await feed.content.readuntil(b"\n\n")
        for run in place.foreign:
            await place.studio.client.post(sent_by(run.mark, OTHER if run.mark == "theirs2" else IRIS, step=5))
        await place.studio.client.post(body(step=1, name="moving") | {"repo_url": IRIS})
        while b"event: change" not in streamed:
            streamed += await feed.content.readuntil(b"\n\n")
        await place.studio.client.post(body("start", "moving", subdir="b") | {"repo_url": IRIS})
        await place.studio.client.post(
            body(step=2, name="moving", metrics={"m.json": {"data": {"theirs": 1}}}) | {"repo_url": IRIS}
        )
        await place.studio.client.post(sent_by("mine0", IRIS, step=77))
        while b'"step":77' not in streamed:
            streamed += await feed.content.readany()
    polled = await place.limited.get("/api/changes", since="0")

    assert b"theirs" not in streamed
    assert place.mine.experiment in {change["experiment"] for change in polled["changes"]}
    assert not {change["experiment"] for change in polled["changes"]} & {run.experiment for run in place.foreign}


async def test_a_token_outlives_its_project_and_opens_no_later_one(place: Place) -> None:
    last = max(run.project for run in place.foreign)
    token = token_for(place.studio.services.settings.data, "of the last", "ingest", "read", project=last)
    client = place.studio.with_token(token)
    assert (await client.get("/api/experiments"))["total"] == 1
    assert (await place.studio.client("DELETE", f"/api/projects/{last}"))[0] == 200
    await add_marked(place.studio, "later", "https://github.com/octo/later.git")

    assert (await client.get("/api/experiments"))["total"] == 0
    assert (await client.get("/api/projects"))["projects"] == []
    assert (await client("POST", "/api/live", json=sent_by("later", "https://github.com/octo/later.git")))[0] == 403


async def test_who_signed_in_with_a_token_of_one_project_sees_no_more(place: Place) -> None:
    keeper = place.studio.services.keeper
    _, secret = keeper.create("page", ("read",), place.mine.project)
    session = keeper.sign_in(secret)
    headers = {"Cookie": f"{keeper.cookie}={session}", "Accept": "text/html"}
    anybody = place.studio.with_token(None)
    for route in READING:
        if route.scope == "read" and route.path != ENDLESS:
            for run in place.foreign:
                status, text = await ask(anybody, route, filled(route, run.places(route.path)), headers=headers)
                assert status < 500
                assert not [one.mark for one in place.foreign if one.mark in text], (route.path, text)
    assert "mine0" in (await ask(anybody, READING[0], "/api/experiments", headers=headers))[1]

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from git_cases import Repository, until
from studio_stage import REPO_URL, SHA, OpenStudio, body, open_studio

from livestream.events import Json


async def ids_by_name(studio: OpenStudio) -> dict[str, int]:
    found: Any = await studio.client.get("/api/experiments")
    return {experiment["name"]: experiment["id"] for experiment in found["experiments"]}


async def first_project(studio: OpenStudio) -> Any:
    found: Any = await studio.client.get("/api/projects")
    return found["projects"][0]


async def test_an_experiment_brings_its_project_and_spellings_share_it(studio: OpenStudio) -> None:
    for index, url in enumerate([REPO_URL, "git@github.com:Octo/Iris.git", "https://t:x@github.com/octo/iris/"]):
        await studio.client.post(body("start", f"run-{index}", repo_url=url))
    found: Any = await studio.client.get("/api/projects")
    (project,) = found["projects"]
    assert (project["name"], project["repository"]) == ("octo/iris", "github.com/octo/iris")
    assert project["automatic"]
    assert not project["attached"]
    history: Any = await studio.client.get(f"/api/projects/{project['id']}/commits")
    assert history["branches"] == []
    assert not history["attached"]
    (place,) = history["detached"]
    assert (place["baseline_sha"], place["commit"]) == (SHA, None)
    assert {placed["name"] for placed in place["experiments"]} == {"run-0", "run-1", "run-2"}


async def test_projects_are_made_over_folders_and_dropped(studio: OpenStudio) -> None:
    await studio.client.post(body("start", "a", subdir="models/a"))
    await studio.client.post(body("start", "b", subdir="models/b"))
    await studio.client.post(body("start", "none"))
    wanted: dict[str, Json] = {"repo_url": "git@github.com:octo/iris.git", "subdir": "./models//a/"}
    status, made = await studio.client("POST", "/api/projects", json=wanted)
    assert status == 200
    assert isinstance(made, dict)
    assert (made["name"], made["subdir"], made["automatic"]) == ("octo/iris/models/a", "models/a", False)
    history: Any = await studio.client.get(f"/api/projects/{made['id']}/commits")
    assert {placed["name"] for placed in history["detached"][0]["experiments"]} == {"a", "none"}
    status, answer = await studio.client("POST", "/api/projects", json=wanted)
    assert status == 409
    assert "octo/iris/models/a" in str(answer)
    status, stock = await studio.client(
        "POST", "/api/create-project", json={**wanted, "team_name": "t", "public": False}
    )
    assert status == 200
    url = f"{studio.url}/projects/{made['id']}"
    assert stock == {"projects": [{"id": made["id"], "url": url, "name": "octo/iris/models/a"}]}
    assert await studio.client("DELETE", f"/api/projects/{made['id']}") == (200, {"deleted": made["id"]})
    assert (await studio.client("DELETE", f"/api/projects/{made['id']}"))[0] == 404
    assert (await studio.client("GET", f"/api/projects/{made['id']}/commits"))[0] == 404
    assert set(await ids_by_name(studio)) == {"a", "b", "none"}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"repo_url": ""}, "repo_url"),
        ({"repo_url": "https://me:hunter2@"}, "repo_url"),
        ({"repo_url": "https://github.com"}, "repo_url"),
        ({"repo_url": "https://h/a\x1b[31m"}, "repo_url"),
        ({"repo_url": 7}, "repo_url"),
        ({"repo_url": "https://h/a", "subdir": "../../etc"}, "subdir"),
        ({"repo_url": "https://h/a", "name": "a\nb"}, "name"),
        ({"repo_url": "https://h/a", "name": "x" * 201}, "name"),
        ({"repo_url": "https://h/a", "colour": "red"}, "colour"),
        ({}, "repo_url"),
    ],
)
async def test_a_bad_project_is_refused_with_its_field(studio: OpenStudio, wanted: dict[str, Json], field: str) -> None:
    status, answer = await studio.client("POST", "/api/projects", json=wanted)
    assert status == 400
    assert field in str(answer)
    assert "hunter2" not in str(answer)


async def test_experiments_nest_under_their_commits(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work")
    url = f"file://{repository.folder}"
    old = repository.commit("old")
    baseline = repository.commit("<b>baseline</b>")
    repository.git("checkout", "--quiet", "-b", "topic")
    topic = repository.commit("on a topic")
    for number in range(3):
        repository.commit(f"filler {number}")
    revision = repository.experiment(baseline, "renamed-later")
    only_git = repository.experiment(old, "only-git")
    gone = "f" * 40
    async with open_studio(tmp_path / "data", repositories=(str(repository.folder),)) as studio:
        for sha, name in ((baseline, "live"), (baseline, "pushed"), (topic, "on-topic"), (gone, "lost")):
            await studio.client.post(body("start", name, baseline_sha=sha, repo_url=url))
        await studio.client.post(body("done", "pushed", repo_url=url, baseline_sha=baseline, experiment_rev=revision))
        project = await first_project(studio)
        assert project["attached"]
        assert project["problem"] is None
        ids = await ids_by_name(studio)
        history: Any = await studio.client.get(f"/api/projects/{project['id']}/commits?commits=1")
        (lost,) = history["detached"]
        assert (lost["baseline_sha"], lost["commit"]) == (gone, None)
        assert [placed["id"] for placed in lost["experiments"]] == [ids["lost"]]
        main, other = history["branches"]
        assert (main["name"], main["default"], main["more"]) == ("main", True, 0)
        assert (other["name"], other["default"], other["merged"], other["more"]) == ("topic", False, False, 2)
        assert [place["commit"]["message"] for place in main["commits"]] == ["<b>baseline</b>", "old"]
        placed = {entry["name"]: entry for entry in main["commits"][0]["experiments"]}
        assert placed["live"] == {"id": ids["live"], "name": "live", "rev": None, "pushed": False}
        assert placed["pushed"] == {"id": ids["pushed"], "name": "pushed", "rev": revision, "pushed": True}
        assert main["commits"][0]["references"] == []
        assert main["commits"][1]["references"] == [{"name": "only-git", "rev": only_git}]
        assert [place["commit"]["message"] for place in other["commits"]] == ["filler 2", "on a topic"]
        assert [placed["id"] for placed in other["commits"][1]["experiments"]] == [ids["on-topic"]]
        one: Any = await studio.client.get(f"/api/experiments/{ids['on-topic']}")
        assert one["commit"]["branches"] == ["topic"]
        status, _ = await studio.client("GET", f"/api/projects/{project['id']}/commits?commits=-1")
        assert status == 400


async def test_a_token_of_one_project_sees_no_other(studio: OpenStudio) -> None:
    await studio.client.post(body("start", "mine"))
    await studio.client.post(body("start", "theirs", repo_url="https://github.com/other/repo"))
    found: Any = await studio.client.get("/api/projects")
    mine, theirs = sorted(found["projects"], key=lambda project: str(project["name"]) != "octo/iris")
    limited = studio.with_token(studio.services.keeper.create("limited", ("read",), mine["id"])[1])
    seen: Any = await limited.get("/api/projects")
    assert [project["id"] for project in seen["projects"]] == [mine["id"]]
    assert (await limited("GET", f"/api/projects/{theirs['id']}/commits"))[0] == 404
    assert (await limited("GET", f"/projects/{theirs['id']}", allow_redirects=False))[0] == 404
    assert (await limited("GET", "/api/view-links?git_remote_url=https://github.com/other/repo"))[0] == 404
    for path in ("/api/projects", "/api/create-project"):
        assert (await limited("POST", path, json={"repo_url": "https://h/a/b"}))[0] == 403
    reading = studio.with_token(studio.services.keeper.create("reading", ("read",))[1])
    assert (await reading("POST", "/api/projects", json={"repo_url": "https://h/a/b"}))[0] == 403
    assert (await reading("DELETE", f"/api/projects/{mine['id']}"))[0] == 403
    assert (await studio.with_token(None)("GET", "/api/projects"))[0] == 401


async def test_view_links_answer_as_the_editor_expects(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work")
    url = f"file://{repository.folder}"
    baseline = repository.commit("baseline")
    revision = repository.experiment(baseline, "done")
    unknown = "f" * 40
    async with open_studio(tmp_path / "data", repositories=(str(repository.folder),)) as studio:
        for name in ("live", "done"):
            await studio.client.post(body("start", name, baseline_sha=baseline, repo_url=url))
        await studio.client.post(body("done", "done", repo_url=url, baseline_sha=baseline, experiment_rev=revision))
        project = await first_project(studio)
        asked = [("commits", baseline), ("commits", unknown), ("git_remote_url", f"{url}/.git")]
        status, links = await studio.client("GET", "/api/view-links", params=asked)
        view_url = f"{studio.url}/projects/{project['id']}"
        assert status == 200
        assert isinstance(links, dict)
        assert links["live"] == [{"baseline_sha": baseline, "name": "live"}]
        assert links["pushed"] == sorted([baseline, revision])
        assert links["view_url"] == view_url
        headers = {**studio.client.headers}
        async with studio.client.session.get(
            f"{view_url}?showOnlySelected=1", headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == f"../?project={project['id']}&showOnlySelected=1"
        assert (await studio.client("GET", "/api/view-links"))[0] == 400


async def test_a_broken_repository_is_told_at_its_project(tmp_path: Path) -> None:
    url = "http://me:hunter2@127.0.0.1:1/octo/iris"
    async with open_studio(tmp_path / "data", repositories=(url,)) as studio:
        await studio.client.post(body("start", "run", repo_url=url))
        await until(lambda: studio.services.tree.sources()[0].problem)
        project = await first_project(studio)
        assert project["attached"]
        assert "127.0.0.1" in project["problem"]
        assert "hunter2" not in str(project)
        history: Any = await studio.client.get(f"/api/projects/{project['id']}/commits")
        assert history["problem"] == project["problem"]
        assert len(history["detached"]) == 1

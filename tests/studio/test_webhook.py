from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.studio import notify_refs
from git_cases import Repository, experiment_reference, until
from studio_stage import REPO_URL, SHA, OpenStudio, body, open_studio

from livestream.events import Json

REFERENCE = experiment_reference(SHA, "run")


def token_of(studio: OpenStudio, name: str = "ci", project: int | None = None) -> str:
    return studio.services.keeper.create(name, ("ingest",), project)[1]


async def notify(studio: OpenStudio, token: str, repo_url: str = REPO_URL, **refs: list[str]) -> Any:
    """What `dvc exp push` does after the push."""
    return await asyncio.to_thread(notify_refs, repo_url, token, base_url=studio.url, **refs)


async def only_experiment(studio: OpenStudio) -> Any:
    found: Any = await studio.client.get("/api/experiments")
    return await studio.client.get(f"/api/experiments/{found['experiments'][0]['id']}")


async def test_dvc_tells_of_a_push_and_gets_the_page(studio: OpenStudio) -> None:
    await studio.client.post(body("start", "run"))
    projects: Any = await studio.client.get("/api/projects")
    answer = await notify(studio, token_of(studio), "git@github.com:Octo/iris.git", pushed=[REFERENCE])
    assert answer == {"url": f"{studio.url}/projects/{projects['projects'][0]['id']}"}
    assert (await only_experiment(studio))["references"] == [REFERENCE]
    again = await notify(studio, token_of(studio, "second"), pushed=[REFERENCE])
    assert again == answer
    assert (await only_experiment(studio))["references"] == [REFERENCE]
    await notify(studio, token_of(studio, "third"), removed=[REFERENCE])
    assert (await only_experiment(studio))["references"] == []


async def test_what_nobody_streamed_is_no_error(studio: OpenStudio) -> None:
    assert await notify(studio, token_of(studio), pushed=[REFERENCE]) == {}


async def test_a_push_is_fetched_at_once(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin")
    baseline = origin.commit("baseline")
    url = f"file://{origin.folder}"
    async with open_studio(tmp_path / "data", repositories=(url,)) as studio:
        tree = studio.services.tree
        await until(lambda: tree.commit(url, baseline))
        revision = origin.experiment(baseline, "pushed")
        answer = await notify(studio, token_of(studio), url, pushed=[experiment_reference(baseline, "pushed")])
        await until(lambda: tree.experiment_refs(url) == {(baseline, "pushed"): revision})
        project = answer["url"].rpartition("/")[2]
        history: Any = await studio.client.get(f"/api/projects/{project}/commits")
        assert history["branches"][0]["commits"][0]["references"] == [{"name": "pushed", "rev": revision}]


async def test_dvc_shows_its_user_why_it_was_refused(studio: OpenStudio, caplog: pytest.LogCaptureFixture) -> None:
    assert "detail" in await notify(studio, "wrong", pushed=[REFERENCE])
    reading = studio.services.keeper.create("reading", ("read",))[1]
    assert "ingest" in (await notify(studio, reading, pushed=[REFERENCE]))["detail"]
    bad = await notify(studio, token_of(studio), pushed=[REFERENCE, "refs/heads/main"])
    assert bad["detail"].startswith("body.refs.pushed[1]")


async def test_a_token_of_one_project_notes_nothing_elsewhere(studio: OpenStudio) -> None:
    await studio.client.post(body("start", "run"))
    other = "https://github.com/other/repo"
    await studio.client.post(body("start", "run", repo_url=other))
    projects: Any = await studio.client.get("/api/projects")
    theirs = next(project for project in projects["projects"] if project["name"] == "other/repo")
    token = token_of(studio, project=theirs["id"])
    assert "another project" in (await notify(studio, token, pushed=[REFERENCE]))["detail"]
    assert (await notify(studio, token, other, pushed=[REFERENCE]))["url"].endswith(str(theirs["id"]))
    listed: Any = await studio.client.get("/api/experiments")
    noted = {
        experiment["repo_url"]: (await studio.client.get(f"/api/experiments/{experiment['id']}"))["references"]
        for experiment in listed["experiments"]
    }
    assert noted == {REPO_URL: [], other: [REFERENCE]}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "repo_url"),
        ({"repo_url": "https://h/a"}, "refs"),
        ({"repo_url": "https://h/a", "refs": []}, "refs"),
        ({"repo_url": "https://h/a", "refs": {"pushed": "x"}}, "refs.pushed"),
        ({"repo_url": "https://h/a", "refs": {"pushed": [f"{REFERENCE}/../x"]}}, "refs.pushed[0]"),
        ({"repo_url": "https://h/a", "refs": {"removed": [f"{REFERENCE}\n"]}}, "refs.removed[0]"),
        ({"repo_url": "https://h/a", "refs": {"pushed": [REFERENCE] * 10_001}}, "refs.pushed"),
        ({"repo_url": "://", "refs": {}}, "repo_url"),
    ],
)
async def test_a_bad_notification_is_refused_with_its_field(
    studio: OpenStudio, sent: dict[str, Json], field: str
) -> None:
    status, answer = await studio.client("POST", "/webhook/dvc", json=sent)
    assert status == 400
    assert field in str(answer)


async def test_unknown_fields_are_no_problem(studio: OpenStudio) -> None:
    sent: dict[str, Json] = {"repo_url": "https://h/a", "refs": {"new": ["x"]}, "team": "t", "client": "dvc"}
    assert await studio.client("POST", "/webhook/dvc", json=sent) == (200, {})


async def test_a_studio_that_goes_down_says_so(studio: OpenStudio) -> None:
    await studio.services.ingest.stop()
    detail = (await notify(studio, token_of(studio), pushed=[REFERENCE]))["detail"]
    assert "going down" in detail

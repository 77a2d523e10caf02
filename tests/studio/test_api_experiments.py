from __future__ import annotations

import time
from pathlib import Path

import pytest
from api_cases import METRICS, PARAMS, PNG, add_run, image, names, refused
from git_cases import Repository
from studio_stage import REPO_URL, SHA, Client, OpenStudio, body, open_studio, scalars, token_for


async def test_an_experiment_is_told_whole(client: Client) -> None:
    before = time.time()
    await client.post(body("start", "one", message="first try", machine={"cpu": 8}, env={"CI": "no"}, strange=[1]))
    number = await add_run(client, "one", step=3, acc="nan")
    told = await client.get(f"/api/experiments/{number}")
    assert told["id"] == number
    assert (told["name"], told["repo_url"], told["repository"]) == ("one", REPO_URL, "github.com/octo/iris")
    assert (told["baseline_sha"], told["subdir"], told["message"]) == (SHA, "", "first try")
    assert told["status"]["kind"] == "running"
    assert told["status"]["reason"]
    assert told["delivery"]["behind_s"] == 0
    assert told["delivery"]["gaps"] == []
    assert (told["step"], told["session"], told["clients"]) == (3, 1, ["dvclive"])
    assert before - 1 < told["created"] <= told["updated"] <= time.time()
    assert told["started"] is not None
    assert (told["done"], told["deleted"], told["commit"], told["experiment_rev"]) == (None, None, None, None)
    assert (told["machine"], told["env"], told["extra"]) == ({"cpu": 8}, {"CI": "no"}, {"strange": [1]})
    assert (told["errors"], told["warnings"], told["references"]) == ([], [], [])
    assert len(told["projects"]) == 1
    assert told["metrics"][METRICS]["train"] == {"acc": "nan"}
    assert told["params"][PARAMS]["opt"] == "adam"


async def test_a_failed_run_says_why(client: Client) -> None:
    number = await add_run(client, "one")
    errors = [{"cls": "ValueError", "text": "<b>bad</b>"}]
    await client.post(body("done", "one", errors=errors, experiment_rev="b" * 40))
    told = await client.get(f"/api/experiments/{number}")
    assert told["status"]["kind"] == "failed"
    assert "ValueError" in told["status"]["reason"]
    assert told["errors"] == errors
    assert told["done"] is not None
    assert told["experiment_rev"] == "b" * 40


async def test_a_page_says_how_many_there_are_and_from_where_to_follow(client: Client) -> None:
    for name in "abcde":
        await add_run(client, name)
    page = await client.get("/api/experiments", limit="2", offset="1", sort="name")
    assert [one["name"] for one in page["experiments"]] == ["b", "c"]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    assert page["change"] == (await client.get("/api/changes"))["last"]
    assert abs(page["now"] - time.time()) < 10
    assert await names(client, limit="0") == []
    assert await names(client, offset="5") == []
    assert await names(client) == ["e", "d", "c", "b", "a"]


async def test_filters_choose_by_fields_and_leaves(client: Client) -> None:
    await add_run(client, "low", acc=0.25, step=1)
    await add_run(client, "high", acc=0.75, step=20)
    await add_run(client, "nan", acc="nan", step=3)
    await client.post(body("start", "empty", client="other", message="Nothing Yet"))
    wanted = {
        "metrics.train.acc<0.5": ["low"],
        f"metrics[{METRICS}].train.acc>=0.5": ["high"],
        "metrics[other.json].train.acc>=0": [],
        "metrics.train.acc=nan": ["nan"],
        "metrics.train.acc!=0.25": ["empty", "nan", "high"],
        "metrics.train=1": [],
        'params."a.b"."q\\"c]"=7': ["nan", "high", "low"],
        "params.opt~DA": ["nan", "high", "low"],
        "step>=3": ["nan", "high"],
        "name~W": ["low"],
        "client=other": ["empty"],
        "message~nothing yet": ["empty"],
        "repository=github.com/octo/iris": ["empty", "nan", "high", "low"],
        f"baseline={SHA}": ["empty", "nan", "high", "low"],
        "status!=running": [],
        "created>2026-01-01": ["empty", "nan", "high", "low"],
        "updated<2020-01-01": [],
    }
    for condition, expected in wanted.items():
        assert await names(client, filter=condition) == expected, condition


async def test_all_conditions_must_hold(client: Client) -> None:
    for name, acc in (("a", 1), ("b", 2), ("ab", 3)):
        await add_run(client, name, acc=acc)
    status, page = await client(
        "GET", "/api/experiments", params=[("filter", "name~a"), ("filter", "metrics.train.acc>1")]
    )
    assert status == 200
    assert [one["name"] for one in page["experiments"]] == ["ab"]


async def test_sorts_follow_one_another(client: Client) -> None:
    for name, acc in (("a", 1), ("b", "nan"), ("c", 1), ("d", 10)):
        await add_run(client, name, acc=acc)
    status, page = await client(
        "GET", "/api/experiments", params=[("sort", "-metrics.train.acc"), ("sort", "-name"), ("limit", "10")]
    )
    assert status == 200
    assert [one["name"] for one in page["experiments"]] == ["d", "c", "a", "b"]


async def test_other_parameters_choose_too(client: Client) -> None:
    first = await add_run(client, "a")
    await add_run(client, "b")
    await client.post(body("start", "c", baseline_sha="c" * 40, message="Shines"))
    await client.post(body("done", "b"))
    assert await names(client, status="completed") == ["b"]
    assert await names(client, live="true") == ["c", "a"]
    assert await names(client, live="false") == ["b"]
    assert await names(client, name="a") == ["a"]
    assert await names(client, baseline="C" * 40) == ["c"]
    assert await names(client, id=str(first)) == ["a"]
    assert await names(client, q="shine") == ["c"]
    assert await names(client, q="octo/IRIS") == ["c", "b", "a"]
    assert await names(client, deleted="true") == []
    several = await client("GET", "/api/experiments", params=[("name", "a"), ("name", "b"), ("status", "running")])
    assert [one["name"] for one in several[1]["experiments"]] == ["a"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"filter": "loss<1"}, "query.filter[0]: character 1 ('loss<1'): expected one of baseline"),
        ({"sort": "metrics"}, "query.sort[0]"),
        ({"limit": "5001"}, "$.limit"),
        ({"limit": "-1"}, "$.limit"),
        ({"limit": "nan"}, "$.limit"),
        ({"offset": "9" * 30}, "$.offset"),
        ({"id": "9" * 900}, "$.id"),
        ({"id": "x"}, "$.id[0]"),
        ({"status": "dead"}, "$.status[0]"),
        ({"live": "maybe"}, "$.live"),
        ({"name": "x" * 1001}, "$.name[0]"),
        ({"nonsense": "1"}, "query.nonsense: unknown; accepted: baseline, deleted"),
    ],
)
async def test_a_bad_parameter_is_named(client: Client, query: dict[str, str], said: str) -> None:
    assert said in await refused(client, "/api/experiments", **query)


async def test_a_repeated_or_endless_parameter_is_refused(client: Client) -> None:
    for repeated in ([("limit", "1"), ("limit", "2")], [("filter", "name=a")] * 21, [("sort", "name")] * 6):
        status, answer = await client("GET", "/api/experiments", params=repeated)
        assert status == 400
        assert repeated[0][0] in answer["detail"]


async def test_a_key_in_too_many_files_asks_for_one(client: Client) -> None:
    await add_run(client, "a", metrics={f"m{number}.json": {"data": {"a": 1}} for number in range(401)})
    said = await refused(client, "/api/experiments", filter="metrics.a=1")
    assert "name one: metrics[FILE].a" in said
    assert await names(client, filter="metrics[m7.json].a=1") == ["a"]


async def test_what_is_deleted_is_hidden_and_comes_back(client: Client) -> None:
    number = await add_run(client, "a")
    status, answer = await client("DELETE", f"/api/experiments/{number}")
    assert status == 200
    assert answer["id"] == number
    assert answer["deleted"] is not None
    assert await names(client) == []
    assert await names(client, deleted="true") == ["a"]
    await add_run(client, "a", step=2)  # its data is still taken, and does not bring it back
    told = await client.get(f"/api/experiments/{number}")
    assert told["step"] == 2
    assert told["deleted"] is not None
    assert await client("POST", f"/api/experiments/{number}/restore") == (200, {"id": number, "deleted": None})
    assert await names(client) == ["a"]
    assert await client("POST", f"/api/experiments/{number}/restore") == (200, {"id": number, "deleted": None})


async def test_what_is_not_there_is_a_404_with_a_detail(client: Client) -> None:
    for method, path in (
        ("GET", "/api/experiments/1"),
        ("GET", f"/api/experiments/{'9' * 40}"),
        ("DELETE", "/api/experiments/1"),
        ("POST", "/api/experiments/1/restore"),
        ("GET", "/api/experiments/1/series"),
        ("GET", "/api/experiments/1/series/1"),
        ("GET", "/api/experiments/1/images"),
        ("GET", "/api/experiments/1/plots"),
        ("GET", "/api/experiments/1/plots/content?path=a"),
        ("GET", "/api/experiments/1/log"),
        ("GET", "/api/experiments/1/export"),
        ("GET", "/api/images/1"),
        ("GET", "/api/experiments?project=77"),
    ):
        status, answer = await client(method, path)
        assert status == 404, (method, path)
        assert answer["detail"]


async def test_a_reading_token_changes_nothing_and_an_ingesting_one_reads_nothing(
    studio: OpenStudio, tmp_path: Path
) -> None:
    number = await add_run(studio.client, "a")
    reading = studio.with_token(token_for(tmp_path / "data", "reads", "read"))
    ingesting = studio.with_token(token_for(tmp_path / "data", "sends", "ingest"))
    assert (await reading("GET", f"/api/experiments/{number}"))[0] == 200
    for method, path in (("DELETE", f"/api/experiments/{number}"), ("POST", f"/api/experiments/{number}/restore")):
        status, answer = await reading(method, path)
        assert status == 403
        assert "admin" in answer["detail"]
    for path in ("/api/experiments", f"/api/experiments/{number}", f"/api/experiments/{number}/export"):
        assert (await ingesting("GET", path))[0] == 403
        assert (await studio.with_token(None)("GET", path))[0] == 401


async def test_a_token_for_one_project_sees_nothing_of_the_others(studio: OpenStudio, tmp_path: Path) -> None:
    client = studio.client
    mine = await add_run(client, "mine", plots=image(PNG) | scalars([(1, 2.0)]))
    theirs = await add_run(
        client, "theirs", repo_url="git@gitlab.com:team/other.git", plots=image(PNG) | scalars([(1, 2.0)])
    )
    (my_project,) = (await client.get(f"/api/experiments/{mine}"))["projects"]
    (their_project,) = (await client.get(f"/api/experiments/{theirs}"))["projects"]
    limited = studio.with_token(token_for(tmp_path / "data", "limited", "ingest", "read", project=my_project))
    assert await names(limited) == ["mine"]
    assert await names(limited, project=str(my_project)) == ["mine"]
    assert await names(limited, id=str(theirs)) == []
    assert (await limited("GET", f"/api/experiments?project={their_project}"))[0] == 404
    (their_image,) = (await client.get(f"/api/experiments/{theirs}/images"))["images"]
    (my_image,) = (await limited.get(f"/api/experiments/{mine}/images"))["images"]
    (their_series,) = (await client.get(f"/api/experiments/{theirs}/series"))["series"]
    assert (await limited("GET", f"/api/experiments/{mine}/export"))[0] == 200
    for method, path in (
        ("GET", f"/api/experiments/{theirs}"),
        ("GET", f"/api/experiments/{theirs}/series"),
        ("GET", f"/api/experiments/{theirs}/series/{their_series['id']}"),
        ("GET", f"/api/experiments/{mine}/series/{their_series['id']}"),
        ("GET", f"/api/experiments/{theirs}/export"),
        ("GET", f"/api/experiments/{mine}/export?series={their_series['id']}"),
        ("GET", f"/api/experiments/{theirs}/images"),
        ("GET", f"/api/experiments/{theirs}/log"),
        ("GET", f"/api/images/{their_image['id']}"),
    ):
        assert (await limited(method, path))[0] == 404, (method, path)
    async with client.session.get(f"{client.url}/api/images/{my_image['id']}", headers=limited.headers) as answer:
        assert await answer.read() == PNG


async def test_head_answers_as_get_without_a_body(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0)]))
    for path in ("/api/experiments", f"/api/experiments/{number}", f"/api/experiments/{number}/export"):
        async with client.session.head(client.url + path, headers=client.headers) as answer:
            assert answer.status == 200
            assert await answer.read() == b""


async def test_an_experiment_stands_on_its_commit_where_the_repository_is_attached(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "iris")
    repository.git("remote", "add", "origin", REPO_URL)
    sha = repository.commit("Learn <faster>\n\nmore")
    async with open_studio(tmp_path / "data", repositories=(str(repository.folder),)) as studio:
        attached = await add_run(studio.client, "a", baseline_sha=sha)
        detached = await add_run(studio.client, "b", baseline_sha="d" * 40)
        commit = (await studio.client.get(f"/api/experiments/{attached}"))["commit"]
        assert (commit["sha"], commit["short"], commit["author"]) == (sha, sha[:7], "Ada")
        assert commit["message"].startswith("Learn <faster>")
        assert commit["time"] == float(repository.time_s)
        assert commit["branches"] == ["main"]
        page = await studio.client.get("/api/experiments", sort="name")
        assert [one["commit"] for one in page["experiments"]] == [commit, None]
        assert (await studio.client.get(f"/api/experiments/{detached}"))["commit"] is None


async def test_a_deletion_and_its_undoing_are_told_to_open_pages(client: Client) -> None:
    number = await add_run(client, "a")
    for method, path, kind in (
        ("DELETE", f"/api/experiments/{number}", "deleted"),
        ("POST", f"/api/experiments/{number}/restore", "restored"),
    ):
        since = (await client.get("/api/experiments"))["change"]
        assert (await client(method, path))[0] == 200
        (change,) = (await client.get("/api/changes", since=str(since)))["changes"]
        assert (change["experiment"], change["kind"]) == (number, kind)


async def test_a_project_with_a_folder_shows_what_runs_there(client: Client) -> None:
    inside = await add_run(client, "inside", subdir="models/a")
    await add_run(client, "outside", subdir="models/b")
    whole = (await client.get(f"/api/experiments/{inside}"))["projects"][0]
    status, made = await client(
        "POST", "/api/projects", json={"name": "A", "repo_url": "git@github.com:octo/iris", "subdir": "models/a"}
    )
    assert status == 200, made
    assert await names(client, project=str(made["id"])) == ["inside"]
    assert await names(client, project=str(whole)) == ["outside", "inside"]
    assert set((await client.get(f"/api/experiments/{inside}"))["projects"]) == {whole, made["id"]}

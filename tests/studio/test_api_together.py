from __future__ import annotations

from collections.abc import Sequence

import pytest
from api_cases import HOSTILE, OTHER_REPO, PNG, add_run, image, refused
from studio_stage import Client, OpenStudio, scalars

from livestream.events import Json
from livestream.studio.http import together
from livestream.studio.store.sqlite import named


async def ask(client: Client, path: str, query: Sequence[tuple[str, Json]]) -> Json:
    status, answer = await client("GET", path, params=[(name, str(value)) for name, value in query])
    assert status == 200, answer
    return answer


async def two(client: Client) -> tuple[int, int]:
    """Two runs: one with ``train/loss`` and ``val/acc``, one with ``train/loss`` only."""
    first = await add_run(
        client, "a", plots=scalars([(step, 1 / (step + 1)) for step in range(100)]) | scalars([(3, 0.5)], "val/acc")
    )
    second = await add_run(client, "b", plots=scalars([(step, float(step)) for step in range(10)]))
    return first, second


# -- charts


async def test_charts_of_several_runs_come_in_the_order_asked_for(client: Client) -> None:
    first, second = await two(client)
    asked: list[tuple[str, Json]] = [("experiment", one) for one in (second, first, 99, second)]
    asked += [("name", "val/acc"), ("name", "none"), ("name", "train/loss"), ("name", "val/acc"), ("points", 20)]
    charts = (await ask(client, "/api/charts", asked))["charts"]
    assert [(one["experiment"], one["name"]) for one in charts] == [
        (second, "train/loss"),
        (first, "val/acc"),
        (first, "train/loss"),
    ]
    for one in charts:
        alone = await client.get(f"/api/experiments/{one['experiment']}/series/{one['series']}", points="20")
        place = {name: one.pop(name) for name in ("experiment", "name", "path", "column")}
        assert one == alone
        assert (place["path"], place["column"]) == (
            f"dvclive/plots/metrics/{place['name']}.tsv",
            place["name"].rpartition("/")[2],
        )
    assert [one["width"] for one in charts] == [1, 1, 8]


async def test_a_part_of_many_charts_is_what_comes_after_a_step(client: Client) -> None:
    first, second = await two(client)
    asked = [("experiment", first), ("experiment", second), ("name", "train/loss"), ("from", 8)]
    charts = (await ask(client, "/api/charts", asked))["charts"]
    assert [one["steps"] for one in charts] == [list(range(8, 100)), [8, 9]]
    charts = (await ask(client, "/api/charts", [*asked, ("to", 9)]))["charts"]
    assert [(one["steps"], one["total"]) for one in charts] == [([8, 9], 2), ([8, 9], 2)]
    charts = (await ask(client, "/api/charts", [*asked[:3], ("from", 1000)]))["charts"]
    assert [(one["steps"], one["total"]) for one in charts] == [([], 0), ([], 0)]


async def test_names_that_two_columns_would_have_are_told_apart(client: Client) -> None:
    rows: list[Json] = [{"step": 1, "loss": 1.0}]
    other: list[Json] = [{"step": 1, "loss": 2.0}]
    plots = {"dvclive/plots/metrics/loss.tsv": {"data": rows}, "eval/plots/metrics/loss.tsv": {"data": other}}
    number = await add_run(client, "a", plots=plots)
    listed = (await client.get(f"/api/experiments/{number}/series"))["series"]
    names = [one["name"] for one in listed]
    assert names == ["dvclive/plots/metrics/loss.tsv:loss", "eval/plots/metrics/loss.tsv:loss"]
    asked = [("experiment", number), ("name", "loss"), *(("name", name) for name in names)]
    charts = (await ask(client, "/api/charts", asked))["charts"]
    assert [(one["name"], one["last"]) for one in charts] == [(names[0], [1.0]), (names[1], [2.0])]


async def test_a_list_of_columns_too_long_to_be_remembered_is_read_all_the_same(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "MAX_REMEMBERED_CHARACTERS", 10)
    first, _ = await two(client)
    charts = (await ask(client, "/api/charts", [("experiment", first), ("name", "train/loss")]))["charts"]
    assert len(charts) == 1


async def test_many_charts_share_what_one_answer_may_hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MAX_CHART_POINTS", 100)
    first, second = await two(client)
    runs = [("experiment", first), ("experiment", second), ("name", "train/loss"), ("points", 10_000)]
    charts = (await ask(client, "/api/charts", runs))["charts"]
    assert [len(one["steps"]) for one in charts] == [50, 10]
    charts = (await ask(client, "/api/charts", [*runs[1:], ("name", "x")]))["charts"]
    assert [len(one["steps"]) for one in charts] == [10]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"name": "a"}, "experiment"),
        ({"experiment": "1"}, "name"),
        ({"experiment": "1", "name": "a", "points": "0"}, "$.points"),
        ({"experiment": "1", "name": "a", "points": "10001"}, "$.points"),
        ({"experiment": "0", "name": "a"}, "$.experiment"),
        ({"experiment": "1", "name": "a", "from": "2", "to": "1"}, "query.from: 2 is after query.to (1)"),
    ],
)
async def test_a_question_that_is_none_is_refused(client: Client, query: dict[str, str], said: str) -> None:
    assert said in await refused(client, "/api/charts", **query)


async def test_too_many_charts_are_refused(client: Client) -> None:
    asked = [("experiment", str(one + 1)) for one in range(50)] + [("name", f"m{one}") for one in range(11)]
    status, answer = await client("GET", "/api/charts", params=asked)
    assert (status, answer["detail"]) == (400, "query.name: experiments times names are 550 charts; accepted: 500")


async def test_the_largest_question_fits_into_a_line(client: Client) -> None:
    first, _ = await two(client)
    asked = [("experiment", first), *(("experiment", 10_000_000 + one) for one in range(499))]
    assert len((await ask(client, "/api/files", asked))["files"]) == 0
    assert len((await ask(client, "/api/charts", [*asked, ("name", "train/loss")]))["charts"]) == 1


@pytest.mark.parametrize("text", HOSTILE)
async def test_any_text_may_be_a_name(client: Client, text: str) -> None:
    first, _ = await two(client)
    assert await ask(client, "/api/charts", [("experiment", first), ("name", text)]) == {"charts": []}


# -- names of series


async def test_names_of_series_are_told_with_who_has_them(client: Client) -> None:
    first, second = await two(client)
    await add_run(client, "third, which nobody asks for", plots=scalars([(1, 1.0)], "other"))
    asked = [("experiment", second), ("experiment", first), ("experiment", 99)]
    assert (await ask(client, "/api/series", asked))["series"] == [
        {"name": "train/loss", "experiments": [second, first], "count": 2, "last_step": 99},
        {"name": "val/acc", "experiments": [first], "count": 1, "last_step": 3},
    ]
    assert await ask(client, "/api/series", [("experiment", 99)]) == {"series": []}
    assert "experiment" in await refused(client, "/api/series")


# -- files


async def test_images_are_told_by_folder_or_path_and_plots_with_their_template(client: Client) -> None:
    number = 0
    for step in range(3):
        plots = (
            image(PNG, f"images/sample/{step * 5}.png") | image(PNG, "images/last.png") | image(PNG, "images/7.jpeg")
        )
        number = await add_run(client, "a", step=step, plots=plots)
    rows: list[Json] = [{"x": 1}]
    custom = {"dvclive/plots/custom/c.json": {"data": rows, "props": {"template": "linear", "title": "T"}}}
    odd = {"dvclive/plots/sklearn/cm.json": {"data": rows, "props": {"template": 5}}}
    await add_run(client, "a", step=4, plots=custom | odd)
    other = await add_run(client, "b", step=9, plots=image(PNG, "images/12") | image(PNG, "images/.png"))
    files = (await ask(client, "/api/files", [("experiment", other), ("experiment", number)]))["files"]
    assert [tuple(one.values()) for one in files] == [
        (number, "dvclive/plots/custom/c.json", "plot", 1, 4, 4, "linear"),
        (number, "dvclive/plots/images", "image", 3, 7, 7, None),
        (number, "dvclive/plots/images/last.png", "image", 3, 0, 2, None),
        (number, "dvclive/plots/images/sample", "image", 3, 0, 10, None),
        (number, "dvclive/plots/sklearn/cm.json", "plot", 1, 4, 4, None),
        (other, "dvclive/plots/images/.png", "image", 1, 9, 9, None),
        (other, "dvclive/plots/images/12", "image", 1, 9, 9, None),
    ]


async def test_a_path_is_a_folder_only_where_a_number_and_a_suffix_follow_it(client: Client) -> None:
    wanted = {
        "a/12.png": ("a", 12),
        "a/12.tar.gz": ("a/12.tar.gz", 1),
        "a/x12.png": ("a/x12.png", 1),
        "12.png": ("12.png", 1),
        "a/b/0007.JPG": ("a/b", 7),
        "a/-3.png": ("a/-3.png", 1),
        "a//5.png": ("a", 5),
        "c/99999999999999999999999.png": ("c", 2**63 - 1),
        "d/1_.png": ("d/1_.png", 1),
    }
    number = 0
    for path in wanted:
        plots = {path: next(iter(image(PNG).values()))}
        number = await add_run(client, "a", step=1, plots=plots)
    files = (await ask(client, "/api/files", [("experiment", number)]))["files"]
    assert {(one["path"], one["first_step"]) for one in files} >= set(wanted.values()) - {("a", 5), ("a", 12)}
    assert [(one["count"], one["first_step"], one["last_step"]) for one in files if one["path"] == "a"] == [(2, 5, 12)]


# -- who may see it


async def test_a_token_of_one_project_sees_nothing_of_the_others(studio: OpenStudio) -> None:
    mine, _ = await two(studio.client)
    plots = scalars([(1, 1.0)]) | image(PNG)
    theirs = await add_run(studio.client, "c", repo_url=OTHER_REPO, plots=plots)
    await studio.client("DELETE", f"/api/experiments/{mine}")
    projects = (await studio.client.get("/api/projects"))["projects"]
    (project,) = [one["id"] for one in projects if one["repository"].endswith("/iris")]
    reader = studio.with_token(studio.services.keeper.create("one", ("read",), project)[1])
    both: list[tuple[str, Json]] = [("experiment", theirs), ("experiment", mine)]
    charts = (await ask(reader, "/api/charts", [*both, ("name", "train/loss")]))["charts"]
    assert [one["experiment"] for one in charts] == [mine], "a deleted one of theirs too"
    series = (await ask(reader, "/api/series", both))["series"]
    assert {number for one in series for number in one["experiments"]} == {mine}
    assert (await ask(reader, "/api/files", both))["files"] == []
    assert len((await ask(studio.client, "/api/files", both))["files"]) == 1
    await studio.client("DELETE", f"/api/projects/{project}")
    assert (await ask(reader, "/api/charts", [*both, ("name", "train/loss")]))["charts"] == []
    for path in ("/api/charts?experiment=1&name=a", "/api/series?experiment=1", "/api/files?experiment=1"):
        sender = studio.with_token(studio.services.keeper.create(path, ("ingest",))[1])
        assert (await sender("GET", path))[0] == 403

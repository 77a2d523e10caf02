from __future__ import annotations

import pytest
from api_cases import PNG, SVG, add_run, image, refused
from studio_stage import Client, OpenStudio, body, scalars

from livestream.events import Json, JsonObject


async def only_series(client: Client, number: int) -> JsonObject:
    (series,) = (await client.get(f"/api/experiments/{number}/series"))["series"]
    assert isinstance(series, dict)
    return series


async def test_a_series_is_summed_up(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0), (2, 0.5), (4, 1.0)]))
    series = await only_series(client, number)
    assert (series["name"], series["column"]) == ("train/loss", "loss")
    assert series["path"] == "dvclive/plots/metrics/train/loss.tsv"
    assert (series["count"], series["first_step"], series["last_step"]) == (3, 1, 4)
    assert (series["last"], series["minimum"], series["maximum"]) == (1.0, 0.5, 2.0)


async def test_series_are_chosen_by_name(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0)]) | scalars([(1, 3.0)], "val/acc"))
    answer = await client.get(f"/api/experiments/{number}/series", name="val/acc")
    assert [series["name"] for series in answer["series"]] == ["val/acc"]
    assert (await client.get(f"/api/experiments/{number}/series", name="'; --"))["series"] == []


async def test_a_short_chart_is_its_rows(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(step, float(step)) for step in range(10)]))
    series = await only_series(client, number)
    chart = await client.get(f"/api/experiments/{number}/series/{series['id']}")
    assert chart == {
        "series": series["id"],
        "width": 1,
        "steps": list(range(10)),
        "last": [float(step) for step in range(10)],
        "times": [1_700_000_000 + step / 1000 for step in range(10)],
        "minimum": [],
        "maximum": [],
        "count": [],
        "total": 10,
    }
    part = await client.get(f"/api/experiments/{number}/series/{series['id']}", **{"from": "3", "to": "5"})
    assert (part["steps"], part["total"]) == ([3, 4, 5], 3)


async def test_a_long_chart_comes_in_buckets(client: Client) -> None:
    rows = [(step, float(step % 7)) for step in range(1000)]
    number = await add_run(client, "a", plots=scalars(rows))
    series = await only_series(client, number)
    chart = await client.get(f"/api/experiments/{number}/series/{series['id']}", points="100")
    assert chart["width"] == 16
    assert len(chart["steps"]) == 63
    assert sum(chart["count"]) == chart["total"] == 1000
    assert set(chart["minimum"][:-1]) == {0.0}
    assert set(chart["maximum"][:-1]) == {6.0}


async def test_values_that_json_cannot_hold_are_texts(client: Client) -> None:
    rows: list[Json] = [{"step": step, "loss": value} for step, value in enumerate(("nan", "inf", "-inf", 1))]
    number = await add_run(client, "a", plots={"dvclive/plots/metrics/loss.tsv": {"data": rows}})
    series = await only_series(client, number)
    chart = await client.get(f"/api/experiments/{number}/series/{series['id']}")
    assert chart["last"] == ["nan", "inf", "-inf", 1]
    assert (series["minimum"], series["maximum"], series["last"]) == (1.0, 1.0, 1)
    number = await add_run(client, "b", plots={"dvclive/plots/metrics/loss.tsv": {"data": rows[:2]}})
    series = await only_series(client, number)
    assert (series["minimum"], series["maximum"], series["last"]) == (None, None, "inf")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"points": "0"}, "$.points"),
        ({"points": "10001"}, "$.points"),
        ({"points": "nan"}, "$.points"),
        ({"from": "inf"}, "$.from"),
        ({"from": "9" * 19}, "$.from"),
        ({"to": "-" + "9" * 30}, "$.to"),
        ({"from": "2", "to": "1"}, "query.from: 2 is after query.to (1)"),
    ],
)
async def test_a_range_that_is_none_is_refused(client: Client, query: dict[str, str], said: str) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0)]))
    series = await only_series(client, number)
    assert said in await refused(client, f"/api/experiments/{number}/series/{series['id']}", **query)


async def test_the_widest_range_is_the_whole_series(client: Client) -> None:
    number = await add_run(client, "a", plots=scalars([(-5, 1.0), (10**15, 2.0)]))
    series = await only_series(client, number)
    wide = {"from": str(-(2**63)), "to": str(2**63 - 1)}
    chart = await client.get(f"/api/experiments/{number}/series/{series['id']}", **wide)
    assert chart["steps"] == [-5, 10**15]


async def test_images_are_listed_and_served_as_what_they_are(client: Client) -> None:
    number = await add_run(client, "a", step=7, plots=image(PNG) | image(SVG, "images/evil.png"))
    listed = (await client.get(f"/api/experiments/{number}/images"))["images"]
    assert [(one["path"], one["step"], one["media_type"]) for one in listed] == [
        ("dvclive/plots/images/a.png", 7, "image/png"),
        ("dvclive/plots/images/evil.png", 7, "application/octet-stream"),
    ]
    assert [one["size"] for one in listed] == [len(PNG), len(SVG)]
    wanted = ((PNG, "image/png", "inline"), (SVG, "application/octet-stream", "attachment"))
    for one, (content, media_type, disposition) in zip(listed, wanted, strict=True):
        async with client.session.get(f"{client.url}/api/images/{one['id']}", headers=client.headers) as answer:
            assert answer.status == 200
            assert await answer.read() == content
            assert answer.headers.getall("Content-Type") == [media_type]
            assert answer.headers["Content-Disposition"].startswith(disposition)
            assert answer.headers.getall("Content-Security-Policy") == ["sandbox; default-src 'none'"]
            assert answer.headers.getall("X-Content-Type-Options") == ["nosniff"]
            assert answer.headers.getall("Cache-Control") == ["private, max-age=31536000, immutable"]
            assert "Content-Encoding" not in answer.headers
    only = await client.get(f"/api/experiments/{number}/images", path="dvclive/plots/images/a.png")
    assert [one["path"] for one in only["images"]] == ["dvclive/plots/images/a.png"]


async def test_an_image_without_its_file_says_so(studio: OpenStudio) -> None:
    client = studio.client
    number = await add_run(client, "a", plots=image(PNG))
    (one,) = (await client.get(f"/api/experiments/{number}/images"))["images"]
    studio.services.blobs.path(one["sha256"]).unlink()
    status, answer = await client("GET", f"/api/images/{one['id']}")
    assert status == 404
    assert one["sha256"] in answer["detail"]


async def test_a_plot_that_is_no_series_is_kept_whole(client: Client) -> None:
    path = "dvclive/plots/custom/../'; DROP TABLE plot; --.json"
    rows: list[Json] = [{"x": 1, "y": "<b>"}, {"x": "nan", "y": None}]
    number = await add_run(client, "a", step=4, plots={path: {"data": rows, "props": {"x": "x", "title": "T"}}})
    (listed,) = (await client.get(f"/api/experiments/{number}/plots"))["plots"]
    assert (listed["path"], listed["step"]) == (path, 4)
    assert listed["props"] == {"x": "x", "title": "T"}
    content = await client.get(f"/api/experiments/{number}/plots/content", path=path)
    assert content == {"plot": listed, "rows": rows}
    status, answer = await client("GET", f"/api/experiments/{number}/plots/content", params={"path": "other"})
    assert status == 404
    assert "no such plot" in answer["detail"]
    assert "path" in await refused(client, f"/api/experiments/{number}/plots/content")


async def test_the_log_tells_what_befell_it(client: Client) -> None:
    await client.post(body("start", "a"))
    number = await add_run(client, "a")
    await client.post(body("done", "a"))
    kinds = [line["kind"] for line in (await client.get(f"/api/experiments/{number}/log"))["log"]]
    assert kinds[0] == "started"
    assert kinds[-1] == "done"
    newest = (await client.get(f"/api/experiments/{number}/log", limit="1"))["log"]
    assert [line["kind"] for line in newest] == ["done"]

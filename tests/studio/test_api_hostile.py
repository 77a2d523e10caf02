from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest
from api_cases import HOSTILE, METRICS, PARAMS, PNG, add_run, image, names
from studio_stage import Client, body, scalars

from livestream.events import Json
from livestream.studio.app import ROUTES
from livestream.studio.http.routes import Route

OURS = ("/api/experiments", "/api/images")


def reading_routes() -> Iterator[Route]:
    return (route for route in ROUTES if route.method == "GET" and route.path.startswith(OURS))


def parameters(route: Route) -> list[str]:
    if route.query is None:
        return []
    return [field.encode_name for field in msgspec.structs.fields(route.query)]


@pytest.mark.parametrize("route", list(reading_routes()), ids=lambda route: route.path)
async def test_every_parameter_survives_every_hostile_text(client: Client, route: Route) -> None:
    number = await add_run(client, "a", plots=scalars([(1, 2.0)]) | image(PNG))
    (series,) = (await client.get(f"/api/experiments/{number}/series"))["series"]
    path = route.path.replace("{series}", str(series["id"])).replace("{id}", str(number))
    before = await client.get("/api/experiments")
    for name in [*parameters(route), "unknown", "'; DROP TABLE point; --"]:
        for text in HOSTILE:
            for query in ([(name, text)], [(name, text), (name, text)]):
                async with client.session.get(client.url + path, params=query, headers=client.headers) as answer:
                    assert answer.status in {200, 400, 404}, (query, await answer.text())
                    if answer.status != 200:
                        assert (await answer.json())["detail"]
    after = await client.get("/api/experiments")
    assert after["total"] == before["total"] == 1
    assert after["experiments"][0]["metrics"] == before["experiments"][0]["metrics"]


async def test_every_hostile_text_is_a_filter_value_and_no_more(client: Client) -> None:
    await add_run(client, "a")
    for text in HOSTILE:
        for key in ("name", "message", "repository", "metrics.train.acc", "params.opt", f"params[{PARAMS}].opt"):
            assert await names(client, filter=f"{key}={text}") == [], (key, text)
            assert await names(client, filter=f"{key}!={text}") == ["a"], (key, text)
        status, _ = await client("GET", "/api/experiments", params={"filter": f"metrics.{text}=1"})
        assert status in {200, 400}
        status, _ = await client("GET", "/api/experiments", params={"filter": f"metrics[{text}].a=1", "sort": text})
        assert status in {200, 400}


@pytest.mark.parametrize(
    "raw",
    [
        "filter=%ff%fe",
        "filter=%ED%A0%80",
        "name=%00",
        "q=%",
        "limit=%31",
        "limit=1&limit=1",
        "limit=+1",
        "&&&",
        "=",
        "id=1&id=2&id=3",
        "deleted=TRUE",
        "filter=metrics.a%3D1;filter=x",
        "x" * 5000,
        "filter=" + "%22" * 900,
        "filter=metrics" + ".a" * 400 + "=1",
        "filter=metrics%5B" + "%5B" * 300,
    ],
)
async def test_queries_that_are_hardly_queries_are_answered(client: Client, raw: str) -> None:
    await add_run(client, "a")
    status, answer = await client("GET", f"/api/experiments?{raw}")
    assert status in {200, 400}, answer


@pytest.mark.parametrize(
    "number", ["0", "00", "-1", "1e3", "%31", "9" * 18, "9" * 19, "9" * 300, "1%00", "%D9%A1", "a"]
)
async def test_every_hostile_id_is_a_404(client: Client, number: str) -> None:
    await add_run(client, "a")
    for path in (f"/api/experiments/{number}", f"/api/images/{number}", f"/api/experiments/1/series/{number}"):
        status, answer = await client("GET", path)
        assert status == (200 if path == "/api/experiments/%31" else 404)
        assert status == 200 or answer["detail"]


async def test_hostile_names_are_stored_and_told_as_they_came(client: Client) -> None:
    for at, text in enumerate(one for one in HOSTILE if one.strip() and "\x00" not in one):
        name = f"{text}{at}"
        sent: dict[str, Json] = {text: {"a": text}}
        number = (
            await client.post(
                body(name=name, message=text, metrics={METRICS: {"data": sent}}, params={text: sent}, step=1)
            )
        )["experiment"]
        told = await client.get(f"/api/experiments/{number}")
        assert (told["name"], told["message"]) == (name, text)
        assert told["metrics"] == {METRICS: sent}
        assert told["params"] == {text: sent}
        assert await names(client, name=name) == [name]


async def test_a_path_in_a_url_reaches_no_file(client: Client) -> None:
    for path in ("../../etc/passwd", "..%2f..%2fstudio.db", "blobs/../studio.db", "%00"):
        for start in ("/api/images/", "/api/experiments/1/plots/", "/api/"):
            status, _ = await client("GET", start + quote(path, safe="/%."))
            assert status in {400, 404}

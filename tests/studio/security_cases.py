"""For the security tests: what an attacker sends, routes with their places filled in, and runs that are not his."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from api_cases import PNG, image
from studio_stage import Client, OpenStudio, body, eventually, scalars

from livestream.events import Json, JsonObject
from livestream.studio.app import ROUTES
from livestream.studio.http.routes import Route

IRIS: Final = "https://github.com/octo/iris.git"
ENDLESS: Final = "/api/feed"
CHANGING: Final = tuple(route for route in ROUTES if route.method != "GET")
READING: Final = tuple(route for route in ROUTES if route.method == "GET")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run with something of every kind, by its ids; ``mark`` stands in each of its texts."""

    mark: str
    experiment: int
    series: int
    image: int
    project: int

    def places(self, path: str) -> dict[str, int]:
        """Give what the placeholders of a route mean for this run."""
        kinds = {"images": self.image, "projects": self.project, "experiments": self.experiment}
        kind = next((word for word in path.split("/") if word in kinds), "experiments")
        return {"id": kinds[kind], "series": self.series}


def filled(route: Route, places: Mapping[str, object]) -> str:
    """Give a route's path with its places filled in."""
    path = route.path
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path.replace("{name}", "studio.css")


def sent_by(mark: str, repo_url: str, **more: Json) -> JsonObject:
    """Give a body in which every text has a mark."""
    rows = {"data": [{"x": mark}]}
    plots = scalars([(1, 2.0)], f"train/{mark}") | image(PNG, f"images/{mark}.png")
    plots |= {f"dvclive/plots/custom/{mark}.json": rows}
    content: JsonObject = {
        "step": 1,
        "repo_url": repo_url,
        "message": f"message {mark}",
        "plots": plots,
        "metrics": {f"{mark}.json": {"data": {mark: 0.5, "text": mark}}},
        "params": {f"{mark}.yaml": {mark: mark}},
        "machine": {"host": mark},
        "env": {"user": mark},
    }
    return body(name=mark, **{**content, **more})


async def add_marked(studio: OpenStudio, mark: str, repo_url: str = IRIS, subdir: str = "") -> Run:
    """Post a run, and make the project of its folder."""
    client = studio.client
    number = (await client.post(sent_by(mark, repo_url, subdir=subdir)))["experiment"]
    (series,) = (await client.get(f"/api/experiments/{number}/series"))["series"]
    (picture,) = (await client.get(f"/api/experiments/{number}/images"))["images"]
    status, made = await client(
        "POST", "/api/create-project", json={"repo_url": repo_url, "subdir": subdir, "name": f"project {mark}"}
    )
    assert status == 200, made
    return Run(
        mark=mark,
        experiment=number,
        series=series["id"],
        image=picture["id"],
        project=made["projects"][0]["id"],
    )


async def everything(client: Client) -> JsonObject:
    """Read all that a Studio tells of its experiments and projects, but for the moment of asking."""
    told: JsonObject = {"projects": (await client.get("/api/projects"))["projects"]}
    for is_deleted in ("false", "true"):
        listed = (await client.get("/api/experiments", deleted=is_deleted))["experiments"]
        for shown in listed:
            number = shown["id"]
            path = f"/api/experiments/{number}"
            steady = {name: value for name, value in shown.items() if name not in {"status", "delivery"}}
            more = [await client.get(f"{path}/{kind}") for kind in ("series", "images", "plots", "log")]
            told[str(number)] = [steady, *more]
    return told


# -- below HTTP libraries


async def raw(
    url: str, *pieces: bytes, wait_s: float = 20.0, pause_s: float = 0.0, until_closed: bool = False
) -> bytes:
    """Send bytes as they are, and give what comes back: one answer, or all until the other side closes."""
    host, _, port = url.partition("://")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    came = b""
    try:
        async with asyncio.timeout(wait_s):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(pause_s)
            while content := await reader.read(65_536):
                came += content
                if not until_closed and _is_whole(came):
                    break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return came


def _is_whole(answer: bytes) -> bool:
    head, end, content = answer.partition(b"\r\n\r\n")
    length = headers_of(head).get("content-length", "")
    return bool(end) and length.isdigit() and len(content) >= int(length)


def request(method: str, path: str, *lines: str, body: bytes = b"", host: str = "localhost") -> bytes:
    """Write a request that asks for its connection to be closed; a body gets its length unless a line says one."""
    framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines)
    length = () if framed or not body else (f"Content-Length: {len(body)}",)
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, *length]
    return "\r\n".join([*head, "", ""]).encode() + body


def status_of(answer: bytes) -> int:
    """Read the status of a raw answer; 0 where none came."""
    words = answer.split(None, 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def headers_of(answer: bytes) -> dict[str, str]:
    """Read the headers of a raw answer."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


# -- bodies, from the types that routes say they take


def sample(schema: Json, components: JsonObject) -> Json:
    """Make a small value that a JSON schema takes."""
    if "$ref" in schema:
        return sample(components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: sample(inner, components) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema["items"], components)] if "items" in schema else []
    if kind == "string":
        return "a" * 40 if "pattern" in schema else "text"
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind))


def spoiled(value: Json, text: str) -> Iterator[Json]:
    """Give a value once for each text, number and key in it, with that one replaced by ``text``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for changed in spoiled(inner, text):
                yield value | {name: changed}
        yield value | {text: text}
        yield value | {text: {text: text}}
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            for changed in spoiled(inner, text):
                yield [*value[:at], changed, *value[at + 1 :]]
    else:
        yield text


async def applied(studio: OpenStudio) -> None:
    """Wait until no large body waits to be applied."""
    await eventually(lambda: not studio.services.ingest.pending_bytes)

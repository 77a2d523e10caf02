from __future__ import annotations

import zlib

import aiohttp
import pytest
from api_cases import add_run
from studio_stage import Client, scalars

from livestream.studio.http.compressing import MIN_BYTES


async def raw(client: Client, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    """Ask without unpacking."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with session.get(client.url + path, headers=client.headers | named) as answer:
            return answer, await answer.read()


@pytest.fixture
async def path(client: Client) -> str:
    number = await add_run(client, "a", plots=scalars([(step, step / 7) for step in range(900)]))
    return f"/api/charts?experiment={number}&name=train/loss&points=1000"


async def test_long_json_is_compressed_for_who_takes_it(client: Client, path: str) -> None:
    packed, content = await raw(client, path, Accept_Encoding="br, gzip")
    plain, whole = await raw(client, path, Accept_Encoding="identity")
    assert len(whole) > MIN_BYTES
    assert zlib.decompress(content, 31) == whole
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(content) < len(whole) / 2
    assert "Content-Encoding" not in plain.headers
    for answer in (packed, plain):
        assert answer.headers.getall("Vary") == ["Accept-Encoding"]
        assert answer.headers.getall("Content-Type") == ["application/json"]
    _, refused = await raw(client, path, Accept_Encoding="gzip;q=0.0, *;q=0")
    assert refused == whole


async def test_the_document_of_the_api_is_long_json_too(client: Client) -> None:
    answer, content = await raw(client, "/api/openapi.json", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert zlib.decompress(content, 31).startswith(b'{"openapi"')


async def test_short_json_files_and_streams_come_as_they_are(client: Client, path: str) -> None:
    for short in ("/api/projects", "/api/experiments/1", "/api/experiments/1/export?format=jsonl"):
        answer, _ = await raw(client, short, Accept_Encoding="gzip")
        assert answer.status == 200, short
        assert "Content-Encoding" not in answer.headers, short
    headers = client.headers | {"Accept-Encoding": "gzip"}
    async with client.session.get(f"{client.url}/api/feed?since=0", headers=headers) as feed:
        assert "Content-Encoding" not in feed.headers
        assert (await feed.content.readline()).startswith(b"retry:")

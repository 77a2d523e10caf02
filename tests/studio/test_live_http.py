from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from dvc_studio_client.post_live_metrics import post_live_metrics
from studio_stage import OpenStudio, eventually, open_studio
from wire_cases import LOSS, PNG, SHA, body, encoded, large_body, picture

from livestream.sinks.base import Capabilities, Target
from livestream.sinks.studio import StudioSink
from livestream.studio.app import build_app
from livestream.studio.settings import StudioLimits
from livestream.studio.store.base import Project, Scope

REPO = "https://github.com/team/iris.git"
SLOW_S = 0.3


@pytest.fixture(params=["packed", "unpacked"])
async def either(studio: OpenStudio, request: pytest.FixtureRequest) -> AsyncIterator[OpenStudio]:
    """A Studio whose server leaves gzip to us, and one that unpacks it itself, as aiohttp does unless told not to."""
    runner = web.AppRunner(build_app(studio.services), auto_decompress=request.param == "unpacked")
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    studio.client.url = f"http://{host}:{port}"
    yield studio
    await runner.cleanup()


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[OpenStudio]:
    limits = StudioLimits(max_request_bytes=1_000_000, large_bytes=50_000, body_timeout_s=SLOW_S)
    async with open_studio(tmp_path / "data", limits=limits) as place:
        yield place


async def post(place: OpenStudio, payload: Any, path: str = "/api/live", **headers: str) -> tuple[int, Any]:
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    # As a file, because aiohttp warns of large bytes.
    data = io.BytesIO(payload) if isinstance(payload, bytes) else payload
    status, answer = await place.client("POST", path, data=data, headers=named)
    return status, answer


def left_behind(place: OpenStudio) -> list[str]:
    return os.listdir(place.services.settings.data / "ingest")


async def known(place: OpenStudio) -> list[str]:
    rows = await place.services.readers.ask(lambda reader: reader.briefs(Scope()))
    return sorted(row.identity.name for row in rows)


# -- what stock clients send


async def test_the_stock_client_is_understood(studio: OpenStudio) -> None:
    def train() -> list[bool | None]:
        config = {"token": studio.client.headers["Authorization"].partition(" ")[2], "repo_url": REPO}
        config["url"] = studio.url
        common: dict[str, Any] = {
            "baseline_sha": SHA,
            "name": "brave-otter",
            "client": "dvclive",
            "dvc_studio_config": config,
        }
        plots = {LOSS: {"data": [{"step": 1, "loss": 0.5}]}, "a.png": {"image": picture()}}
        return [
            post_live_metrics("start", params={"params.yaml": {"lr": 0.1}}, message="hello", **common),
            post_live_metrics("data", step=1, metrics={"m.json": {"data": {"a": 1}}}, plots=plots, **common),
            post_live_metrics("done", experiment_rev="b" * 40, **common),
        ]

    assert await asyncio.to_thread(train) == [True, True, True]
    (row,) = await studio.services.readers.ask(lambda reader: reader.rows([1]))
    assert row.identity.name == "brave-otter"
    assert msgspec.json.decode(row.params) == {"params.yaml": {"lr": 0.1}}
    assert msgspec.json.decode(row.metrics) == {"m.json": {"a": 1}}
    assert row.facts.done_us is not None
    (series,) = await studio.services.readers.ask(lambda reader: reader.series(1))
    assert (series.path, series.last) == (LOSS, 0.5)
    (image,) = await studio.services.readers.ask(lambda reader: reader.images(1))
    assert studio.services.blobs.path(image.sha256).read_bytes() == PNG


async def test_the_answer_names_the_experiment(studio: OpenStudio) -> None:
    assert await post(studio, encoded()) == (200, {"experiment": 1})
    assert await post(studio, encoded(), "/api/live/") == (200, {"experiment": 1})


async def test_no_content_type_is_taken_for_json(studio: OpenStudio) -> None:
    host, port = studio.url.removeprefix("http://").split(":")
    payload = encoded()
    head = f"POST /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nContent-Length: {len(payload)}\r\n"
    head += f"Authorization: {studio.client.headers['Authorization']}\r\nExpect: 100-continue\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode())

    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    writer.write(payload)
    assert b" 200 OK" in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_our_own_sink_learns_what_is_taken(studio: OpenStudio) -> None:
    token = studio.client.headers["Authorization"].partition(" ")[2]

    async with StudioSink() as sink:
        found = await sink.capabilities(Target(url=studio.url, token=token))

    assert isinstance(found, Capabilities)
    assert found.limits.max_request_bytes == StudioLimits().max_request_bytes
    assert found.heartbeats


# -- what cannot be taken


async def test_errors_name_the_field_and_nothing_is_stored(studio: OpenStudio) -> None:
    wrong = [encoded(step="x"), b"{", encoded(plots={LOSS: {"data": [{"step": 1}, 5]}}), large_body(20_000)[:-2]]

    answers = [await post(studio, payload) for payload in wrong]

    assert [status for status, _ in answers] == [400] * 4
    assert [answer["detail"].partition(":")[0] for _, answer in answers] == [
        "step",
        "body",
        f"plots.{LOSS}.data[1]",
        "body",
    ]
    assert await known(studio) == []
    assert left_behind(studio) == []


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content_Type": "text/plain"}, "Content-Type"),
        ({"Content_Type": "multipart/form-data; boundary=x"}, "Content-Type"),
        ({"Content_Encoding": "br"}, "Content-Encoding"),
        ({"Content_Encoding": "gzip, gzip"}, "Content-Encoding"),
    ],
)
async def test_other_types_and_encodings_are_415(studio: OpenStudio, headers: dict[str, str], named: str) -> None:
    status, answer = await post(studio, encoded(), **headers)

    # A server that unpacks by itself says 400 to what it cannot unpack.
    assert status in ({415} if named == "Content-Type" else {415, 400})
    assert named == "Content-Encoding" or answer["detail"].startswith(named)


async def test_bad_headers_of_ours_are_named(studio: OpenStudio) -> None:
    status, answer = await post(studio, encoded(), Livestream_Update="w/3/2/1/1")

    assert (status, answer["detail"].partition(":")[0]) == (400, "Livestream-Update")


async def test_packed_bodies_are_unpacked(either: OpenStudio) -> None:
    for payload in (encoded(), large_body(30_000)):
        status, answer = await post(either, gzip.compress(payload), Content_Encoding="gzip")
        assert status == 200, answer
    await eventually(lambda: not either.services.ingest.pending_bytes)
    assert either.services.counters.points_new == 30_000


@pytest.mark.parametrize("content", [b" ", b"["], ids=["blank", "brackets"])
async def test_a_bomb_is_defused(either: OpenStudio, content: bytes) -> None:
    status, answer = await post(either, gzip.compress(content * 200_000_000, 9), Content_Encoding="gzip")

    assert status == 413
    assert answer["detail"].startswith("body")
    assert left_behind(either) == []


@pytest.mark.parametrize(
    "packed",
    [b"", b"\x1f\x8b", gzip.compress(encoded())[:-90], b"\x1f" + encoded()],
    ids=["nothing", "magic", "cut", "plain"],
)
async def test_broken_gzip_is_400(either: OpenStudio, packed: bytes) -> None:
    status, _ = await post(either, packed, Content_Encoding="gzip")

    assert status == 400
    assert await known(either) == []


async def test_too_much_is_413_whether_announced_or_not(strict: OpenStudio) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    assert (await post(strict, b" " * 1_000_001))[0] == 413
    assert (await post(strict, chunks()))[0] == 413
    assert left_behind(strict) == []


async def test_a_slow_body_is_408_and_makes_room(strict: OpenStudio) -> None:
    async def drip(begin: int) -> AsyncIterator[bytes]:
        yield b" " * begin
        await asyncio.sleep(20 * SLOW_S)
        yield b"{}"

    async def slow(begin: int) -> int:
        try:
            return (await post(strict, drip(begin)))[0]
        except aiohttp.ClientError:
            return 408  # the server closed before we had sent all

    assert await asyncio.gather(*[slow(begin) for begin in (10, 200_000, 10, 200_000)]) == [408] * 4
    assert left_behind(strict) == []
    assert (await post(strict, large_body(5_000)))[0] == 200


async def test_a_client_that_hangs_up_leaves_nothing(studio: OpenStudio) -> None:
    host, port = studio.url.removeprefix("http://").split(":")
    head = f"POST /api/live HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {studio.client.headers['Authorization']}\r\n\r\n"
    for sent in (0, 1_000, 2_000_000):
        with socket.create_connection((host, int(port))) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, head.encode() + b" " * sent)
            if sent > 1_000_000:
                await eventually(lambda: left_behind(studio))

    await eventually(lambda: not left_behind(studio))
    assert (await post(studio, encoded()))[0] == 200


async def test_a_token_of_one_project_posts_to_no_other(studio: OpenStudio) -> None:
    mine = Project(id=0, name="iris", repository="github.com/team/iris", repo_url=REPO, subdir="a")
    project = await studio.services.ingest.call(lambda writer: writer.add_project(mine))
    _, secret = studio.services.keeper.create("limited", ("ingest",), project.id)
    limited = studio.with_token(secret)

    async def say(path: str = "/api/live", **fields: Any) -> int:
        return (await limited("POST", path, json=body(**fields)))[0]

    assert await say(type="start", step=None, subdir="a") == 200
    assert await say() == 200
    assert await say(type="start", step=None, subdir="b") == 403
    assert await say(repo_url="https://github.com/team/other") == 403
    large = json.loads(large_body(20_000, repo_url="https://github.com/team/other"))
    assert (await limited("POST", "/api/live", json=large))[0] == 403
    beat = {"repo_url": "https://x.org/y", "baseline_sha": SHA, "name": "r", "writer": "w"}
    assert (await limited("POST", "/api/live/beats", json={"beats": [beat]}))[0] == 403
    assert left_behind(studio) == []


async def test_a_token_without_the_scope_posts_nothing(studio: OpenStudio) -> None:
    _, secret = studio.services.keeper.create("reader", ("read",))

    assert (await studio.with_token(secret)("POST", "/api/live", json=body()))[0] == 403
    assert (await studio.with_token("lst_" + "x" * 43)("POST", "/api/live", json=body()))[0] == 401
    assert (await studio.with_token(None)("POST", "/api/live", json=body()))[0] == 401


async def test_no_room_is_503_with_a_time(tmp_path: Path) -> None:
    async with (
        open_studio(tmp_path / "data", limits=StudioLimits(max_queued=0)) as place,
        place.client.session.post(f"{place.url}/api/live", json=body(), headers=place.client.headers) as answer,
    ):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "come again" in (await answer.json())["detail"]


# -- beats


async def test_beats_are_noted(studio: OpenStudio) -> None:
    await post(studio, encoded(), Livestream_Update="w/1/1/1/1")
    beat = {"repo_url": REPO, "baseline_sha": SHA, "name": "brave-otter", "writer": "w", "rows": 7, "oldest_s": 3}

    for packed in (json.dumps({"beats": [beat]}).encode(), json.dumps({"beats": [beat] * 1_000}).encode()):
        status, answer = await post(studio, gzip.compress(packed), "/api/live/beats", Content_Encoding="gzip")
        assert status == 200, answer

    assert await post(studio, b'{"beats": []}', "/api/live/beats") == (200, {"beats": 0})
    assert (await post(studio, b'{"beats": [{}]}', "/api/live/beats"))[0] == 400
    (row,) = await studio.services.readers.ask(lambda reader: reader.rows([1]))
    assert (row.facts.writers["w"].backlog_rows, row.facts.writers["w"].beat_us is None) == (7, False)


# -- large bodies


async def test_a_large_body_is_answered_before_it_is_applied_and_readable_after(studio: OpenStudio) -> None:
    status, answer = await post(studio, large_body(100_000))

    assert (status, answer) == (200, {"experiment": None})
    await eventually(lambda: not studio.services.ingest.pending_bytes)
    (series,) = await studio.services.readers.ask(lambda reader: reader.series(1))
    assert (series.count, series.last_step) == (100_000, 99_999)
    assert left_behind(studio) == []


async def test_a_large_update_moves_its_mark_once_all_of_it_is_in(studio: OpenStudio) -> None:
    for _ in range(2):
        assert (await post(studio, large_body(60_000), Livestream_Update="w/1/5/1/1"))[0] == 200
    await eventually(lambda: not studio.services.ingest.pending_bytes)

    (row,) = await studio.services.readers.ask(lambda reader: reader.rows([1]))
    assert (row.facts.writers["w"].mark, row.facts.writers["w"].gaps) == (5, [])
    (series,) = await studio.services.readers.ask(lambda reader: reader.series(1))
    assert series.count == 60_000
    assert studio.services.counters.points_new == 60_000


@pytest.mark.parametrize("kind", ["start", "done"])
async def test_a_large_start_or_done_means_what_a_small_one_does(studio: OpenStudio, kind: str) -> None:
    for _ in range(2):
        errors = [{"cls": "E", "text": "t"}] if kind == "done" else []
        payload = large_body(30_000, type=kind, params={"p": {"a": 1}}, errors=errors)
        assert (await post(studio, payload))[0] == 200
    await eventually(lambda: not studio.services.ingest.pending_bytes)

    (row,) = await studio.services.readers.ask(lambda reader: reader.rows([1]))
    assert row.facts.session == 1
    assert (row.facts.done_us is not None) == (kind == "done")
    assert len(row.facts.errors) == len(errors)
    assert msgspec.json.decode(row.params) == {"p": {"a": 1}}


async def test_images_of_megabytes_come_whole(studio: OpenStudio) -> None:
    content = PNG + os.urandom(5_000_000)

    assert (await post(studio, encoded(plots={"a.png": {"image": picture(content)}})))[0] == 200

    await eventually(lambda: not studio.services.ingest.pending_bytes)
    (image,) = await studio.services.readers.ask(lambda reader: reader.images(1))
    assert studio.services.blobs.path(image.sha256).read_bytes() == content

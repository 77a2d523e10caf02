from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import msgspec
import pytest
from studio_stage import Client, OpenStudio, body, eventually, open_studio, scalars, token_for

from livestream.events import Json, JsonObject
from livestream.studio.http import feed as feed_module

SOON_S = 10.0


class Event(msgspec.Struct, frozen=True):
    """One event of a server-sent stream."""

    id: int
    name: str
    data: JsonObject


class Stream:
    """Reads an open feed."""

    def __init__(self, lines: aiohttp.StreamReader) -> None:
        self._lines = lines

    async def next(self) -> Event:
        fields: dict[str, str] = {}
        async with asyncio.timeout(SOON_S):
            async for line in self._lines:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    return Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
        raise AssertionError("the stream ended")

    async def until(self, name: str, **wanted: Json) -> Event:
        """Give the next event of a name whose data has these values."""
        while True:
            event = await self.next()
            if event.name == name and wanted.items() <= event.data.items():
                return event


def feed(client: Client, **query: str) -> Json:
    return client.session.get(client.url + "/api/feed", headers=client.headers, params=query)


async def test_a_signed_in_tab_follows_by_its_cookie_and_projects_come_as_experiment_0(studio: OpenStudio) -> None:
    keeper = studio.services.keeper
    session = keeper.sign_in(keeper.new_sign_in_code())
    # As an EventSource sends it: no token, no Origin on the way to its own site.
    headers = {"Cookie": f"{keeper.cookie}={session}", "Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession() as tab, tab.get(f"{studio.url}/api/feed?since=0", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        stream = Stream(answer.content)
        await stream.until("hello", seq=0)
        made = {"repo_url": "https://example.com/team/project.git", "subdir": "vision"}
        assert (await studio.client("POST", "/api/projects", json=made))[0] == 200
        assert (await stream.until("change", experiment=0)).data["kind"] == "project"
        await studio.client.post(body(step=1))
        assert (await stream.until("change", kind="data")).data["experiment"] == 1


async def test_a_change_reaches_an_open_page_with_what_changed(studio: OpenStudio) -> None:
    async with feed(studio.client) as answer:
        stream = Stream(answer.content)
        assert answer.content_type == "text/event-stream"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert (await stream.next()).name == "hello"
        await studio.client.post(
            body(step=3, metrics={"dvclive/metrics.json": {"data": {"loss": 0.5}}}, plots=scalars([(3, 0.5)]))
        )

        event = await stream.until("change")

    assert event.data["metrics"] == {"dvclive/metrics.json": {"loss": 0.5}}
    assert event.data["plots"] == ["dvclive/plots/metrics/train/loss.tsv"]
    assert (event.data["step"], event.data["seq"], event.id) == (3, event.id, event.id)


async def test_projects_that_are_made_and_deleted_reach_an_open_page(studio: OpenStudio) -> None:
    async with feed(studio.client) as answer:
        stream = Stream(answer.content)
        await stream.next()
        status, project = await studio.client("POST", "/api/projects", json={"repo_url": "https://github.com/a/b"})
        made = await stream.until("change")
        assert (await studio.client("DELETE", f"/api/projects/{project['id']}"))[0] == 200
        deleted = await stream.until("change")

    assert status == 200
    assert [(news.data["experiment"], news.data["kind"]) for news in (made, deleted)] == [(0, "project")] * 2
    assert made.id < deleted.id == studio.services.broker.last_seq


async def test_after_a_break_a_page_is_told_the_rest_once(studio: OpenStudio) -> None:
    await studio.client.post(body(step=1, name="one"))
    async with feed(studio.client) as answer:
        seen = (await Stream(answer.content).next()).id
    await studio.client.post(body(step=1, name="two"))
    await studio.client.post(body(step=1, name="three"))
    again = Client(studio.client.session, studio.url, None)
    again.headers = studio.client.headers | {"Last-Event-ID": str(seen)}

    async with feed(again) as answer:
        stream = Stream(answer.content)
        hello, two, three = await stream.next(), await stream.next(), await stream.next()
        await studio.client.post(body(step=2, name="one"))
        fresh = await stream.until("change")

    assert (hello.name, hello.id) == ("hello", seen)
    assert seen < two.id < three.id < fresh.id
    assert len({two.data["experiment"], three.data["experiment"], fresh.data["experiment"]}) == 3


@pytest.mark.parametrize("last_id", ["999999999", "nonsense", "-1"])
async def test_a_place_that_is_none_of_ours_is_answered_by_a_reset(studio: OpenStudio, last_id: str) -> None:
    await studio.client.post(body(step=1))
    studio.client.headers["Last-Event-ID"] = last_id

    async with feed(studio.client) as answer:
        event = await Stream(answer.content).until("reset")

    assert event.data["seq"] == event.id == studio.services.broker.last_seq


async def test_polling_tells_the_same_as_the_stream(studio: OpenStudio) -> None:
    await studio.client.post(body(step=0))
    start = (await studio.client.get("/api/changes"))["last"]
    waiting = asyncio.create_task(studio.client.get("/api/changes", since=str(start), wait_s="20"))
    await asyncio.sleep(0)
    await studio.client.post(body(step=1))

    news = await asyncio.wait_for(waiting, SOON_S)

    (change,) = news["changes"]
    assert (change["seq"], news.get("reset", False)) == (news["last"], False)
    assert await studio.client.get("/api/changes", since=str(news["last"])) == {
        "changes": [],
        "last": news["last"],
        "reset": False,
    }
    assert (await studio.client.get("/api/changes", since="99999"))["reset"]


async def test_bad_questions_name_the_parameter(studio: OpenStudio) -> None:
    for path in ("/api/changes?since=x", "/api/changes?since=-1", "/api/feed?since=x", "/api/changes?wait_s=61"):
        status, answer = await studio.client("GET", path)
        assert status == 400
        assert "query" in answer["detail"]
    assert (await studio.with_token(None)("GET", "/api/feed"))[0] == 401


async def test_a_token_of_one_project_hears_of_that_project_only(studio: OpenStudio, tmp_path: Path) -> None:
    await studio.client.post(body(step=1))
    (project,) = await studio.services.readers.ask(lambda reader: reader.projects())
    client = studio.with_token(token_for(tmp_path / "data", "limited", "read", project=project.id))

    async with feed(client) as answer:
        stream = Stream(answer.content)
        await stream.next()
        await studio.client.post(body(step=1, repo_url="https://github.com/other/one"))
        await studio.client.post(body(step=2, name="seen"))
        event = await stream.until("change", kind="data")

    polled = await client.get("/api/changes")
    assert len({change["experiment"] for change in polled["changes"]} - {0}) == 2
    assert event.data["experiment"] in {change["experiment"] for change in polled["changes"]}
    assert event.data["step"] == 2


async def test_viewers_are_counted(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        counters = studio.services.counters
        async with feed(studio.client) as answer:
            await eventually(lambda: counters.viewers == 1)
            await Stream(answer.content).next()
        await eventually(lambda: counters.viewers == 0)


async def test_streams_end_with_the_server(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with open_studio(tmp_path / "data") as studio:
            client = Client(session, studio.url, token_for(tmp_path / "data", "one"))
            answer = await session.get(client.url + "/api/feed", headers=client.headers)
            stream = Stream(answer.content)
            await stream.next()
            studio.services.broker.publish_passing(1, 0)
            await stream.until("change", experiment=1)
        async with asyncio.timeout(1):
            rest = await answer.content.read()
        answer.close()

    assert rest == b""


async def test_a_stream_ends_when_its_token_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(feed_module, "LOOK_S", 0.1)
    async with open_studio(tmp_path / "data") as studio:
        client = studio.with_token(token_for(tmp_path / "data", "one", "read"))
        async with feed(client) as answer, asyncio.timeout(SOON_S):
            while await answer.content.readline() != b": still here\n":
                pass
            studio.services.keeper.revoke_all()
            await answer.content.read()


async def test_a_head_of_the_feed_ends(studio: OpenStudio) -> None:
    status, _ = await asyncio.wait_for(studio.client("HEAD", "/api/feed"), SOON_S)

    assert status == 200

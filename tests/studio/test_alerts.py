"""Alerts of a whole Studio: what is kept, what is sent and how often, who may make one."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from studio_stage import Client, OpenStudio, RunningStudio, body, eventually, open_studio, scalars

from livestream.events import Json, JsonObject
from livestream.studio.alerts import keeper as keeping
from livestream.studio.alerts import rules as judging
from livestream.studio.alerts import sender as sending
from livestream.studio.alerts import watch as watching
from livestream.studio.alerts.keeper import NAME, Keeper, State, with_rule
from livestream.studio.alerts.parts import Parts
from livestream.studio.alerts.rules import Alert, Judged, Look, OnNan, OnPlateau, OnStatus, Rule, Window
from livestream.studio.alerts.sender import Sender
from livestream.studio.alerts.watch import read_window
from livestream.studio.backup import back_up
from livestream.studio.broker import Broker
from livestream.studio.clock import now_us
from livestream.studio.counters import Counters
from livestream.studio.settings import StatusBounds
from livestream.studio.store.base import Project, Reader
from livestream.studio.store.readers import Readers
from livestream.studio.store.sqlite.reader import SqliteReader

METRICS = "dvclive/metrics.json"
FAILS: JsonObject = {"kind": "status", "kinds": ["failed"]}


class Hook:
    """A server that takes alerts; ``answers`` are given one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.came: list[Json] = []
        self.answers: list[int] = [200]
        self.delay_s = 0.0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(await request.json())
        await asyncio.sleep(self.delay_s)
        status = self.answers[min(len(self.came), len(self.answers)) - 1]
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hook.take)
    async with TestServer(app) as server:
        hook.url = str(server.make_url("/secret-path?key=secret-key"))
        yield hook


async def make(client: Client, url: str, on: JsonObject = FAILS, **more: Json) -> JsonObject:
    status, made = await client("POST", "/api/alerts", json={"name": "told", "on": on, "url": url} | more)
    assert status == 200, made
    found: JsonObject = made
    return found


async def fail(client: Client, name: str, text: str = "broke") -> None:
    await client.post(body("start", name))
    await client.post(body("done", name, errors=[{"cls": "ValueError", "text": text}]))


async def settle(studio: OpenStudio) -> None:
    """Wait until all that came was looked at and nothing waits: the next look is a second away at most."""
    await asyncio.sleep(1.3)
    await eventually(lambda: not studio.services.alerts.state.waiting)


# -- a whole Studio


async def test_a_run_that_fails_is_told_once_also_over_a_restart(tmp_path: Path, hook: Hook) -> None:
    async with open_studio(tmp_path / "data", public_url="https://studio.example.com/base/") as studio:
        await fail(studio.client, "before")
        rule = await make(studio.client, hook.url)
        await fail(studio.client, "first")
        await eventually(lambda: hook.came)
        await studio.client.post(body("done", "first", errors=[{"cls": "ValueError", "text": "broke"}]))
        await settle(studio)
        (found,) = (await studio.client.get("/api/alerts"))["alerts"]
        assert (found["last"]["ok"], found["holds"], found["waiting"]) == (True, 2, 0)
        metrics = await studio.client.get("/metrics")
        assert "livestream_studio_alerts_sent_total 1\n" in metrics
    (told,) = hook.came
    assert told | {"time": 0, "rule": 0} == {
        "alert": 1,
        "kind": "status",
        "rule": 0,
        "experiment": {
            "id": 2,
            "name": "first",
            "repository": "github.com/octo/iris",
            "baseline_sha": "a1b2c3d4" * 5,
            "message": None,
            "step": None,
        },
        "status": "failed",
        "reason": "failed: ValueError: broke",
        "value": None,
        "url": "https://studio.example.com/base/experiments/2",
        "time": 0,
    }
    assert told["rule"] == {"id": rule["id"], "name": "told"}

    async with open_studio(tmp_path / "data") as studio:
        await settle(studio)
        assert len(hook.came) == 1, "a restart tells nothing again"
        await studio.client.post(body("start", "first", message="once more"))
        await asyncio.sleep(1.2)
        await fail(studio.client, "second")
        await studio.client.post(body("done", "first", errors=[{"cls": "E", "text": "again"}]))
        await eventually(lambda: len(hook.came) == 3)
    assert [one["alert"] for one in hook.came] == [1, 2, 3]
    assert {one["experiment"]["name"] for one in hook.came[1:]} == {"first", "second"}


async def test_what_a_kill_left_unsent_is_sent_by_the_next_start(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [503, 200]
    with RunningStudio(tmp_path / "data", {}, "--no-announce") as studio:
        async with aiohttp.ClientSession() as session:
            client = Client(session, studio.url, studio.token)
            await make(client, hook.url)
            await fail(client, "run")
            await eventually(lambda: hook.came)
            studio.kill()
            studio.start()
            await eventually(lambda: len(hook.came) == 2)
    assert hook.came[0] == hook.came[1] | {"url": hook.came[0]["url"]}


async def test_nan_thresholds_and_plateaus_are_told_from_what_trainings_send(studio: OpenStudio, hook: Hook) -> None:
    client = studio.client
    await make(client, hook.url, {"kind": "nan"}, name="nan", format="slack")
    await make(client, hook.url, {"kind": "threshold", "condition": "metrics.train.loss>5"}, name="high")
    await make(client, hook.url, {"kind": "plateau", "metric": "train/loss", "patience_steps": 50}, name="flat")
    losses = [(step, 1 / (step + 1)) for step in range(40)] + [(step, 0.5) for step in range(40, 120)]
    await client.post(body(name="<!here>", step=120, plots=scalars(losses)))
    await client.post(body(name="<!here>", step=121, metrics={METRICS: {"data": {"train": {"loss": "nan"}}}}))
    await client.post(body(name="other", step=1, metrics={METRICS: {"data": {"train": {"loss": 7}}}}))
    await eventually(lambda: len(hook.came) == 3)
    await settle(studio)

    texts = sorted(one.get("text", one.get("reason")).splitlines()[-1] for one in hook.came)
    assert [one.get("value") for one in hook.came if "value" in one].count(7) == 1
    assert texts[1:] == [
        "metrics.train.loss>5: it is 7",
        "train/loss did not get better for 50 steps; the best was 0.025",
    ]
    (slack,) = [one["text"] for one in hook.came if "text" in one]
    assert slack.startswith("*nan*\n&lt;!here&gt;: train/loss is NaN\nhttp://")


async def test_a_run_that_falls_silent_is_told_though_nothing_comes(tmp_path: Path, hook: Hook) -> None:
    async with open_studio(tmp_path / "data", bounds=StatusBounds(quiet_silent_s=1, quiet_lost_s=1000)) as studio:
        await make(studio.client, hook.url, {"kind": "status", "kinds": ["silent"]})
        await studio.client.post(body("start", "quiet"))
        await eventually(lambda: hook.came)
    assert (hook.came[0]["status"], len(hook.came)) == ("silent", 1)


async def test_a_run_that_cannot_be_judged_keeps_no_other_from_being_told(
    studio: OpenStudio, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = judging.judge

    def judge(rules: Sequence[Rule], look: Look, projects: Mapping[int, Project]) -> Judged:
        if look.row.identity.name == "odd":
            raise ValueError("odd")
        return plain(rules, look, projects)

    monkeypatch.setattr(watching, "judge", judge)
    await make(studio.client, hook.url)
    await fail(studio.client, "odd")
    await fail(studio.client, "even")
    await settle(studio)
    assert [one["experiment"]["name"] for one in hook.came] == ["even"]


async def test_a_window_is_the_best_before_and_since(studio: OpenStudio) -> None:
    rows = [(step, 100.0 - step) for step in range(3_000)] + [(4_000, 7.0)]
    await studio.client.post(body(name="run", step=1, plots=scalars(rows)))

    def window(on: OnPlateau) -> Callable[[Reader], Window | None]:
        return lambda reader: read_window(reader, 1, on)

    ask = studio.services.readers.ask
    assert await ask(window(OnPlateau("train/loss", 1))) == Window(-2899.0, 7.0)
    assert await ask(window(OnPlateau("train/loss", 1_003))) == Window(-2897.0, -2899.0)
    assert await ask(window(OnPlateau("train/loss", 1_003, goal="maximum"))) == Window(100.0, 7.0)
    assert await ask(window(OnPlateau("train/loss", 10_000))) == Window(None, -2899.0)
    assert await ask(window(OnPlateau("acc", 1))) is None


# -- making and changing rules


async def test_the_address_is_never_shown_and_a_rule_can_be_changed(studio: OpenStudio, hook: Hook) -> None:
    client = studio.client
    made = await make(client, hook.url)
    assert made["host"].startswith("127.0.0.1:")
    await fail(client, "first")
    await eventually(lambda: hook.came)
    wish = {"name": "other", "on": FAILS, "enabled": False}
    status, changed = await client("PUT", f"/api/alerts/{made['id']}", json=wish)
    assert (status, changed["name"], changed["enabled"], changed["host"]) == (200, "other", False, made["host"])
    await fail(client, "while it is off")
    await settle(studio)
    status, changed = await client("PUT", f"/api/alerts/{made['id']}", json=wish | {"enabled": True})
    assert (status, changed["holds"]) == (200, 2)
    await settle(studio)
    assert len(hook.came) == 1, "what became so while it was off is told by nobody"
    status, result = await client("POST", f"/api/alerts/{made['id']}/test")
    assert (status, result["ok"], hook.came[-1]["kind"]) == (200, True, "test")
    shown = json.dumps(await client.get("/api/alerts"))
    assert "secret" not in shown + json.dumps([made, changed, result])
    assert (await client("DELETE", f"/api/alerts/{made['id']}"))[0] == 200
    for method, path in (("DELETE", "1"), ("POST", "1/test"), ("PUT", "1")):
        assert (await client(method, f"/api/alerts/{path}", json=wish))[0] == 404
    assert (await make(client, hook.url))["id"] == 2, "a number is not used again"


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"url": "file:///etc/passwd"}, "body.url"),
        ({"name": " \u202e"}, "body.name"),
        ({"on": {"kind": "threshold", "condition": "loss > 5"}}, "body.on"),
        ({"on": {"kind": "nan", "metric": "[["}}, "body.on"),
        ({"on": {"kind": "status", "kinds": ["burning"]}}, "$.on.kinds"),
        ({"on": {"kind": "plateau", "metric": "loss", "patience_steps": 0}}, "$.on.patience_steps"),
        ({"on": {"kind": "else"}}, "$.on"),
        ({"project": 99}, "body.project"),
        ({"more": 1}, "more"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_at_its_field(studio: OpenStudio, wish: JsonObject, field: str) -> None:
    good = {"name": "a", "on": FAILS, "url": "http://127.0.0.1:9/"}

    status, answer = await studio.client("POST", "/api/alerts", json=good | wish)

    assert (status, field in answer["detail"]) == (400, True), answer


async def test_there_is_an_end_to_rules(studio: OpenStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestream.studio.alerts.desk.MAX_RULES", 1)
    await make(studio.client, "http://127.0.0.1:9/")
    good = {"name": "a", "on": FAILS, "url": "http://127.0.0.1:9/"}
    assert (await studio.client("POST", "/api/alerts", json=good))[0] == 409


async def test_only_admins_and_only_the_studios_own_pages(studio: OpenStudio) -> None:
    keeper = studio.services.keeper
    good = {"name": "a", "on": FAILS, "url": "http://127.0.0.1:9/"}
    await make(studio.client, "http://127.0.0.1:9/")
    reading = studio.with_token(keeper.create("reading", ("read", "ingest"))[1])
    for method, path in (("GET", ""), ("POST", ""), ("PUT", "/1"), ("DELETE", "/1"), ("POST", "/1/test")):
        assert (await reading(method, f"/api/alerts{path}", json=good))[0] == 403
        assert (await studio.with_token(None)(method, f"/api/alerts{path}", json=good))[0] == 401
    by_cookie = studio.with_token(None)
    by_cookie.headers = {"Cookie": f"{keeper.cookie}={keeper.sign_in(keeper.new_sign_in_code())}"}
    evil = {"Origin": "https://evil.example"}
    for headers in (evil, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert (await by_cookie("POST", "/api/alerts", json=good, headers=headers))[0] == 403
        form = headers | {"Content-Type": "text/plain"}
        assert (await by_cookie("POST", "/api/alerts/1/test", data="{}", headers=form))[0] == 403
    own = {"Origin": studio.url}
    assert (await by_cookie("POST", "/api/alerts", data="name=a", headers=own | {"Content-Type": "text/plain"}))[
        0
    ] == 415
    assert (await by_cookie("POST", "/api/alerts", json=good, headers=own))[0] == 200


# -- what is kept


RULE = Rule(id=1, name="a", project=None, on=OnStatus(("failed",)), enabled=True, url="", format="json", created_us=1)


async def test_rules_are_private_and_whole(tmp_path: Path) -> None:
    first = Keeper(tmp_path)
    await first.change(lambda state: with_rule(state, RULE, [3]))
    (tmp_path / f".{NAME}.0123").write_bytes(b"half")

    second = Keeper(tmp_path)

    assert second.state == first.state
    assert second.state.holds == {1: frozenset({3})}
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]


async def test_a_backup_holds_the_rules(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        await make(studio.client, "http://127.0.0.1:9/")
    back_up(tmp_path / "data", tmp_path / "copy")

    assert list(Keeper(tmp_path / "copy").state.rules) == [1]
    assert stat.S_IMODE((tmp_path / "copy" / NAME).stat().st_mode) == 0o600


async def test_what_cannot_be_written_is_not_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(tmp_path)
    await keeper.change(lambda state: with_rule(state, RULE, ()))

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        await keeper.change(lambda state: keeping.without_rule(state, 1))
    assert list(keeper.state.rules) == [1]
    assert list(Keeper(tmp_path).state.rules) == [1]


async def test_a_caller_that_leaves_does_not_tear_memory_from_disk(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    task = asyncio.create_task(keeper.change(lambda state: with_rule(state, RULE, ())))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await keeper.settled()

    assert keeper.state == Keeper(tmp_path).state


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"rules": {"a": 1}}', b"\xff\xfe", b'{"next_rule": "x"}'])
async def test_a_damaged_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)

    assert Keeper(tmp_path).state == State()
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == content


# -- how it is sent


class Sent:
    """A sender with one rule, and pauses of a test."""

    def __init__(self, keeper: Keeper, sender: Sender, counters: Counters) -> None:
        self.keeper = keeper
        self.sender = sender
        self.counters = counters

    async def send(self, *numbers: int) -> None:
        """Send alerts, and wait until none waits."""
        alerts = tuple(ALERT if number == 1 else msgspec.structs.replace(ALERT, id=number) for number in numbers)
        await self.keeper.change(lambda state: msgspec.structs.replace(state, waiting=alerts))
        self.sender.take(alerts)
        await eventually(lambda: not self.keeper.state.waiting)

    @property
    def detail(self) -> str:
        return self.keeper.state.results[1].detail


ALERT = Alert(
    id=1,
    rule=1,
    time_us=1,
    experiment=5,
    name="run",
    repository="host/r",
    baseline_sha="a" * 40,
    message=None,
    step=1,
    status="failed",
    reason="failed",
    value=None,
)


@asynccontextmanager
async def sender_to(data: Path, url: str, timeout_s: float = 10) -> AsyncIterator[Sent]:
    keeper, counters = Keeper(data), Counters()
    await keeper.change(lambda state: with_rule(state, msgspec.structs.replace(RULE, url=url), ()))
    readers = Readers(lambda: SqliteReader(data))
    parts = Parts(Broker(), readers, counters, StatusBounds(), lambda *_: False, "http://studio", now_us)
    sender = Sender(keeper, parts, pauses_s=(0.01, 0.01, 0.01, 0.01), timeout_s=timeout_s)
    try:
        yield Sent(keeper, sender, counters)
    finally:
        await sender.stop()
        await readers.close()


@pytest.mark.parametrize(
    ("answers", "tries", "ok"),
    [
        ([200], 1, True),
        ([204], 1, True),
        ([500, 503, 429, 408, 200], 5, True),
        ([500], 5, False),
        ([404], 1, False),
        ([410], 1, False),
        ([302], 1, False),
        ([307], 1, False),
    ],
)
async def test_what_may_pass_is_tried_again(
    tmp_path: Path, hook: Hook, answers: list[int], tries: int, *, ok: bool
) -> None:
    hook.answers = answers
    async with sender_to(tmp_path, hook.url) as sent:
        await sent.send(1)
        assert (len(hook.came), sent.keeper.state.results[1].ok) == (tries, ok)
        assert (sent.counters.alerts_sent, sent.counters.alerts_failed) == (int(ok), int(not ok))
        assert str(answers[-1]) in sent.detail


async def test_one_that_is_slow_or_gone_holds_nothing_and_its_address_is_not_told(tmp_path: Path, hook: Hook) -> None:
    hook.delay_s = 5
    async with sender_to(tmp_path, hook.url, timeout_s=0.3) as sent:
        await sent.send(1)
        assert sent.detail == "no answer within 0.3 s"
        result = await sent.sender.test(sent.keeper.state.rules[1])
        assert not result.ok
        for url in ("http://127.0.0.1:1/secret", "http://nowhere.invalid/secret", "http://a..b/secret"):
            result = await sent.sender.test(msgspec.structs.replace(sent.keeper.state.rules[1], url=url))
            assert (result.ok, "secret" in result.detail) == (False, False)


async def test_nothing_of_the_environment_is_used(tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with sender_to(tmp_path, hook.url) as sent:
        await sent.send(1, 2, 3)
    assert sorted(one["alert"] for one in hook.came) == [1, 2, 3]


async def test_a_rule_that_is_gone_sends_nothing(tmp_path: Path, hook: Hook) -> None:
    async with sender_to(tmp_path, hook.url) as sent:
        off = msgspec.structs.replace(RULE, url=hook.url, enabled=False, on=OnNan())
        await sent.keeper.change(lambda state: with_rule(state, off, ()))
        await sent.send(1, 2)
    assert not hook.came


def test_the_bounds_are_those_that_the_docs_tell() -> None:
    text = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
    assert "tried five times within three minutes" in text
    assert len(sending.PAUSES_S) + 1 == 5
    assert sum(sending.PAUSES_S) + 5 * sending.TIMEOUT_S <= 180
    assert f"At most {keeping.MAX_RULES} rules" in text
    assert f"at most {keeping.MAX_WAITING} messages" in text

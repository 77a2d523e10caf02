from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import stat
import time
from pathlib import Path

import aiohttp
import pytest
from studio_stage import SHA, Client, OpenStudio, body, eventually, open_studio, scalars, token_for

from livestream.config import read_local_studio
from livestream.errors import ConfigError
from livestream.studio import server
from livestream.studio.server import StudioBusyError, read_state
from livestream.studio.settings import StatusBounds


async def test_what_is_posted_is_there_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_studio(data) as studio:
        await studio.client.post(body("start"))
        await studio.client.post(body(step=1, plots=scalars([(0, 0.5), (1, 0.25)])))
        await studio.client.post(body("done"))
    async with open_studio(data) as studio:
        (shown,) = (await studio.client.get("/api/experiments"))["experiments"]

    assert (shown["name"], shown["step"], shown["baseline_sha"]) == ("run", 1, SHA)
    assert shown["status"]["kind"] == "completed"


async def test_everything_in_the_folder_is_its_owners_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_studio(data) as studio:
        await studio.client.post(body(step=1))
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in data.rglob("*")}

    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {path for path, mode in modes.items() if mode & 0o077} == set()


async def test_a_folder_has_one_studio(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        with pytest.raises(StudioBusyError, match=re.escape(studio.url)):
            async with open_studio(tmp_path / "data"):
                pass
        state = read_state(tmp_path / "data")
        assert state is not None
        assert (state.pid, state.url) == (os.getpid(), studio.url)

    assert read_state(tmp_path / "data") is None


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: another program listens there; --port"):
            async with open_studio(tmp_path / "data", port=port):
                pass


async def test_a_host_that_is_no_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address of this machine"):
        async with open_studio(tmp_path / "data", host="not a host"):
            pass


async def test_others_are_let_in_only_where_a_token_is_set_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with pytest.raises(ConfigError, match="livestream token create"):
        async with open_studio(data, host="0.0.0.0"):
            pass
    token = token_for(data)

    async with open_studio(data, host="0.0.0.0") as studio:
        assert studio.studio.first_token is None
        assert studio.url.startswith("http://127.0.0.1:")
        assert await studio.with_token(token).get("/api/experiments")


async def test_the_first_start_makes_an_ingest_token_and_later_ones_none(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        first = studio.with_token(studio.studio.first_token)
        await first.post(body("start"))
        assert (await first("GET", "/api/experiments"))[0] == 403
    async with open_studio(tmp_path / "data") as studio:
        assert studio.studio.first_token is None


async def test_a_studio_is_announced_while_it_runs_and_its_token_stays(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    tokens = []
    for _ in range(2):
        async with open_studio(tmp_path / "data", environ, announce=True) as studio:
            found, problem = read_local_studio(environ)
            assert problem is None
            assert found is not None
            assert found.url == studio.url
            await studio.with_token(found.token.reveal()).post(body("start"))
            tokens.append(found.token)
        assert read_local_studio(environ) == (None, None)

    assert tokens[0] != tokens[1]


async def test_after_a_kill_the_announced_token_is_used_again(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    file = tmp_path / "config/livestream/studio.json"
    async with open_studio(tmp_path / "data", environ, announce=True):
        left = file.read_bytes()
    file.write_bytes(left)
    file.chmod(0o600)

    async with open_studio(tmp_path / "data", environ, announce=True) as studio:
        assert json.loads(file.read_bytes()) == {"url": studio.url, "token": json.loads(left)["token"]}


async def test_an_announcement_of_another_studio_stays_where_it_is(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    async with open_studio(tmp_path / "one", environ, announce=True):
        async with open_studio(tmp_path / "two", environ, announce=True) as second:
            pass
        assert read_local_studio(environ) == (None, None)
        del second


async def test_a_studio_is_found_again_after_another_one_came_and_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ANNOUNCE_S", 0.02)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    async with open_studio(tmp_path / "one", environ, announce=True):
        before = read_local_studio(environ)
        async with open_studio(tmp_path / "two", environ, announce=True):
            assert read_local_studio(environ) != before
        await eventually(lambda: read_local_studio(environ) == before)
    assert read_local_studio(environ) == (None, None)


async def test_the_announced_token_is_renewed_after_all_were_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ANNOUNCE_S", 0.02)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    async with open_studio(tmp_path / "data", environ, announce=True) as studio:
        before, _ = read_local_studio(environ)
        studio.services.keeper.revoke_all()
        await eventually(lambda: read_local_studio(environ)[0] != before)
        renewed, _ = read_local_studio(environ)
        assert renewed is not None
        await studio.with_token(renewed.token.reveal()).post(body("start"))
    assert read_local_studio(environ) == (None, None)


async def test_it_listens_on_ipv6_too(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data", host="::1") as studio:
        assert studio.url.startswith("http://[::1]:")
        assert (await studio.with_token(None).get("/healthz"))["status"] == "ok"


async def test_a_token_of_one_project_is_not_told_of_the_whole(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        await studio.client.post(body("start"))
        client = studio.with_token(token_for(tmp_path / "data", "limited", "read", project=1))
        assert (await client("GET", "/metrics"))[0] == 403


async def test_health_and_metrics_are_told(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as studio:
        await studio.client.post(body(step=1, plots=scalars([(0, 0.5), (1, 0.25)])))
        health = await studio.with_token(None).get("/healthz")
        text = await studio.client.get("/metrics")

    assert health["status"] == "ok"
    assert "livestream_studio_points_new_total 2\n" in text
    assert 'livestream_studio_experiments{status="running"} 1\n' in text
    assert re.search(r'^livestream_studio_answers_total\{route=".*/api/live",status="200"\} 1$', text, re.MULTILINE)
    assert all(re.fullmatch(r"#.*|\w+(\{.*\})? [-+.e\d]+", line) for line in text.splitlines())


async def test_a_run_that_falls_silent_is_told_by_time_alone_and_comes_back(tmp_path: Path) -> None:
    bounds = StatusBounds(quiet_silent_s=2.5, stalled_factor=0.0, quiet_lost_s=1000.0)
    async with open_studio(tmp_path / "data", bounds=bounds) as studio:
        await studio.client.post(body("start"))
        await studio.client.post(body(step=1))
        (shown,) = (await studio.client.get("/api/experiments"))["experiments"]
        last = studio.services.broker.last_seq
        path = f"/api/experiments/{shown['id']}/log"

        news = await studio.client.get("/api/changes", since=str(last), wait_s="20")
        silent = (await studio.client.get(path))["log"][-1]
        await studio.client.post(body(step=2))
        last = studio.services.broker.last_seq
        await studio.client.get("/api/changes", since=str(last), wait_s="20")
        running = (await studio.client.get(path))["log"][-1]

    assert shown["status"]["kind"] == "running"
    assert [(change["experiment"], change["kind"]) for change in news["changes"]] == [(shown["id"], "facts")]
    assert (silent["kind"], silent["detail"]["before"]) == ("silent", "running")
    assert (running["kind"], running["detail"]["before"]) == ("running", "silent")


@pytest.mark.parametrize(("lost_s", "kind"), [(1000.0, "silent"), (0.0, "lost")])
async def test_what_a_run_became_while_no_studio_ran_is_in_its_log_once(
    tmp_path: Path, lost_s: float, kind: str
) -> None:
    async def kinds(studio: OpenStudio, count: int) -> list[str]:
        """Wait for so many lines of the log, and a little for one too many."""
        deadline = time.monotonic() + 10
        while len(log := (await studio.client.get("/api/experiments/1/log"))["log"]) < count:
            assert time.monotonic() < deadline, log
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        log = (await studio.client.get("/api/experiments/1/log"))["log"]
        lines.update({line["kind"]: line["time"] for line in log})
        return [line["kind"] for line in log]

    data, lines = tmp_path / "data", dict[str, float]()
    async with open_studio(data) as studio:
        await studio.client.post(body("start"))
    bounds = StatusBounds(quiet_silent_s=0.001, stalled_factor=0.0, quiet_lost_s=lost_s)
    for _ in range(2):
        async with open_studio(data, bounds=bounds) as studio:
            assert await kinds(studio, 2) == ["started", kind]
            assert lines[kind] == (await studio.client.get("/api/experiments/1"))["status"]["since"]
    async with open_studio(data) as studio:
        assert await kinds(studio, 3) == ["started", kind, "running"]
        await studio.client.post(body("done", errors=[{"cls": "E", "text": "t"}]))
        assert await kinds(studio, 4) == ["started", kind, "running", "failed"]


async def test_a_request_in_flight_is_answered_at_the_end(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with open_studio(tmp_path / "data") as studio:
            client = Client(session, studio.url, token_for(tmp_path / "data", "one"))
            waiting = asyncio.create_task(client("GET", "/api/changes", params={"since": "0", "wait_s": "60"}))
            await eventually(lambda: studio.services.broker.waiting)

        assert (await waiting)[0] == 200


async def test_a_client_that_does_not_read_holds_the_end_up_no_longer_than_others_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DRAIN_S", 1.0)
    clock = asyncio.get_running_loop().time
    with socket.socket() as deaf:
        async with open_studio(tmp_path / "studio") as studio:
            for first in range(0, 60_000, 5_000):
                await studio.client.post(body(plots=scalars([(first + step, 0.5) for step in range(5_000)])))
            address = studio.url.removeprefix("http://")
            token = studio.client.headers["Authorization"]
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", int(address.partition(":")[2])))
            asked = f"GET /api/experiments/1/export HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n\r\n"
            deaf.sendall(asked.encode())
            assert await asyncio.to_thread(deaf.recv, 15) == b"HTTP/1.1 200 OK"
            stopping_at = clock()

        assert 0.9 < clock() - stopping_at < 1.7

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

from livestream.daemon.control import ControlServer, socket_path
from livestream.events import JsonObject


async def echo(request: JsonObject) -> JsonObject:
    if request.get("op") == "fail":
        raise ValueError("no such letter")
    return {"ok": True, "said": request}


async def ask(path: Path, line: bytes) -> JsonObject:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    await writer.drain()
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    parsed: JsonObject = json.loads(answer)
    return parsed


async def test_a_request_is_answered_and_the_socket_is_for_this_user_only(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "c.sock", echo)
    await server.open()
    try:
        assert await ask(server.path, b'{"op": "ping"}\n') == {"ok": True, "said": {"op": "ping"}}
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    finally:
        await server.close()
    assert not server.path.exists()


async def test_nonsense_and_failures_get_an_answer_and_the_server_goes_on(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "c.sock", echo)
    await server.open()
    try:
        assert (await ask(server.path, b"not json\n"))["ok"] is False
        assert (await ask(server.path, b"[1, 2]\n"))["ok"] is False
        assert await ask(server.path, b'{"op": "fail"}\n') == {"ok": False, "detail": "fail: no such letter"}
        assert (await ask(server.path, b'{"op": "ping"}\n'))["ok"] is True
    finally:
        await server.close()


async def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    first = ControlServer(tmp_path / "c.sock", echo)
    await first.open()
    second = ControlServer(tmp_path / "c.sock", echo)
    await second.open()
    try:
        assert (await ask(second.path, b'{"op": "ping"}\n'))["ok"] is True
    finally:
        await second.close()
        await first.close()


def test_the_sockets_path_is_short_however_long_the_spools_is(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 12)

    path = socket_path(deep, {"XDG_RUNTIME_DIR": str(tmp_path)})

    assert len(os.fsencode(path.name)) < 30
    assert path != socket_path(tmp_path, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from livestream.client import post
from livestream.events import Event, Json, JsonObject, Spilled, decode
from livestream.spool.blobs import read_blob
from livestream.spool.layout import WriterInfo, read_writer_info, segment_numbers, segment_path, writer_folders

TOKEN = "isat_s3cr3t"
REPO_URL = "https://github.com/o/r.git"
SHA = "a1" * 20
IDENTITY: JsonObject = {"baseline_sha": SHA, "name": "run", "client": "dvclive"}
STUDIO: JsonObject = {"studio_token": TOKEN, "studio_repo_url": REPO_URL, "studio_url": "http://127.0.0.1:9"}
OF_OTHERS = ("DVC_", "STUDIO_", "LIVESTREAM_", "XDG_", "GIT_", "CI")


class Queue(msgspec.Struct, frozen=True):
    """What one writer left in a spool."""

    info: WriterInfo
    events: list[Event]
    spilled: int


class Scene:
    """A spool of a test's own, with nobody who delivers, and the words said in the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.said: list[str] = []

    def post(self, event_type: str, **more: Json) -> bool | None:
        return post.post_live_metrics(event_type, **{**IDENTITY, **STUDIO, **more})  # type: ignore[arg-type]

    def queues(self) -> list[Queue]:
        """End what is open and read everything, oldest writer first."""
        end_sessions()
        return read_queues(self.spool)

    def events(self) -> list[Event]:
        return [event for queue in self.queues() for event in queue.events]


@contextmanager
def open_scene(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name in [name for name in os.environ if name.startswith(OF_OTHERS)]:
        patch.delenv(name)
    scene = Scene(folder)
    project = folder / "project"
    project.mkdir()
    patch.chdir(project)
    patch.setenv("HOME", str(folder))
    patch.setenv("LIVESTREAM_SPOOL", str(scene.spool))
    patch.setenv("LIVESTREAM_DAEMON", "off")
    patch.setenv("LIVESTREAM_SIGNALS", "off")
    post._said.clear()
    with listening("livestream", scene.said):
        yield scene
        end_sessions()


@contextmanager
def listening(name: str, said: list[str], level: int = logging.WARNING) -> Iterator[None]:
    """Collect what a logger says."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear, logger = Ear(level), logging.getLogger(name)
    before = logger.level
    logger.addHandler(ear)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before)


def end_sessions() -> None:
    post._sessions.end_at_exit()
    for session in post._sessions._ended:
        assert session.wait_sealed(10)
    post._sessions._ended.clear()


def read_queues(spool: Path) -> list[Queue]:
    return [read_queue(folder) for folder in writer_folders(spool)]


def read_queue(folder: Path) -> Queue:
    info = read_writer_info(folder)
    assert info is not None
    events: list[Event] = []
    spilled = 0
    for number in segment_numbers(folder):
        with closing(sqlite3.connect(f"file:{segment_path(folder, number)}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT body FROM event ORDER BY seq").fetchall()
        for (payload,) in rows:
            event = decode(payload)
            if isinstance(event, Spilled):
                spilled += 1
                inner = decode(read_blob(folder, event.blob))
                assert not isinstance(inner, Spilled)
                event = inner
            events.append(event)
    return Queue(info, events, spilled)


def wire_body(info: WriterInfo, event: Event) -> JsonObject:
    """Write a spooled event as the stock client would post it."""
    stored: JsonObject = msgspec.to_builtins(event)
    experiment: JsonObject = msgspec.to_builtins(info.experiment)
    head = {"type": stored["type"], **experiment, "client": info.client}
    known = ("machine", "message", "subdir", "step", "experiment_rev")
    return {**head, **{key: stored[key] for key in known if key in stored}, **stored.get("files", {})}


class StockStudio:
    """Takes what the stock client posts, and says yes."""

    def __init__(self) -> None:
        self.bodies: list[JsonObject] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def take(self) -> JsonObject | None:
        """Give what came since the last time, as the one body that it was before the stock client cut it."""
        whole: JsonObject = {}
        for body in self.bodies:
            whole |= body
        self.bodies.clear()
        return whole or None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

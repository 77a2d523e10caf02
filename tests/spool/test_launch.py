from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from training_cases import eventually, line, start

from livestream.errors import SpoolError
from livestream.files import write_whole
from livestream.spool import layout
from livestream.spool.launch import (
    CHECK_S,
    RESTART_S,
    Caretaker,
    Handover,
    ask_daemon,
    is_served,
    read_published,
    runtime_folder,
    start_daemon,
)
from livestream.spool.layout import Published

TOKEN = "isat_s3cr3t"
HANDOVER = Handover(url="https://studio", token=TOKEN, fingerprint="f" * 16)
STAND_IN = """
import json, os, sys, time
seen = {
    "argv": sys.argv,
    "stdin": sys.stdin.readline(),
    "environ": dict(os.environ),
    "cwd": os.getcwd(),
    "session": os.getsid(0) == os.getpid(),
    "files": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and
              os.path.exists(f"/proc/self/fd/{fd}")],
}
spool = sys.argv[2]
print("the daemon's own words", flush=True)
with open(f"{spool}/.seen", "w") as file:
    json.dump(seen, file)
os.rename(f"{spool}/.seen", f"{spool}/seen.{os.getpid()}")
time.sleep(float(os.environ.get("STAY_S", "60")))
"""


@pytest.fixture
def stand_in(spool: Path, tmp_path: Path, environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """An environment in which ``python -m livestream`` is a program that tells what it was started with."""
    layout.private_folder(spool)
    package = tmp_path / "path" / "livestream"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    yield environ | {"PYTHONPATH": str(package.parent)}
    for pid in started(spool):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def started(spool: Path) -> list[int]:
    return sorted(int(path.suffix[1:]) for path in spool.glob("seen.*"))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Answering:
    """A daemon's socket: answers each line by a function of it, and remembers what it was asked."""

    def __init__(self, spool: Path, answer: Callable[[bytes], bytes]) -> None:
        self.asked: list[dict[str, object]] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = spool / "socket"
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        publish(spool, socket=str(self._path))

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as lines:
                text = lines.readline()
                if text == b"stop\n":
                    return
                self.asked.append(json.loads(text))
                connection.sendall(self._answer(text))

    def close(self) -> None:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.connect(str(self._path))
            connection.sendall(b"stop\n")
        self._thread.join()
        self._listener.close()
        self._path.unlink()


def publish(spool: Path, **changes: object) -> None:
    told = Published(pid=1, host="h", version="1", socket="", spool_bytes=0, updated=time.time())
    write_whole(spool / layout.PUBLISHED_FILE, msgspec.json.encode(msgspec.structs.replace(told, **changes)))


@pytest.fixture
def serving(spool: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of the spool's daemon."""
    layout.private_folder(spool)
    script = """
    from livestream.spool.layout import *
    lock = FileLock(Path(sys.argv[1]))
    say(lock.take())
    sys.stdin.readline()
    """
    process = start(script, environ, spool / layout.DAEMON_LOCK)
    assert line(process) == "True"
    yield process
    process.kill()
    process.communicate()


def test_the_daemon_gets_its_spool_by_argv_and_the_token_by_its_input_alone(
    spool: Path, stand_in: dict[str, str]
) -> None:
    held = os.open(spool, os.O_RDONLY)
    os.set_inheritable(held, True)
    secrets = {"DVC_STUDIO_TOKEN": TOKEN, "STUDIO_TOKEN": TOKEN, "DVC_STUDIO_URL": "https://one.run"}
    process = start_daemon(spool, HANDOVER, stand_in | secrets | {"HTTPS_PROXY": "http://proxy"})
    eventually(lambda: started(spool) == [process.pid])
    os.close(held)
    process.kill()
    process.wait()

    seen = json.loads((spool / f"seen.{process.pid}").read_bytes())
    assert seen["argv"][1:] == ["daemon", str(spool), "--idle-exit", "30.0", "--started"]
    assert msgspec.json.decode(seen["stdin"], type=Handover) == HANDOVER
    assert TOKEN not in repr((seen["argv"], seen["environ"]))
    assert "DVC_STUDIO_URL" not in seen["environ"]
    assert seen["environ"]["HTTPS_PROXY"] == "http://proxy"
    assert (seen["cwd"], seen["session"]) == ("/", True)
    assert not [path for path in seen["files"] if str(spool.parent) in path and "/path/" not in path]
    log = spool / layout.DAEMON_LOG
    assert log.read_text() == "the daemon's own words\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_daemon_that_dies_at_once_is_no_error(spool: Path, environ: dict[str, str]) -> None:
    layout.private_folder(spool)
    process = start_daemon(spool, HANDOVER, environ | {"PYTHONHOME": "/nowhere"})

    assert process.wait(timeout=20) != 0
    assert "encodings" in (spool / layout.DAEMON_LOG).read_text()


def test_a_handover_never_shows_its_token() -> None:
    assert TOKEN not in repr(HANDOVER)
    assert TOKEN not in f"{HANDOVER} {[HANDOVER]}"


def test_a_daemon_that_died_is_started_again_but_not_sooner_than_30_s(spool: Path, stand_in: dict[str, str]) -> None:
    caretaker = Caretaker(spool, None, stand_in | {"STAY_S": "0"}, start=True)
    assert caretaker.introduced
    assert caretaker.tend(1000.0) == CHECK_S
    eventually(lambda: len(started(spool)) == 1)
    for now in (1000.0 + CHECK_S, 1000.0 + RESTART_S - 1):
        assert caretaker.tend(now) == CHECK_S
    assert len(started(spool)) == 1
    caretaker.tend(1000.0 + RESTART_S)

    eventually(lambda: len(started(spool)) == 2)
    eventually(lambda: not any(runs(pid) for pid in started(spool)))
    caretaker.tend(1000.0 + RESTART_S + 1)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in started(spool))


def test_nobody_starts_a_daemon_where_the_user_does_not_want_one(spool: Path, stand_in: dict[str, str]) -> None:
    caretaker = Caretaker(spool, HANDOVER, stand_in, start=False)
    introduced = [caretaker.introduced]
    assert caretaker.tend(0.0) == CHECK_S

    assert [*introduced, caretaker.introduced] == [False, True]
    assert not (spool / layout.DAEMON_LOG).exists()


def test_a_daemon_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    caretaker = Caretaker(tmp_path / "missing", HANDOVER, {}, start=True)

    assert caretaker.tend(0.0) == CHECK_S
    assert caretaker.tend(RESTART_S) == CHECK_S
    assert not caretaker.introduced


def test_a_daemon_that_serves_already_gets_the_token_over_its_socket_once(
    spool: Path, stand_in: dict[str, str], serving: subprocess.Popen[str]
) -> None:
    caretaker = Caretaker(spool, HANDOVER, stand_in, start=True)
    assert caretaker.tend(0.0) < 1.0  # it has the lock and has not published its socket yet: soon again
    introduced = [caretaker.introduced]
    daemon = Answering(spool, lambda _: b'{"ok": true}\n')
    try:
        for now in (1.0, 2.0, 3.0):
            assert caretaker.tend(now) == CHECK_S
        assert [*introduced, caretaker.introduced] == [False, True]
        assert daemon.asked == [{"op": "token", "url": "https://studio", "token": TOKEN, "fingerprint": "f" * 16}]

        publish(spool, socket=str(spool / "socket"), pid=2)  # another daemon, which knows nothing
        caretaker.tend(4.0)
        assert len(daemon.asked) == 2
    finally:
        daemon.close()
    assert started(spool) == []
    assert serving.poll() is None


def test_a_daemon_that_does_not_take_the_token_is_asked_again(
    spool: Path, stand_in: dict[str, str], serving: subprocess.Popen[str]
) -> None:
    answers = [b'{"ok": false}\n', b"nonsense\n", b"", b'{"ok": true}\n']
    daemon = Answering(spool, lambda _: answers.pop(0))
    caretaker = Caretaker(spool, HANDOVER, stand_in, start=True)
    try:
        told = []
        for now in range(4):
            assert caretaker.tend(float(now)) <= CHECK_S
            told.append(caretaker.introduced)
    finally:
        daemon.close()

    assert told == [False, False, False, True]
    assert serving.poll() is None


def test_a_spool_is_served_while_its_lock_is_held(spool: Path, serving: subprocess.Popen[str]) -> None:
    assert is_served(spool)
    serving.kill()
    serving.wait()

    assert not is_served(spool)


@pytest.mark.parametrize(
    "answer", [b"", b"not json\n", b"[1]\n", b'{"half": ', b"\xff\n"], ids=["nothing", "text", "list", "half", "bytes"]
)
def test_an_answer_that_is_none_is_none(answer: bytes, spool: Path) -> None:
    layout.private_folder(spool)
    daemon = Answering(spool, lambda _: answer)
    try:
        assert ask_daemon(spool, {"op": "ping"}) is None
    finally:
        daemon.close()
    assert ask_daemon(spool, {"op": "ping"}) is None  # nobody listens any more


def test_a_daemon_that_does_not_answer_is_not_waited_for(spool: Path) -> None:
    layout.private_folder(spool)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as silent:
        silent.bind(str(spool / "socket"))
        silent.listen()
        publish(spool, socket=str(spool / "socket"))
        before = time.monotonic()
        assert ask_daemon(spool, {"op": "ping"}, timeout_s=0.1) is None
        assert time.monotonic() - before < 5.0


def test_an_answer_of_any_length_is_read_whole(spool: Path) -> None:
    layout.private_folder(spool)
    daemon = Answering(spool, lambda _: b'{"text": "%s"}\n' % (b"x" * 300_000))
    try:
        assert ask_daemon(spool, {"op": "status"}) == {"text": "x" * 300_000}
        assert ask_daemon(spool, {"op": "ping"}) is not None
    finally:
        daemon.close()
    assert ask_daemon(spool, {"op": "ping"}) is None


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_what_no_daemon_published_is_nothing(content: bytes | None, spool: Path) -> None:
    layout.private_folder(spool)
    if content is not None:
        (spool / layout.PUBLISHED_FILE).write_bytes(content)

    assert read_published(spool) is None
    assert ask_daemon(spool, {"op": "ping"}) is None


def test_a_socket_path_that_no_system_takes_is_no_answer(spool: Path) -> None:
    layout.private_folder(spool)
    for path in ("x" * 200, "nul\0", "\udcff"):
        told = {"pid": 1, "host": "", "version": "", "socket": path, "spool_bytes": 0, "updated": 0.0}
        (spool / layout.PUBLISHED_FILE).write_text(json.dumps(told))
        assert ask_daemon(spool, {"op": "ping"}) is None


def test_the_runtime_folder_is_the_sessions_or_a_private_one(tmp_path: Path) -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "livestream"
    assert (tmp_path / "livestream").stat().st_mode & 0o777 == 0o700
    for missing in ({}, {"XDG_RUNTIME_DIR": str(tmp_path / "missing")}, {"XDG_RUNTIME_DIR": ""}):
        found = runtime_folder(missing)
        assert found == Path(f"/tmp/livestream-{os.getuid()}")
        assert found.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        os.chown(tmp_path / "livestream", 12345, -1)
        with pytest.raises(SpoolError):
            runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert sys.platform == "linux"

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from livestream.testing import Answer, FakeStudio, Link


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio() as running:
        running.check_order = False
        yield running


@pytest.fixture
def link(studio: FakeStudio) -> Iterator[Link]:
    with Link(studio.port) as opened:
        yield opened


def _through(link: Link, payload: bytes = b"{}") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=10)
    try:
        connection.request("POST", "/api/live", payload)
        return connection.getresponse().status
    finally:
        connection.close()


def test_what_goes_in_comes_out_on_connections_that_stay_open(link: Link, studio: FakeStudio) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=10)
    for size in (1, 100_000, 5_000_000):
        connection.request("POST", "/api/live", b"x" * size)
        answer = connection.getresponse()
        assert (answer.status, b"Invalid token" in answer.read()) == (401, True)
    connection.close()
    assert [entry.wire_size for entry in studio.ledger.requests] == [1, 100_000, 5_000_000]
    assert link.url == f"http://127.0.0.1:{link.port}"


def test_a_large_answer_arrives_whole_though_the_server_closes_behind_it(link: Link, studio: FakeStudio) -> None:
    page = b"y" * 8_000_000
    studio.script(Answer(status=200, headers={"Connection": "close"}, body=page))
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=10)
    connection.request("POST", "/api/live", b"{}")
    time.sleep(0.05)  # let buffers fill: whoever forwards must not drop what it holds
    assert connection.getresponse().read() == page
    connection.close()


def test_broken_it_resets_what_is_under_way_and_refuses_what_is_new(link: Link, studio: FakeStudio) -> None:
    studio.script(Answer.hang())
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            _through(link)
        except OSError as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    idle = socket.create_connection(("127.0.0.1", link.port), timeout=10)
    studio.ledger.wait_for(lambda ledger: len(ledger.requests) == 1)
    link.break_()
    assert link.broken
    waiting.join(10.0)
    assert isinstance(failed[0], ConnectionResetError)
    with pytest.raises(ConnectionResetError):
        idle.recv(1)
    idle.close()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            _through(link)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", link.port))


def test_mended_it_works_again_as_often_as_wanted_at_the_same_address(link: Link, studio: FakeStudio) -> None:
    port = link.port
    for _ in range(10):
        assert _through(link) == 401
        link.break_()
        link.break_()
        link.mend()
        link.mend()
        assert not link.broken
    assert link.port == port
    assert len(studio.ledger.requests) == 10


def test_a_server_that_is_away_shows_and_is_found_again(link: Link, studio: FakeStudio) -> None:
    studio.stop()
    with pytest.raises(ConnectionError):
        _through(link)
    studio.start()
    assert _through(link) == 401


def test_closed_it_gives_the_port_back_and_says_that_it_is_closed(studio: FakeStudio) -> None:
    link = Link(studio.port)
    assert _through(link) == 401
    link.close()
    link.close()
    for order in (link.mend, link.break_):
        with pytest.raises(RuntimeError, match="closed"):
            order()
    with Link(studio.port, link.port) as again:
        assert _through(again) == 401
    assert not [thread for thread in threading.enumerate() if thread.name == "link"]


def test_a_port_that_is_taken_is_an_error_and_leaves_no_thread(studio: FakeStudio) -> None:
    with pytest.raises(OSError, match="in use"):
        Link(studio.port, studio.port)
    assert not [thread for thread in threading.enumerate() if thread.name == "link"]


def test_many_connections_are_broken_at_once(link: Link) -> None:
    sockets = [socket.create_connection(("127.0.0.1", link.port), timeout=10) for _ in range(100)]
    began = time.monotonic()
    link.break_()
    assert time.monotonic() - began < 5.0
    for one in sockets:
        with pytest.raises(ConnectionResetError):
            one.recv(1)
        one.close()

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator

import orjson
import pytest
from fake_studio_cases import ask, body, loss, post

from livestream.testing import Answer, FakeStudio
from livestream.testing.script import Moment

RESET = (ConnectionResetError, BrokenPipeError)


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio() as running:
        assert post(running, body("start"))[0] == 200
        yield running


@pytest.fixture
def large() -> bytes:
    return orjson.dumps(body(params={"p.yaml": {"text": "x" * 5_000_000}}))


def post_until_it_ends(studio: FakeStudio, ends: list[BaseException]) -> None:
    try:
        post(studio, body())
    except (OSError, http.client.HTTPException) as error:
        ends.append(error)


@pytest.mark.parametrize("at", ["before_body", "mid_body", "before_answer"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_connection_can_be_reset_at_any_moment(studio: FakeStudio, large: bytes, at: Moment, size: str) -> None:
    studio.script(Answer.reset(at))
    with pytest.raises(RESET):
        post(studio, body() if size == "small" else large)
    studio.ledger.wait_for(lambda ledger: len(ledger.requests) == 2)
    assert post(studio, body())[0] == 200

    broken = studio.ledger.requests[1]
    assert (broken.status, broken.ingested) == (None, False)
    assert studio.ledger.experiment("run").order == ["start", "data"]
    assert studio.ledger.violations == []


def test_an_answer_can_break_off_in_the_middle(studio: FakeStudio) -> None:
    studio.script(Answer.reset("mid_answer", ingest=True))
    with pytest.raises(http.client.IncompleteRead):
        post(studio, body())
    assert studio.ledger.experiment("run").order == ["start", "data"]


@pytest.mark.parametrize("ingest", [True, False])
def test_an_update_whose_answer_never_came_was_stored_or_not(studio: FakeStudio, *, ingest: bool) -> None:
    studio.script(Answer.reset("before_answer", ingest=ingest))
    with pytest.raises(RESET):
        post(studio, body(plots=loss((1, 0.5))))
    post(studio, body(plots=loss((1, 0.5))))

    assert studio.ledger.repeats == studio.ledger.duplicates == int(ingest)
    assert studio.ledger.rows == 1 + int(ingest)


def test_a_lost_answer_ends_in_an_orderly_close(studio: FakeStudio) -> None:
    studio.script(Answer.lost())
    with pytest.raises(http.client.RemoteDisconnected):
        post(studio, body())
    assert studio.ledger.requests[-1].ingested


def test_a_status_other_than_200_can_hide_that_the_update_was_stored(studio: FakeStudio) -> None:
    studio.script(Answer(status=502, ingest=True), Answer(status=200, ingest=False))
    assert [post(studio, body())[0] for _ in range(2)] == [502, 200]
    assert [entry.ingested for entry in studio.ledger.requests[1:]] == [True, False]


def test_nothing_makes_it_store_what_breaks_the_rules(studio: FakeStudio) -> None:
    studio.script(Answer(status=200, ingest=True))
    assert post(studio, body(step="1"))[0] == 200
    assert not studio.ledger.requests[-1].ingested
    assert studio.ledger.violations == ["request 2: step: expected a whole number, got text"]


def test_pages_redirects_and_pauses_come_as_scripted(studio: FakeStudio) -> None:
    studio.script(Answer.html(200, "Log in"), Answer.redirect("https://elsewhere/", 307), Answer.late(0.2))

    status, page = post(studio, body())
    assert (status, b"<h1>Log in</h1>" in page) == (200, True)
    assert post(studio, body())[0] == 307
    begun = time.monotonic()
    assert post(studio, body()) == (200, b"{}")
    assert time.monotonic() - begun >= 0.2
    assert [entry.ingested for entry in studio.ledger.requests[1:]] == [False, False, True]


def test_a_rule_refuses_its_event_each_time_until_it_is_removed(studio: FakeStudio) -> None:
    rule = studio.rule(lambda content, _headers: content.get("step") == 13, Answer.error(400, "unlucky"))
    assert [post(studio, body(step=step))[0] for step in (12, 13, 13, 14)] == [200, 400, 400, 200]
    assert rule.hits == 2
    rule.remove()
    assert post(studio, body(step=13))[0] == 200
    assert studio.ledger.violations == []


def test_a_rule_sees_headers_and_the_first_rule_that_wants_a_request_has_it(studio: FakeStudio) -> None:
    studio.rule(lambda _content, headers: headers.get("x-mark") == "a", Answer.error(500))
    studio.rule(lambda _content, _headers: True, Answer.error(501))
    assert post(studio, body(), X_Mark="a")[0] == 500
    assert post(studio, body())[0] == 501
    studio.clear_script()
    assert post(studio, body())[0] == 200


def test_a_script_goes_before_a_rule(studio: FakeStudio) -> None:
    studio.rule(lambda _content, _headers: True, Answer.error(500))
    studio.script(Answer.error(418))
    assert [post(studio, body())[0] for _ in range(2)] == [418, 500]


def test_a_rule_cannot_break_a_body_that_it_has_to_read(studio: FakeStudio) -> None:
    with pytest.raises(ValueError, match="before_answer or mid_answer"):
        studio.rule(lambda _content, _headers: True, Answer.reset("mid_body"))


def test_capabilities_can_be_scripted(studio: FakeStudio) -> None:
    studio.script_capabilities(Answer.error(503))
    statuses = [ask(studio, "GET", "/api/live/capabilities")[0] for _ in range(2)]
    assert statuses == [503, 404]


def test_an_outage_refuses_connections_and_ends_on_the_same_port_with_the_same_ledger(studio: FakeStudio) -> None:
    url = studio.url
    for _ in range(3):
        studio.stop()
        assert not studio.running
        with pytest.raises(ConnectionRefusedError):
            post(studio, body())
        studio.start()
    assert studio.url == url
    assert post(studio, body())[0] == 200
    assert studio.ledger.experiment("run").order == ["start", "data"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_it_listening(studio: FakeStudio) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # until the test is over
        os._exit(0)
    try:
        studio.stop()
        with pytest.raises(ConnectionRefusedError):
            post(studio, body())
        studio.start()
        assert post(studio, body())[0] == 200
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(child, 0)


def test_the_port_stays_reserved_during_an_outage(studio: FakeStudio) -> None:
    studio.stop()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", studio.port))


def test_a_port_can_be_chosen_and_is_free_again_after_close(studio: FakeStudio) -> None:
    studio.close()
    with FakeStudio(port=studio.port) as again:
        assert again.url == studio.url
        assert post(again, body("start"))[0] == 200


def test_a_port_in_use_is_an_error_at_once(studio: FakeStudio) -> None:
    with pytest.raises(OSError, match="in use"):
        FakeStudio(port=studio.port)


@pytest.mark.parametrize("at", ["before_body", "mid_body", "before_answer", "mid_answer"])
def test_hanging_requests_hang_until_it_stops_and_do_not_delay_the_stop(studio: FakeStudio, at: Moment) -> None:
    studio.script(*[Answer.hang(at)] * 3)
    ends: list[BaseException] = []
    threads = [threading.Thread(target=post_until_it_ends, args=(studio, ends)) for _ in range(3)]
    for thread in threads:
        thread.start()
    studio.ledger.wait_for(lambda ledger: len(ledger.requests) == 4)
    assert post(studio, body())[0] == 200  # others are served meanwhile
    assert ends == []

    begun = time.monotonic()
    studio.stop()
    assert time.monotonic() - begun < 5.0
    for thread in threads:
        thread.join(5.0)
    assert len(ends) == 3


def test_a_late_answer_does_not_delay_the_stop(studio: FakeStudio) -> None:
    studio.script(Answer.late(30.0))
    ends: list[BaseException] = []
    thread = threading.Thread(target=post_until_it_ends, args=(studio, ends))
    thread.start()
    studio.ledger.wait_for(lambda ledger: len(ledger.requests) == 2)
    begun = time.monotonic()
    studio.stop()
    thread.join(5.0)
    assert time.monotonic() - begun < 5.0
    assert len(ends) == 1


def test_nothing_is_left_running_after_close() -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        with FakeStudio() as studio:
            post(studio, body("start"))
    assert set(threading.enumerate()) == before


def test_a_client_that_leaves_in_the_middle_of_its_body_is_counted(studio: FakeStudio) -> None:
    with socket.create_connection(("127.0.0.1", studio.port)) as client:
        client.sendall(b"POST /api/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    studio.ledger.wait_for(lambda ledger: ledger.abandoned == 1)
    assert len(studio.ledger.requests) == 1


def test_the_bandwidth_limit_slows_all_requests_together() -> None:
    content = body("start", params={"p": {"text": "x" * 100_000}})
    with FakeStudio(bandwidth=400_000) as studio:
        begun = time.monotonic()
        threads = [threading.Thread(target=post, args=(studio, content)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s = time.monotonic() - begun
        studio.bandwidth = None
        begun = time.monotonic()
        post(studio, body("start", params={"p": {"text": "x" * 4_000_000}}))

        assert 0.4 < elapsed_s < 5.0
        assert time.monotonic() - begun < 5.0  # with the limit: ten
        assert len(studio.ledger.requests) == 3

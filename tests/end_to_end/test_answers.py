"""Every row of the design's table of answers, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path

import pytest
from processes import until
from stage import Stage

from livestream.events import JsonObject
from livestream.testing import Answer


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def _everything(_body: JsonObject, _headers: object) -> bool:
    return True


def _has(name: str, body: JsonObject) -> bool:
    return any(path.endswith(f"/{name}.tsv") for path in body.get("plots", {}))


def _is_held_by(stage: Stage, status: str) -> bool:
    return f"({status}" in stage.await_studio_held()


HOLDS = {
    "201": Answer(status=201, body=b"{}"),
    "202": Answer(status=202),
    "204": Answer(status=204),
    "301": Answer.redirect("https://elsewhere.example/301", 301),
    "302": Answer.redirect("https://elsewhere.example/302", 302),
    "307": Answer.redirect("https://elsewhere.example/307", 307),
    "308": Answer.redirect("https://elsewhere.example/308", 308),
    "404": Answer.error(404, "no such page"),
    "405": Answer.error(405),
    "407": Answer.error(407),
    "410": Answer.error(410),
    "415": Answer.error(415),
    "200": Answer.html(200, "Please sign in"),
    "402": Answer.error(402, "pay first"),
    "401": Answer.error(401, "who are you"),
    "403": Answer.html(403, "Forbidden here"),
}


def test_no_answer_of_a_wrong_address_costs_data_each_holds_the_studio_and_says_why(stage: Stage) -> None:
    training = stage.train()
    training.emit_many("loss", [0.5, 0.25])
    training.finish()
    stage.studio.script(next(iter(HOLDS.values())))
    stage.serve()
    for status, answer in HOLDS.items():
        stage.studio.clear_script()
        rule = stage.studio.rule(_everything, answer)
        stage.ask("sync")
        until(partial(_is_held_by, stage, status), f"held because of {status}")
        assert rule.hits == 1, status  # one look, and then patience
        reason = stage.await_studio_held()
        if "Location" in answer.headers:
            assert answer.headers["Location"] in reason
    assert "Forbidden here" in stage.await_studio_held()
    books = stage.await_queued(4)
    assert (books.total.dead, books.total.delivered) == (0, 0)
    stage.studio.clear_script()
    stage.ask("sync")
    run = stage.await_done()
    assert run.values("loss") == [(0, 0.5), (1, 0.25)]
    assert stage.await_empty(4).total.delivered == 4
    assert {row.state for row in stage.targets()} == {"up"}


def test_200_with_json_or_with_nothing_is_an_acknowledgement(stage: Stage) -> None:
    for answer in (Answer(status=200), Answer(status=200, body=b'{"url": "x"}'), Answer(status=200, body=b"null")):
        stage.studio.script(answer)
    training = stage.train()
    training.emit({"loss": 1.0})
    training.finish()
    assert stage.once() == 0
    assert [entry.status for entry in stage.ledger.requests] == [200, 200, 200]
    assert stage.await_empty(3).total.delivered == 3


def test_trouble_that_passes_is_waited_out_and_the_same_bytes_are_sent_again(stage: Stage) -> None:
    training = stage.train()
    training.emit_many("loss", [float(value) for value in range(20)])
    training.finish()
    statuses = [500, 502, 408, 425, 503, 504]
    stage.studio.script(*(Answer.error(status) for status in statuses[:3]), Answer(), Answer.error(425))
    stage.studio.script(Answer.error(503), Answer.reset("before_body"), Answer.reset("mid_body"))
    assert stage.drain("--timeout", "40") == 0
    entries = stage.ledger.requests
    assert [entry.status for entry in entries][:6] == [500, 502, 408, 200, 425, 503]
    for kind in ("start", "data"):
        assert len({entry.digest for entry in entries if entry.kind == kind and entry.digest}) == 1
    run = stage.experiment()
    assert run.values("loss") == [(step, float(step)) for step in range(20)]
    assert run.status == "done"
    assert stage.ledger.duplicates == 0
    assert stage.await_empty(22).total.delivered == 22


def test_a_refused_connection_is_waited_out_and_shown(stage: Stage) -> None:
    stage.studio.stop()
    training = stage.train()
    training.emit({"loss": 1.0})
    training.finish()
    daemon = stage.serve()
    until(lambda: any(row.state == "waiting" for row in stage.targets()), "the wait is in the books")
    assert any("127.0.0.1" in row.detail for row in stage.targets())
    stage.studio.start()
    stage.await_done()
    stage.await_empty(3)
    assert daemon.said().count("studio_waiting") == 1


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_but_that_request_is_repeated(stage: Stage) -> None:
    training = stage.train()
    training.emit_many("loss", [1.0, 2.0, 3.0])
    training.finish()
    stage.studio.script(Answer(), Answer.lost(), Answer())
    assert stage.drain() == 0
    assert stage.ledger.repeats == 1
    assert [entry.kind for entry in stage.ledger.requests] == ["start", "data", "data", "done"]
    assert stage.await_empty(5).total.delivered == 5


@pytest.mark.parametrize("style", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_by_everybody_who_sends_there(stage: Stage, style: str, status: int) -> None:
    asked_s = 2
    stage.serve()
    first, second = stage.train("one"), stage.train("two")
    stage.await_ledger(lambda ledger: len(ledger.requests) == 2)
    value = str(asked_s) if style == "seconds" else formatdate(time.time() + asked_s, usegmt=True)
    stage.studio.script(Answer.error(status, retry_after=value))
    first.emit({"loss": 1.0})
    stage.await_ledger(lambda ledger: len(ledger.requests) == 3)
    second.emit({"loss": 2.0})
    first.finish()
    second.finish()
    stage.await_done("one")
    stage.await_done("two")
    told, after = stage.ledger.requests[2], stage.ledger.requests[3]
    assert told.status == status
    assert after.time - told.time >= (asked_s if style == "seconds" else asked_s - 1) - 0.1  # a date has whole seconds
    assert stage.await_empty(6).total.delivered == 6


def test_429_without_a_time_is_no_licence_to_hammer(stage: Stage) -> None:
    stage.studio.script(Answer.error(429), Answer.error(429, retry_after="0"), Answer())
    training = stage.train()
    training.emit({"loss": 1.0})
    stage.serve()
    stage.await_ledger(lambda ledger: len(ledger.requests) >= 2)
    one, two = stage.ledger.requests[:2]
    assert two.time - one.time >= 4.9


def test_413_is_split_until_it_fits_and_only_what_cannot_is_a_dead_letter(tmp_path: Path) -> None:
    with Stage(tmp_path, hard_limit_bytes=100_000) as stage:
        training = stage.train()
        training.emit_many("loss", [value / 7 for value in range(6000)])
        training.emit({"loss": 0.5}, images={"large.png": {"noise": 200_000}, "small.png": {"noise": 20_000}})
        training.emit({"loss": 0.25})
        training.finish()
        assert stage.drain() == 5
        run = stage.experiment()
        assert len(run.points("loss")) >= 6001
        assert run.values("loss")[:6000] == [(step, step / 7) for step in range(6000)]
        assert [record.size for record in run.images["dvclive/plots/images/small.png"]] == [20_000]
        assert "dvclive/plots/images/large.png" not in run.images
        assert run.status == "done"
        (letter,) = stage.letters()
        assert (letter.seq, letter.status) == (6002, 413)
        assert "too large" in letter.reason
        assert stage.await_empty(6004).total.dead == 1


def test_a_poisoned_event_is_found_by_halving_and_the_rest_goes_on(stage: Stage) -> None:
    poison = stage.studio.rule(lambda body, _: _has("poison", body), Answer.error(400, "no poison, please"))
    training = stage.train()
    training.emit_many("loss", [float(step) for step in range(30)])
    training.emit({"poison": 1.0, "loss": 30.0}, step=30)
    training.emit_many("loss", [float(step) for step in range(31, 60)], first_step=31)
    training.finish()
    stage.serve()
    run = stage.await_done()
    assert run.values("loss") == [(step, float(step)) for step in range(60) if step != 30]
    assert run.summary == {"loss": 59.0, "step": 59}
    (letter,) = stage.letters()
    assert (letter.seq, letter.status, letter.kind) == (32, 400, "dead")
    assert "no poison, please" in letter.reason
    assert poison.hits < 20
    books = stage.await_empty(62)
    assert (books.total.delivered, books.total.dead) == (61, 1)


def test_a_refused_start_holds_its_experiment_and_no_other(stage: Stage) -> None:
    rule = stage.studio.rule(lambda body, _: body["name"] == "bad", Answer.error(422, "unknown repository"))
    stage.serve()
    bad = stage.train("bad")
    bad.emit_many("loss", [1.0, 2.0, 3.0])
    bad.finish()
    assert "unknown repository" in stage.await_held("bad")
    good = stage.train("good")
    good.emit({"loss": 1.0})
    good.finish()
    stage.await_done("good")
    until(lambda: stage.books().total.delivered == 3, "the good one's events are delivered")
    assert rule.hits <= 2  # the other training handed its token over, which is worth one more look
    assert stage.await_queued(5).total.dead == 0
    rule.remove()
    stage.ask("sync")
    assert stage.await_done("bad").values("loss") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert stage.await_empty(8).total.delivered == 8
    row = stage.row("bad")
    assert row is not None
    assert row.hold is None


def test_a_studio_that_refuses_the_first_two_events_gets_no_more_and_nothing_is_dead(stage: Stage) -> None:
    rule = stage.studio.rule(lambda body, _: body["type"] == "data", Answer.error(400, "not today"))
    training = stage.train()
    training.emit_many("loss", [float(step) for step in range(10)])
    training.finish()
    stage.serve()
    assert "not today" in stage.await_held()
    assert rule.hits <= 6  # 10, 5, 2, 1 of them, and the second event
    assert stage.await_queued(11).total.dead == 0
    rule.remove()
    stage.ask("sync")
    assert stage.await_done().values("loss") == [(step, float(step)) for step in range(10)]
    assert stage.await_empty(12).total.dead == 0


def test_one_bad_event_at_the_very_beginning_is_a_dead_letter_once_the_next_is_taken(stage: Stage) -> None:
    stage.studio.rule(lambda body, _: _has("poison", body), Answer.error(400, "bad"))
    training = stage.train()
    training.emit({"poison": 1.0})
    stage.serve()
    stage.await_ledger(lambda ledger: any(entry.status == 400 for entry in ledger.requests))
    assert stage.check().total.dead == 0
    training.emit({"loss": 1.0})
    training.finish()
    stage.await_done()
    books = stage.await_empty(4)
    assert (books.total.delivered, books.total.dead) == (3, 1)


def test_a_writer_killed_after_one_refused_event_leaves_a_dead_letter_and_a_done(stage: Stage) -> None:
    stage.studio.rule(lambda body, _: _has("poison", body), Answer.error(400, "bad"))
    stage.serve()
    training = stage.train()
    training.emit({"poison": 1.0})
    stage.await_ledger(lambda ledger: any(entry.status == 400 for entry in ledger.requests))
    training.kill()
    assert stage.await_done().errors[0]["cls"] == "livestream.WriterDied"
    books = stage.await_empty(2)
    assert (books.total.delivered, books.total.dead) == (1, 1)


def test_a_body_that_fails_five_times_while_others_pass_is_parked_and_the_rest_goes_on(stage: Stage) -> None:
    poison = stage.studio.rule(lambda body, _: _has("poison", body), Answer.error(500, "stumbled"))
    stage.serve()
    training = stage.train()
    training.emit({"loss": 0.0})
    stage.await_ledger(lambda ledger: ledger.rows == 1)
    training.emit({"poison": 1.0})
    stage.await_ledger(lambda _: poison.hits >= 1)
    training.emit_many("loss", [2.0, 3.0], first_step=2)
    training.finish()
    run = stage.await_done()
    assert run.values("loss") == [(0, 0.0), (2, 2.0), (3, 3.0)]
    assert poison.hits == 5
    (letter,) = stage.letters()
    assert (letter.kind, letter.status, letter.seq) == ("parked", 500, 3)
    assert letter.retry_at is not None
    assert 3000 < letter.retry_at - time.time() <= 3600
    stage.check()
    poison.remove()
    stage.ask("retry", ids=[letter.id])
    stage.await_ledger(lambda _: "dvclive/plots/metrics/poison.tsv" in run.counts)
    until(lambda: stage.books().total.delivered == 6, "the parked one is delivered")

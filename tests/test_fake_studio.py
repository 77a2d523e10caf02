from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
from collections.abc import Iterator

import orjson
import pytest
from fake_studio_cases import SERIES, ask, beat, body, loss, post

from livestream.events import Experiment
from livestream.testing import DEFAULT_TOKEN, Answer, Backlog, FakeStudio


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio() as running:
        yield running


@pytest.fixture
def started(studio: FakeStudio) -> FakeStudio:
    assert post(studio, body("start"))[0] == 200
    return studio


def test_the_ledger_keeps_every_request_in_order_and_never_the_token(studio: FakeStudio) -> None:
    before = time.time()
    for content in (body("start"), body(step=1), body(step=2), body("done")):
        assert post(studio, content, X_Mark="seen") == (200, b"{}")

    requests = studio.ledger.requests
    assert [(entry.kind, entry.step, entry.status, entry.ingested) for entry in requests] == [
        ("start", None, 200, True),
        ("data", 1, 200, True),
        ("data", 2, 200, True),
        ("done", None, 200, True),
    ]
    assert requests[1].body == body(step=1)
    assert [entry.number for entry in requests] == [1, 2, 3, 4]
    assert before <= requests[0].time <= requests[-1].time <= time.time()
    assert requests[0].headers["x-mark"] == "seen"
    assert DEFAULT_TOKEN not in repr(requests)
    assert requests[0].token_digest == hashlib.sha256(DEFAULT_TOKEN.encode()).hexdigest()[:12]
    assert studio.ledger.violations == []


def test_an_experiment_is_what_its_updates_made_it(studio: FakeStudio) -> None:
    post(studio, body("start", message="first try", subdir="models", params={"params.yaml": {"lr": 0.1}}))
    post(studio, body(step=0, plots=loss((0, 0.9)), metrics={"dvclive/metrics.json": {"data": {"loss": 0.9}}}))
    post(
        studio,
        body(
            step=2,
            plots={
                **loss((1, 0.5), (2, 0.4)),
                "dvclive/plots/custom/roc.json": {"data": [{"x": 1}], "props": {"x": "x"}},
            },
            metrics={"dvclive/metrics.json": {"data": {"loss": 0.4}}},
            errors=[{"cls": "W", "text": "a warning"}],
            machine={"cpu": 4},
        ),
    )
    experiment = studio.ledger.experiment("run")
    assert experiment.status == "running"
    post(studio, body("done", errors=[{"cls": "E", "text": "it broke"}], experiment_rev="b" * 40))

    assert experiment.key == Experiment(repo_url="git@host:o/r.git", baseline_sha="a" * 40, name="run")
    assert experiment.order == ["start", "data", "data", "done"]
    assert (experiment.message, experiment.subdir, experiment.client) == ("first try", "models", "dvclive")
    assert experiment.values("train/loss") == [(0, 0.9), (1, 0.5), (2, 0.4)]
    assert experiment.points(SERIES) == experiment.points("train/loss")
    assert experiment.count("train/loss") == experiment.rows == 3
    assert experiment.summary == {"loss": 0.4}
    assert experiment.params == {"params.yaml": {"lr": 0.1}}
    assert experiment.snapshots == {"dvclive/plots/custom/roc.json": {"data": [{"x": 1}], "props": {"x": "x"}}}
    assert experiment.warnings == [{"cls": "W", "text": "a warning"}]
    assert experiment.errors == [{"cls": "E", "text": "it broke"}]
    assert (experiment.status, experiment.step, experiment.machine) == ("done", 2, {"cpu": 4})
    assert experiment.experiment_rev == "b" * 40


def test_asking_for_what_never_came_says_what_did(started: FakeStudio) -> None:
    post(started, body(plots=loss((1, 0.5))))

    with pytest.raises(LookupError, match=r"0 experiments are named 'other'; the ledger has \['run'\]"):
        started.ledger.experiment("other")
    with pytest.raises(LookupError, match="train/loss"):
        started.ledger.experiment("run").points("accuracy")
    with pytest.raises(LookupError, match="0 metrics files"):
        _ = started.ledger.experiment("run").summary


def test_rows_and_requests_that_come_twice_are_counted(started: FakeStudio) -> None:
    for content in (
        body(plots=loss((1, 0.5), (2, 0.4))),
        body(plots=loss((1, 0.5), (2, 0.4))),
        body(plots=loss((2, 9))),
    ):
        post(started, content)

    assert started.ledger.duplicates == 2
    assert started.ledger.repeats == 1
    assert started.ledger.ignored == 0
    assert [entry.repeat for entry in started.ledger.requests] == [False, False, True, False]
    assert started.ledger.experiment("run").values("train/loss") == [(1, 0.5), (2, 0.4), (1, 0.5), (2, 0.4), (2, 9)]


def test_images_are_kept_in_order_and_large_ones_as_their_digest(started: FakeStudio) -> None:
    small, large = b"small image", bytes(1_500_000)
    for step, content in enumerate((small, large)):
        image = base64.b64encode(content).decode()
        post(started, body(step=step, plots={"p/images/a.png": {"image": image, "props": {"step": step}}}))

    first, second = started.ledger.experiment("run").images["p/images/a.png"]
    assert (first.step, first.size, first.data) == (0, len(small), small)
    assert (second.step, second.size, second.data) == (1, len(large), None)
    assert second.sha256 == hashlib.sha256(large).hexdigest()
    assert started.ledger.requests[-1].body is not None
    assert len(repr(started.ledger.requests[-1].body)) < 1_000


def test_without_payloads_only_counts_and_digests_remain() -> None:
    with FakeStudio(keep_payloads=False) as studio:
        post(studio, body("start"))
        for _ in range(2):
            post(studio, body(plots={**loss((1, 0.5)), "i.png": {"image": base64.b64encode(b"x").decode()}}))
        experiment = studio.ledger.experiment("run")

        assert experiment.count("train/loss") == 2
        assert experiment.duplicates == 1
        assert [image.data for image in experiment.images["i.png"]] == [None, None]
        assert [entry.body for entry in studio.ledger.requests] == [None, None, None]
        assert len({entry.digest for entry in studio.ledger.requests}) == 2
        with pytest.raises(LookupError, match="payloads are not kept"):
            experiment.points("train/loss")


def test_a_million_rows_are_taken_fast_enough_for_benchmarks() -> None:
    rows = b",".join([b'{"step":123456,"loss":0.123456789}'] * 100_000)
    content = body(plots={})
    payload = orjson.dumps(content)[:-2] + b'"p/plots/metrics/loss.tsv":{"data":[' + rows + b"]}}}"
    with FakeStudio(keep_payloads=False) as studio:
        post(studio, body("start"))
        begun = time.process_time()  # of a core that is its own: tests run beside each other
        for _ in range(10):
            assert post(studio, payload)[0] == 200
        spent_s = time.process_time() - begun

        assert studio.ledger.rows == 1_000_000
        assert 1_000_000 / spent_s > 300_000


def test_waiting_ends_as_soon_as_the_condition_holds(studio: FakeStudio) -> None:
    sender = threading.Thread(
        target=lambda: [post(studio, content) for content in (body("start"), body(), body("done"))]
    )
    sender.start()
    studio.ledger.wait_for(lambda ledger: ledger.experiment("run").status == "done" if ledger.experiments else False)
    sender.join()

    assert studio.ledger.experiment("run").order == ["start", "data", "done"]


def test_waiting_in_vain_tells_what_had_arrived(started: FakeStudio) -> None:
    with pytest.raises(TimeoutError, match=r"1 requests \(last: start:200\), 0 rows"):
        started.ledger.wait_for(lambda ledger: len(ledger.requests) == 2, timeout_s=0.05)


async def test_an_asynchronous_test_waits_without_stopping_its_loop(studio: FakeStudio) -> None:
    sending = asyncio.create_task(asyncio.to_thread(post, studio, body("start")))
    await studio.ledger.until(lambda ledger: len(ledger.requests) == 1)
    assert (await sending)[0] == 200


def test_a_wrong_or_missing_token_is_refused_and_breaks_no_rule(studio: FakeStudio) -> None:
    for header in ("token other", "Bearer " + DEFAULT_TOKEN, ""):
        assert post(studio, body("start"), Authorization=header) == (401, b'{"detail":"Invalid token."}')
    studio.tokens.add("other")
    assert post(studio, body("start"), Authorization="token other")[0] == 200

    assert [entry.status for entry in studio.ledger.requests] == [401, 401, 401, 200]
    assert studio.ledger.violations == []


def test_other_paths_and_methods_are_kept_apart(studio: FakeStudio) -> None:
    assert ask(studio, "GET", "/api/live")[0] == 405
    assert ask(studio, "POST", "/api/other", b"{}")[0] == 404

    assert [(entry.method, entry.path, entry.status) for entry in studio.ledger.others] == [
        ("GET", "/api/live", 405),
        ("POST", "/api/other", 404),
    ]
    assert studio.ledger.requests == ()


def test_a_request_above_the_hard_limit_is_answered_413_and_breaks_no_rule() -> None:
    with FakeStudio(hard_limit_bytes=10_000) as studio:
        assert post(studio, body("start", message="x" * 10_000))[0] == 413
        assert post(studio, body("start"))[0] == 200
        assert studio.ledger.violations == []


class TestTheLivestreamProfile:
    @pytest.fixture
    def studio(self) -> Iterator[FakeStudio]:
        with FakeStudio("livestream") as running:
            post(running, body("start"), Livestream_Update="w1/1/1/1/1")
            yield running

    def test_tells_its_capabilities_to_whoever_has_a_token(self, studio: FakeStudio) -> None:
        status, answer = ask(studio, "GET", "/api/live/capabilities")

        assert status == 200
        assert orjson.loads(answer) == {
            "livestream": 1,
            "limits": {"max_request_bytes": 29_000_000, "max_plot_bytes": 10_000_000, "max_plots": 200},
            "compression": ["gzip"],
            "image_history": True,
            "live_plots": True,
            "idempotency": True,
            "heartbeats": False,
        }
        assert ask(studio, "GET", "/api/live/capabilities", Authorization="token no")[0] == 401

    def test_keeps_heartbeats_where_it_asks_for_them(self) -> None:
        with FakeStudio("livestream", heartbeat_s=2.5) as studio:
            said = orjson.loads(ask(studio, "GET", "/api/live/capabilities")[1])
            assert (said["heartbeats"], said["heartbeat_s"]) == (True, 2.5)
            beats = [beat(writer="w1"), beat(writer="w2", rows=7, bytes=900, oldest_s=1.5, losses={"quota": 3})]
            assert ask(studio, "POST", "/api/live/beats", orjson.dumps({"beats": beats})) == (200, b"{}")

            first, second = studio.ledger.beats
            assert first.experiment == second.experiment == Experiment(repo_url="r", baseline_sha="a" * 40, name="run")
            assert (first.writer, first.rows, first.losses) == ("w1", 0, {})
            assert (second.rows, second.bytes, second.oldest_s, second.losses) == (7, 900, 1.5, {"quota": 3})
            assert [entry.path for entry in studio.ledger.others][-1] == "/api/live/beats"
            assert studio.ledger.requests == ()
            assert studio.ledger.violations == []

            studio.script_beats(Answer.error(503))
            assert ask(studio, "POST", "/api/live/beats", orjson.dumps({"beats": beats}))[0] == 503
            assert ask(studio, "POST", "/api/live/beats", b"{}", Authorization="token no")[0] == 401
            assert len(studio.ledger.beats) == 2

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"[]", "array"),
            (b"{", "truncated"),
            (b'{"beats": []}', "beats"),
            (orjson.dumps({"beats": [beat()] * 1001}), "1000"),
            (orjson.dumps({"beats": [beat(rows=-1)]}), "$.beats[0].rows"),
            (orjson.dumps({"beats": [beat(baseline_sha="x")]}), "$.beats[0].baseline_sha"),
            (orjson.dumps({"beats": [beat(oldest_s="1")]}), "$.beats[0].oldest_s"),
            (orjson.dumps({"beats": [beat(losses=None)]}), "$.beats[0].losses"),
            (orjson.dumps({"beats": [beat(token="t")]}), "token"),
        ],
    )
    def test_names_what_is_wrong_with_heartbeats(self, content: bytes, problem: str) -> None:
        with FakeStudio("livestream", heartbeat_s=15.0) as studio:
            assert ask(studio, "POST", "/api/live/beats", content)[0] == 400
            (violation,) = studio.ledger.violations
            assert problem in violation
            assert studio.ledger.beats == ()

    def test_that_never_asked_for_heartbeats_calls_them_a_violation(self, studio: FakeStudio) -> None:
        assert ask(studio, "POST", "/api/live/beats", orjson.dumps({"beats": [beat()]}))[0] == 404
        assert len(studio.ledger.violations) == 1
        assert studio.ledger.beats == ()

    def test_moves_a_writers_mark_only_when_all_parts_are_in(self, studio: FakeStudio) -> None:
        for part in (1, 3):
            post(studio, body(plots=loss((part, 0.5))), Livestream_Update=f"w1/2/9/{part}/3")
            assert studio.ledger.marks.marks == {"w1": 1}
        post(studio, body(plots=loss((2, 0.5))), Livestream_Update="w1/2/9/2/3")

        assert studio.ledger.marks.marks == {"w1": 9}
        assert studio.ledger.marks.gaps == {}

    def test_ignores_and_counts_repeats_of_parts_and_of_updates(self, studio: FakeStudio) -> None:
        for update in ("w1/2/9/1/2", "w1/2/9/1/2", "w1/2/9/2/2", "w1/2/9/2/2", "w1/1/1/1/1"):
            assert post(studio, body(plots=loss((1, 0.5))), Livestream_Update=update)[0] == 200

        assert studio.ledger.ignored == studio.ledger.repeats == 3
        assert [entry.ingested for entry in studio.ledger.requests[1:]] == [True, False, True, False, False]
        assert studio.ledger.rows == 2

    def test_knows_gaps_and_a_repair_fills_one_without_touching_newer_values(self, studio: FakeStudio) -> None:
        newer = {"m.json": {"data": {"loss": 0.1}}}
        older = {"m.json": {"data": {"loss": 0.9, "old": 1}}}
        post(studio, body(step=9, metrics=newer), Livestream_Update="w1/7/9/1/1")
        assert studio.ledger.marks.gaps == {"w1": [(2, 6)]}

        repair = {"Livestream_Update": "w1/4/4/1/1", "Livestream_Repair": "1"}
        for _ in range(2):
            post(studio, body(step=4, metrics=older, plots=loss((4, 0.9))), **repair)

        assert studio.ledger.marks.gaps == {"w1": [(2, 3), (5, 6)]}
        assert studio.ledger.marks.marks == {"w1": 9}
        experiment = studio.ledger.experiment("run")
        assert (experiment.summary, experiment.step) == ({"loss": 0.1, "old": 1}, 9)
        assert experiment.values("train/loss") == [(4, 0.9)]
        assert studio.ledger.ignored == 1

    def test_takes_an_update_cut_anew_and_counts_it(self, studio: FakeStudio) -> None:
        post(studio, body(), Livestream_Update="w1/2/5/1/1")
        assert post(studio, body(), Livestream_Update="w1/3/8/1/1")[0] == 200

        assert studio.ledger.marks.overlaps == 1
        assert studio.ledger.marks.marks == {"w1": 8}

    def test_reads_what_the_headers_tell_of_the_node(self, studio: FakeStudio) -> None:
        post(studio, body(), Livestream_Backlog="120,4096,7.5", Livestream_Losses="quota=3,disk full=1")

        experiment = studio.ledger.experiment("run")
        assert experiment.backlog == Backlog(120, 4096, 7.5)
        assert experiment.losses == {"quota": 3, "disk full": 1}

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("Livestream-Update", "w1/2/9/1"),
            ("Livestream-Update", "w1/9/2/1/1"),
            ("Livestream-Update", "w1/2/9/3/2"),
            ("Livestream-Backlog", "1,2"),
            ("Livestream-Losses", "quota"),
            ("Livestream-Repair", "yes"),
        ],
    )
    def test_refuses_headers_that_say_nothing(self, studio: FakeStudio, header: str, value: str) -> None:
        assert post(studio, body(), **{header: value})[0] == 400
        assert header.lower() in studio.ledger.violations[0]


@pytest.mark.parametrize(
    "header", ["Livestream-Update", "Livestream-Backlog", "Livestream-Losses", "Livestream-Repair"]
)
def test_a_stock_studio_wants_none_of_our_headers(started: FakeStudio, header: str) -> None:
    assert post(started, body(), **{header: "1"})[0] == 400
    assert "never advertised" in started.ledger.violations[0]


def test_a_scripted_answer_meets_the_next_request_whatever_it_deserves(studio: FakeStudio) -> None:
    studio.script(Answer.error(503, "busy", retry_after="3"), Answer.late(0.0))
    assert studio.scripted == 2

    assert post(studio, body("start")) == (503, b'{"detail":"busy"}')
    assert post(studio, body("start")) == (200, b"{}")
    assert [entry.ingested for entry in studio.ledger.requests] == [False, True]
    assert studio.scripted == 0

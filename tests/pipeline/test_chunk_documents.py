from __future__ import annotations

import msgspec
from pipeline_cases import bodies_of, body_of, data, update_of

from livestream.events import Done, Files, Problem, Start
from livestream.pipeline.chunk import Limits, chunk


def test_dictionaries_over_a_request_go_on_in_the_next() -> None:
    files = Files(params={f"{n}.yaml": {"text": "x" * 900} for n in range(3)})
    limits = Limits(max_request_bytes=1500)

    middle = bodies_of(update_of(data(files=msgspec.to_builtins(files))), limits)
    start = bodies_of(update_of(Start(time=0, files=files)), limits)
    done = bodies_of(update_of(Done(time=0, files=files)), limits)

    assert [len(body["params"]) for body in middle] == [1, 1, 1]
    assert [body["type"] for body in start] == ["start", "data", "data"]
    assert [body["type"] for body in done] == ["data", "data", "done"]


def test_a_dictionary_that_no_request_can_hold_is_unfit() -> None:
    update = update_of(data(params={"text": "x" * 2000}, metrics={"loss": 1}))

    chunks = chunk(update, Limits(max_request_bytes=1500), {})

    assert [(thing.path, thing.limit) for thing in chunks.unfit] == [("dvclive/params.yaml", 1500)]
    assert body_of(update, chunks.parts[0])["metrics"]


def test_errors_that_no_request_can_hold_do_not_keep_done_from_the_studio() -> None:
    update = update_of(Done(time=0, errors=[Problem("E", "t" * 5000)]))

    chunks = chunk(update, Limits(max_request_bytes=1500), {})

    assert [thing.path for thing in chunks.unfit] == ["errors"]
    assert [part.kind for part in chunks.parts] == ["done"]


def test_an_event_whose_own_fields_are_over_the_limit_is_unfit_whole() -> None:
    update = update_of(data(1, metrics={"loss": 1}))

    chunks = chunk(update, Limits(max_request_bytes=100), {})

    assert chunks.parts == ()
    assert {thing.path for thing in chunks.unfit} == {
        "event",
        "dvclive/metrics.json",
        "dvclive/plots/metrics/loss.tsv",
    }


def test_a_start_whose_own_fields_are_over_the_limit_takes_nothing_else_with_it() -> None:
    update = update_of(Start(time=0, subdir="s" * 2000, params={"lr": 1}))

    chunks = chunk(update, Limits(max_request_bytes=1000), {})

    assert [(thing.path, thing.seq) for thing in chunks.unfit] == [("event", 1)]
    assert [(part.kind, part.params) for part in chunks.parts] == [("data", ("dvclive/params.yaml",))]

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from dvc_studio_client.post_live_metrics import post_live_metrics
from dvc_studio_client.schema import SCHEMAS_BY_TYPE
from fake_studio_cases import body, loss, post
from hypothesis import given, settings
from hypothesis import strategies as st
from voluptuous import Invalid

from livestream.pipeline.chunk import Limits
from livestream.testing import DEFAULT_TOKEN, FakeStudio
from livestream.testing.rules import check_shape, check_sizes

SOUND = [
    body("start", message="m", subdir="s", params={"p.yaml": {"a": [1]}}, machine={}, env={"A": "b"}),
    body("data", step=0, metrics={"m.json": {"data": {}}, "n.json": {"error": {"cls": "E", "text": ""}}}),
    body(
        "data",
        step=-1,
        plots={"a": {"data": []}, "b": {"image": "", "props": {}}, "c": {"error": {"cls": "", "text": ""}}},
    ),
    body("done", experiment_rev="F" * 40, errors=[{"cls": "E", "text": "t"}]),
]
UNSOUND = [
    ([], "body: expected an object"),
    (body("stop"), "type: expected start, data or done"),
    ({**body("start"), "type": ["start"]}, "type: expected start, data or done"),
    ({key: value for key, value in body().items() if key != "step"}, "step: missing"),
    ({key: value for key, value in body().items() if key != "name"}, "name: missing"),
    (body(step=True), "step: expected a whole number, got a truth value"),
    (body(step=1.0), "step: expected a whole number, got a number"),
    (body(baseline_sha="a" * 39), "baseline_sha: expected a commit sha of 40 characters"),
    (body(baseline_sha="z" * 40), "baseline_sha: expected a commit sha of 40 characters"),
    (body("done", experiment_rev=None), "experiment_rev: expected a commit sha of 40 characters"),
    (body(repo_url=None), "repo_url: expected text, got null"),
    (body(extra=1), "extra: unknown"),
    (body("start", step=1), "step: unknown"),
    (body("start", plots={}), "plots: unknown"),
    (body("data", message="m"), "message: unknown"),
    (body(params={"p": [1]}), "params['p']: expected an object, got a list"),
    (body(metrics={"m": {"data": 1}}), "metrics['m'].data: expected an object, got a number"),
    (body(metrics={"m": {"loss": 1}}), "metrics['m'].loss: unknown"),
    (body(errors=[{"cls": "E"}]), "errors[0].text: missing"),
    (body(errors={}), "errors: expected a list, got an object"),
    (body(plots={"a": {"data": [{}, 1]}}), "plots['a'].data[1]: expected an object, got a number"),
    (body(plots={"a": {"data": {}}}), "plots['a'].data: expected a list of rows, got an object"),
    (body(plots={"a": {"data": [], "image": ""}}), "plots['a']: data and image exclude each other"),
    (body(plots={"a": {"props": {}}}), "plots['a']: expected data or image"),
    (body(plots={"a": {"data": [], "anchor": 1}}), "plots['a'].anchor: unknown"),
]


@pytest.mark.parametrize("content", SOUND)
def test_a_sound_body_has_no_problems(content: dict[str, Any]) -> None:
    assert check_shape(content) == []
    SCHEMAS_BY_TYPE[content["type"]](content)


@pytest.mark.parametrize(("content", "problem"), UNSOUND)
def test_an_unsound_body_is_told_where_it_is_wrong(content: Any, problem: str) -> None:
    assert check_shape(content) == [problem]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a" * 40, "data"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["data", "cls", "text", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
fields = st.sampled_from([*(key for sound in SOUND for key in sound if key != "type"), "unknown"])
plot = st.dictionaries(st.sampled_from(["data", "image", "props", "error", "x"]), json_values, max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["start", "data", "done"]),
    changes=st.dictionaries(fields, json_values, max_size=2),
    plots=st.none() | st.dictionaries(st.just("p"), plot, max_size=1),
)
def test_the_rules_are_those_of_the_stock_schema_and_stricter_only_where_said(
    kind: str, changes: dict[str, Any], plots: dict[str, Any] | None
) -> None:
    content = {**body(kind), **changes, **({} if plots is None else {"plots": plots})}
    try:
        SCHEMAS_BY_TYPE[kind](content)
        stock_takes_it = True
    except Invalid:
        stock_takes_it = False

    stricter = ("got a truth value", "]: expected data or image")
    problems = [problem for problem in check_shape(content) if not problem.endswith(stricter)]
    if stock_takes_it:
        assert problems == []
    else:
        assert check_shape(content) != []


def test_each_of_the_three_limits_is_named() -> None:
    limits = Limits(max_request_bytes=200, max_plot_bytes=20, max_plots=1)
    content = body(plots={"a": {"data": [{"step": 1, "loss": 0.5}]}, "b": {"image": "x" * 21}})

    assert check_sizes(content, 300, limits) == [
        "body: 300 bytes, the limit is 200",
        "plots: 2 of them, the limit is 1",
        "plots['a']: 23 bytes, the limit is 20",
        "plots['b']: 21 bytes, the limit is 20",
    ]
    assert check_sizes(body(), 100, limits) == []


def test_a_request_between_our_limit_and_the_servers_is_a_violation_and_413() -> None:
    with FakeStudio(limits=Limits(max_request_bytes=1_000)) as studio:
        assert post(studio, body("start", message="x" * 1_000))[0] == 413
        assert "the limit is 1000" in studio.ledger.violations[0]


@pytest.mark.parametrize(
    ("payload", "headers", "problem"),
    [
        (b'{"type": NaN}', {}, "NaN and Infinity are no JSON"),
        (b'{"type": ', {}, "body: not JSON"),
        (b"\xff", {}, "body: not JSON"),
        (orjson.dumps(body("start")), {"Content_Type": "text/plain"}, "expected application/json, got text/plain"),
        (orjson.dumps(body(plots={"i.png": {"image": "no base64!"}})), {}, "plots['i.png'].image: not base64"),
    ],
)
def test_what_is_no_update_is_answered_400_with_the_path(payload: bytes, headers: dict[str, str], problem: str) -> None:
    with FakeStudio() as studio:
        status, answer = post(studio, payload, **headers)
        assert status == 400
        assert problem in orjson.loads(answer)["detail"]
        assert problem in studio.ledger.violations[0]
        assert not studio.ledger.requests[0].ingested


def test_the_order_start_data_done_is_kept_and_a_start_reopens() -> None:
    with FakeStudio() as studio:
        assert post(studio, body())[0] == 400
        assert post(studio, body("done"))[0] == 400
        for content in (body("start"), body(step=1), body("done"), body("start"), body(step=2), body("done")):
            assert post(studio, content)[0] == 200
        assert post(studio, body(step=3))[0] == 200  # late rows of a forked worker
        assert post(studio, body("done", errors=[{"cls": "E", "text": ""}]))[0] == 400
        assert post(studio, body(step=1))[0] == 200  # a repeat is no news
        assert post(studio, body("start", name="other"))[0] == 200

        assert [text.split(": ", 1)[1] for text in studio.ledger.violations] == [
            "type: data before start",
            "type: done before start",
            "type: done after done, and no start has reopened the experiment",
        ]
        assert studio.ledger.repeats == 1


def test_a_done_whose_answer_was_lost_may_come_again_but_another_one_not() -> None:
    with FakeStudio() as studio:
        for content in (body("start"), body("done"), body("done")):
            assert post(studio, content)[0] == 200
        assert post(studio, body("done", errors=[{"cls": "E", "text": ""}]))[0] == 400


def test_the_order_can_be_left_unchecked() -> None:
    with FakeStudio() as studio:
        studio.check_order = False
        assert post(studio, body(plots=loss((1, 0.5))))[0] == 200


def test_gzip_is_taken_by_the_livestream_profile_only() -> None:
    packed = gzip.compress(orjson.dumps(body("start", message="x" * 5_000)))
    with FakeStudio("livestream") as studio:
        assert post(studio, packed, Content_Encoding="gzip")[0] == 200
        assert studio.ledger.requests[0].wire_size == len(packed) < 500 < studio.ledger.requests[0].size
        assert post(studio, packed[:-9], Content_Encoding="gzip")[0] == 400
        assert post(studio, b"not gzip", Content_Encoding="gzip")[0] == 400
        assert post(studio, b"x", Content_Encoding="br")[0] == 415
    with FakeStudio() as stock:
        assert post(stock, packed, Content_Encoding="gzip")[0] == 415
        assert stock.ledger.violations == ["request 1: Content-Encoding: gzip was never advertised"]


def test_a_gzip_bomb_is_not_unpacked() -> None:
    with FakeStudio("livestream", hard_limit_bytes=100_000) as studio:
        assert post(studio, gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")[0] == 413
        assert studio.ledger.requests[0].size <= 100_001


def test_the_stock_client_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeStudio() as studio:
        stock: dict[str, Any] = {"studio_token": DEFAULT_TOKEN, "studio_repo_url": "r", "studio_url": studio.url}
        identity: dict[str, Any] = {"baseline_sha": "b" * 40, "name": "stock", "client": "dvclive"}
        assert post_live_metrics("start", params={"params.yaml": {"lr": 1}}, **identity, **stock)
        assert post_live_metrics("data", step=1, plots=loss((1, 0.5)), metrics={"m": {"data": {}}}, **identity, **stock)
        assert post_live_metrics("done", **identity, **stock)

        assert studio.ledger.violations == []
        assert studio.ledger.experiment("stock").order == ["start", "data", "data", "done"]
        assert studio.ledger.experiment("stock").values("train/loss") == [(1, 0.5)]

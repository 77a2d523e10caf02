from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import LOSS, PNG, SHA, body, encoded, picture, rows

from livestream.events import Problem
from livestream.studio.update import Picture, Points, Snapshot
from livestream.studio.wire.body import decode
from livestream.studio.wire.fields import WireError


def refusal(payload: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        decode(payload)
    return caught.value


def test_a_start_is_read_whole() -> None:
    update = decode(
        encoded(
            type="start",
            step=None,
            baseline_sha=SHA.upper(),
            message="try more layers",
            subdir="models/iris",
            params={"params.yaml": {"lr": 0.1}},
            machine={"cpu": 8},
            env={"CI": "true"},
        )
    )

    assert update.kind == "start"
    assert update.identity.repository == "github.com/team/iris"
    assert update.identity.baseline_sha == SHA
    assert (update.identity.name, update.client) == ("brave-otter", "dvclive")
    assert (update.message, update.subdir) == ("try more layers", "models/iris")
    assert update.params == {"params.yaml": {"lr": 0.1}}
    assert (update.machine, update.env, update.step) == ({"cpu": 8}, {"CI": "true"}, None)


def test_a_done_tells_why_it_failed() -> None:
    update = decode(encoded(type="done", experiment_rev="B" * 40, errors=[{"cls": "ValueError", "text": "no"}]))

    assert update.errors == [Problem("ValueError", "no")]
    assert update.experiment_rev == "b" * 40
    assert update.step is None


def test_metrics_are_the_content_of_files() -> None:
    update = decode(encoded(metrics={"m.json": {"data": {"acc": 0.5, "loss": "nan"}, "error": None}, "n.json": {}}))

    assert update.metrics == {"m.json": {"acc": 0.5, "loss": "nan"}}


def test_what_is_not_known_is_kept() -> None:
    update = decode(
        encoded(new={"a": [1]}, metrics={"m.json": {"data": {}, "error": {"cls": "E", "text": "t"}, "unit": "s"}})
    )

    assert update.extra == {
        "new": {"a": [1]},
        "metrics": {"m.json": {"error": {"cls": "E", "text": "t"}, "unit": "s"}},
    }


def test_credentials_of_the_repository_go_no_further() -> None:
    identity = decode(encoded(repo_url="https://me:secret@github.com/Team/iris.git")).identity

    assert identity.repo_url == "https://github.com/Team/iris.git"
    assert identity.repository == "github.com/team/iris"


def test_rows_of_steps_and_numbers_are_points() -> None:
    update = decode(encoded(plots={LOSS: {"data": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": "nan"}]}}))

    assert update.points == [Points(path=LOSS, column="loss", steps=[1, 2], values=[0.5, "nan"])]
    assert (update.snapshots, update.pictures, update.plot_props) == ([], [], {})


def test_props_and_errors_of_points_are_kept() -> None:
    plot = {"data": [], "props": {"title": "t"}, "error": {"cls": "E", "text": "x"}, "new": 1}

    update = decode(encoded(plots={LOSS: plot, "empty.tsv": {}}))

    assert update.plot_props == {LOSS: {"title": "t", "error": {"cls": "E", "text": "x"}, "new": 1}}


@pytest.mark.parametrize("path", ["dvclive/plots/custom/roc.json", "plots/sklearn/cm.json"])
def test_custom_plots_stay_whole_whatever_their_rows(path: str) -> None:
    update = decode(encoded(plots={path: {"data": rows(2), "props": {"x": "step"}}}))

    assert update.points == []
    (snapshot,) = update.snapshots
    assert (snapshot.path, snapshot.props) == (path, {"x": "step"})
    assert json.loads(snapshot.rows) == rows(2)


def test_an_image_is_named_by_its_bytes_and_keeps_its_own_step() -> None:
    plots = {"a.png": {"image": picture(), "props": {"step": 9}}, "b.svg": {"image": picture(b"<svg/>")}}

    update = decode(encoded(plots=plots))

    assert update.pictures == [
        Picture(path="a.png", step=9, content=PNG, media_type="image/png"),
        Picture(path="b.svg", step=3, content=b"<svg/>", media_type="application/octet-stream"),
    ]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<html>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_media_types_come_from_the_first_bytes(content: bytes, media_type: str) -> None:
    (image,) = decode(encoded(plots={"x.png": {"image": picture(content)}})).pictures

    assert (image.content, image.media_type) == (content, media_type)


def test_an_image_with_escaped_slashes_is_read() -> None:
    payload = encoded(plots={"x.png": {"image": picture(b"\xff" * 9)}}).replace(b"////", b"\\/\\/\\/\\/")

    (image,) = decode(payload).pictures

    assert image.content == b"\xff" * 9


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a\\b", "dvc.yaml::x", "ä/😀.tsv", "'; DROP--"])
def test_strange_paths_are_only_keys(path: str) -> None:
    (points,) = decode(encoded(plots={path: {"data": rows(1)}})).points

    assert points.path == path


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"type": None}, "type"),
        ({"type": "stop"}, "type"),
        ({"type": ["data"]}, "type"),
        ({"repo_url": None}, "repo_url"),
        ({"repo_url": ""}, "repo_url"),
        ({"repo_url": "   "}, "repo_url"),
        ({"repo_url": "https://x/\x00"}, "repo_url"),
        ({"baseline_sha": None}, "baseline_sha"),
        ({"baseline_sha": "z" * 40}, "baseline_sha"),
        ({"baseline_sha": "a" * 39}, "baseline_sha"),
        ({"baseline_sha": "a" * 40 + "\n"}, "baseline_sha"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "n" * 1001}, "name"),
        ({"client": 1}, "client"),
        ({"step": None}, "step"),
        ({"step": True}, "step"),
        ({"step": "1"}, "step"),
        ({"step": 1.0}, "step"),
        ({"step": 2**63}, "step"),
        ({"step": -(10**30)}, "step"),
        ({"message": 3}, "message"),
        ({"subdir": "a\tb"}, "subdir"),
        ({"experiment_rev": "x"}, "experiment_rev"),
        ({"params": []}, "params"),
        ({"params": {"p": 1}}, "params[...]"),
        ({"params": {"a\0b": {}}}, "params.a?b"),
        ({"params": {"": {}}}, "params."),
        ({"metrics": {"m": {"data": 1}}}, "metrics.m.data"),
        ({"metrics": {"m": {"data": {}, "error": "x"}}}, "metrics.m.error"),
        ({"metrics": {"m": 1}}, "metrics[...]"),
        ({"machine": 1}, "machine"),
        ({"env": [1]}, "env"),
        ({"errors": {}}, "errors"),
        ({"errors": [{"cls": "E"}]}, "errors[0]"),
        ({"errors": [{"cls": "E", "text": 1}]}, "errors[0].text"),
        ({"errors": [{"cls": "E" * 1001, "text": ""}]}, "errors[0].cls"),
        ({"plots": []}, "plots"),
        ({"plots": {"p": 1}}, "plots.p"),
        ({"plots": {"p": {"data": [], "image": ""}}}, "plots.p"),
        ({"plots": {"p": {"data": {}}}}, "plots.p.data"),
        ({"plots": {"p": {"data": [1]}}}, "plots.p.data[0]"),
        ({"plots": {"p": {"data": None}}}, "plots.p.data"),
        ({"plots": {"p": {"image": 1}}}, "plots.p.image"),
        ({"plots": {"p": {"image": "no base64!"}}}, "plots.p.image"),
        ({"plots": {"p": {"image": "data:image/png;base64,AAAA"}}}, "plots.p.image"),
        ({"plots": {"p": {"image": "AAA"}}}, "plots.p.image"),
        ({"plots": {"p": {"props": 1}}}, "plots.p.props"),
        ({"plots": {"p": {"error": {"cls": 1, "text": ""}}}}, "plots.p.error.cls"),
        ({"plots": {"a\x1bb": {"data": []}}}, "plots.a?b"),
        ({"plots": {"p" * 1001: {"data": []}}}, "plots." + "p" * 994),
        ({"new": "x" * 70_000}, "new"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    error = refusal(encoded(**fields))

    assert error.path == path
    assert str(error) == f"{path}: {error.problem}"


@pytest.mark.parametrize(
    "payload",
    [b"", b" ", b"[]", b"1", b"nope", b"\xef\xbb\xbf{}", b"\xff\xfe", b"{", b'{"a":1}{', b'{"\xff":1}', b"\x00" * 9],
)
def test_what_is_no_object_is_no_body(payload: bytes) -> None:
    assert refusal(payload).path == "body"


@pytest.mark.parametrize("field", ["params", "machine", "new", "plots", "metrics", "errors"])
def test_deep_nesting_is_refused_before_it_hurts(field: str) -> None:
    for levels in (70, 900, 100_000):
        deep = b"[" * levels + b"]" * levels
        for value in (deep, b'{"a":' + deep + b"}", b'{"a":' * levels + b"1" + b"}" * levels):
            payload = encoded()[:-1] + b', "' + field.encode() + b'": ' + value + b"}"
            assert refusal(payload).problem


def test_whole_numbers_beyond_64_bits_become_floats() -> None:
    huge = int("9" * 400)

    update = decode(
        encoded(
            params={"p": {"big": 2**70, "small": -(2**63), "list": [2**64]}},
            machine={"n": huge},
            plots={LOSS: {"data": [{"step": 1, "loss": 2**70}, {"step": 2, "loss": huge}]}},
        )
    )

    assert update.params == {"p": {"big": float(2**70), "small": -(2**63), "list": [float(2**64)]}}
    assert update.machine == {"n": "inf"}
    assert update.points[0].values == [float(2**70), float("inf")]
    msgspec.json.encode((update.params, update.machine))


def test_lone_surrogates_and_broken_utf8_are_refused() -> None:
    for text in (b'"\\ud800"', b'"\xff"', b'"\\udc00\\ud800"'):
        for field in (b"name", b"message", b"new", b"machine"):
            assert refusal(encoded()[:-1] + b', "' + field + b'": ' + text + b"}").problem
    broken = encoded(plots={"p": {"data": [{"step": 1, "x": "Q"}]}}).replace(b"Q", b"\xff")
    assert refusal(broken).path.startswith("plots.p.data")


def test_long_texts_are_cut_and_refuse_nothing() -> None:
    update = decode(encoded(errors=[{"cls": "E", "text": "x" * 70_000}], message="m" * 70_000))

    assert update.message == "m" * 65_536 + "… (70,000 characters)"
    assert update.errors == [Problem("E", "x" * 65_536 + "… (70,000 characters)")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["nan", "inf", SHA, "data", "start", 2**63, 2**64, "\x00", "1e5", "../x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["type", "repo_url", "baseline_sha", "name", "client", "step", "message", "subdir", "experiment_rev"]
FIELDS += ["params", "metrics", "plots", "machine", "env", "errors", "unknown"]
PLOT = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(st.dictionaries(st.sampled_from(["step", "loss", "timestamp", "x"]), JSON, max_size=4)) | JSON,
        "image": st.text(max_size=8) | JSON,
        "props": st.dictionaries(st.sampled_from(["step", "title"]), JSON) | JSON,
        "error": JSON,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    changed=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    plots=st.dictionaries(st.text(max_size=9), PLOT, max_size=3) | st.none(),
)
def test_whatever_comes_is_an_update_or_an_error_with_a_path(
    changed: dict[str, Any], plots: dict[str, Any] | None
) -> None:
    payload = json.dumps({**body(plots=plots), **changed}).encode()

    try:
        update = decode(payload)
    except WireError as error:
        assert all([error.path, error.problem, str(error).encode()])  # noqa: PT017 - passing is fine too
    else:
        # Whatever passes can be encoded, and bound as 64-bit numbers and UTF-8.
        msgspec.json.encode(msgspec.structs.replace(update, points=[], pictures=[], snapshots=[]))
        for points in update.points:
            check_points(points)
        for snapshot in update.snapshots:
            check_snapshot(snapshot)


def check_points(points: Points) -> None:
    assert len(points.steps) == len(points.values)
    assert len(points.timestamps) in {0, len(points.steps)}
    assert all(type(step) is int and abs(step) <= 2**63 for step in points.steps)
    for value in points.values:
        assert value == "nan" or (isinstance(value, int | float) and not math.isnan(value))
        assert type(value) is not int or abs(value) <= 2**63
    (points.path + points.column).encode()


def check_snapshot(snapshot: Snapshot) -> None:
    assert isinstance(json.loads(snapshot.rows), list)


@settings(max_examples=200, deadline=None)
@given(garbage=st.binary(max_size=200), at=st.integers(0, 400), cut=st.integers(0, 60))
def test_damaged_bodies_never_raise_anything_else(garbage: bytes, at: int, cut: int) -> None:
    whole = encoded(plots={LOSS: {"data": rows(3)}}, metrics={"m.json": {"data": {"a": 1}}})

    try:
        decode(whole[:at] + garbage + whole[at + cut :])
    except WireError as error:
        assert error.path  # noqa: PT017 - passing is fine too


CELLS: st.SearchStrategy[object] = st.one_of(
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([None, "nan", "inf", "0.5", "text", "1700000000000", 2**70, True, [], {}]),
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["step", "timestamp", "loss", "acc"]), CELLS), max_size=4)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.sampled_from([LOSS, "plots/metrics/step.tsv", "dvclive/plots/custom/pr.json"]))
def test_plots_read_at_once_are_what_they_are_one_by_one(content: list[dict[str, Any]], path: str) -> None:
    plots = {path: {"data": content}}
    alone = decode(encoded(plots=plots))
    beside_an_image = decode(encoded(plots=plots | {"image.png": {"image": picture()}}))

    assert alone.points == beside_an_image.points
    assert alone.snapshots == beside_an_image.snapshots

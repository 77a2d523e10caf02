from __future__ import annotations

import logging
import tempfile
from collections import OrderedDict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvclive import serialize
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.representer import RepresenterError

from livestream.live import yaml
from livestream.live.error import InvalidParameterTypeError, YAMLFileCorruptedError
from livestream.live.params import Params

texts = st.text(st.characters(codec="utf-8"), max_size=200) | st.sampled_from(
    ["", "a: b", "- a", "# a", "yes", "null", "1", "1e3", "&a", "*a", "!a", "a\nb", "a\n", " a", "a ", "'", '"', "---"]
)
scalars = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | texts
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC))
)
keys = texts | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.none()
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3)
        | st.lists(below, max_size=3).map(tuple)
        | st.dictionaries(keys, below, max_size=3)
        | st.dictionaries(keys, below, max_size=3).map(OrderedDict)
        | st.sets(scalars, max_size=2)
    ),
    max_leaves=6,
)
SHARED = [1, [2]]


def write_theirs(values: Any, path: Path) -> None:
    serialize.dump_yaml(values, path)  # type: ignore[no-untyped-call]


def bytes_of_theirs(values: Any, folder: Path) -> bytes:
    write_theirs(values, folder / "theirs.yaml")
    return (folder / "theirs.yaml").read_bytes()


@pytest.fixture
def params(tmp_path: Path) -> Params:
    return Params(str(tmp_path / "dvclive" / "params.yaml"))


@given(st.lists(st.dictionaries(st.sampled_from("abcdef") | keys, values, max_size=4), max_size=5), st.booleans())
@settings(deadline=None)
@example([{"a": SHARED}, {"b": 1}, {"c": SHARED}, {"d": 2}, {"a": 3}], False)
@example([{"a": SHARED, "b": 1}, {"a": [SHARED, SHARED]}], False)
@example([{"a": [1], "b": {"x": 1}}, {"b": [3]}, {"c": (), "d": ()}, {}], True)
def test_the_file_is_dvclives_after_each_call(calls: list[dict[Any, Any]], resumed: bool) -> None:  # noqa: FBT001 - hypothesis's
    with tempfile.TemporaryDirectory() as place:
        ours, expected = Path(place, "params.yaml"), dict[Any, Any]()
        params = Params(str(ours))
        for call in calls:
            expected |= call
            try:
                wanted = bytes_of_theirs(expected, Path(place))
            except Exception:  # noqa: BLE001 - ruamel's own faults are of many kinds
                assume(False)
            params.update(call)
            assert ours.read_bytes() == wanted
            assert list(params.values) == list(expected)
            if resumed:
                try:
                    expected = serialize.load_yaml(ours)  # type: ignore[no-untyped-call]
                except Exception:  # noqa: BLE001 - what it has written it may not read
                    assume(False)
                params = Params(str(ours))
                params.read()


@pytest.mark.parametrize(
    "value",
    [np.float32(1), np.zeros(2), object(), {"a": [1j]}, Path("a"), np.float64(1)],
    ids=lambda value: type(value).__name__,
)
def test_what_yaml_cannot_hold_is_dvclives_error_and_nothing_is_taken(
    value: Any, params: Params, tmp_path: Path
) -> None:
    with pytest.raises(RepresenterError) as expected:
        write_theirs({"bad": value}, tmp_path / "theirs.yaml")
    params.update({"lr": 0.1})
    for _ in range(2):
        with pytest.raises(InvalidParameterTypeError) as caught:
            params.update({"good": 1, "bad": value, "lr": 0.2})
        assert str(caught.value).partition(" at 0x")[0] == str(expected.value.args[0]).partition(" at 0x")[0]
    assert params.values == {"lr": 0.1}
    params.update({"batch": 3})
    assert (tmp_path / "dvclive" / "params.yaml").read_text() == "lr: 0.1\nbatch: 3\n"


def test_values_of_ruamels_own_kinds_keep_their_comments_as_in_dvclive(params: Params, tmp_path: Path) -> None:
    loaded = YAML().load("model: # the model\n  name: &n big\n  other: *n\nlr: 0x10\n")
    everything: dict[str, Any] = {}
    for new in ({"first": 1}, {"config": loaded["model"], "lr": loaded["lr"]}, {"last": {"a": 1}}):
        params.update(new)
        everything |= new
        assert (tmp_path / "dvclive" / "params.yaml").read_bytes() == bytes_of_theirs(everything, tmp_path)
    assert b"# the model" in (tmp_path / "dvclive" / "params.yaml").read_bytes()


def test_ruamel_is_asked_only_for_what_is_new(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = yaml.to_text

    def to_text(content: Any) -> str:
        asked.append(list(content))
        return real(content)

    monkeypatch.setattr(yaml, "to_text", to_text)
    params.update({f"p{number}": [number] for number in range(50)})
    for number in range(50, 60):
        params.update({f"p{number}": {"a": number}})
    assert asked == [[f"p{number}" for number in range(50)], *([f"p{number}"] for number in range(50, 60))]
    asked.clear()
    params.update({"p3": 1})  # those that came together are told apart once
    assert sorted(asked) == sorted([f"p{number}"] for number in range(50))
    asked.clear()
    for value in range(3):
        params.update({"p4": value, "p55": value})
    assert sorted(asked) == [["p4"]] * 3 + [["p55"]] * 3


def test_parameters_of_an_earlier_run_are_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    params = Params(str(path))
    params.read()
    assert params.values == {}
    for content, wanted in (("", {}), ("lr: 0.1\nday: 2020-01-02\n", {"lr": 0.1, "day": date(2020, 1, 2)})):
        path.write_text(content)
        params.read()
        assert params.values == wanted
        assert path.read_text() == content
    params.update({"when": datetime(2020, 1, 2, tzinfo=UTC)})
    assert path.read_text() == "lr: 0.1\nday: 2020-01-02\nwhen: 2020-01-02 00:00:00+00:00\n"


@pytest.mark.parametrize("content", [b"a: b: c", b"[1, 2", b"- 1\n- 2\n", b"word", b"a: \xff"])
def test_a_file_that_holds_no_parameters_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(YAMLFileCorruptedError) as caught:
        Params(str(path)).read()
    assert caught.value.path == str(path)
    assert path.read_bytes() == content


def test_a_disk_that_refuses_the_file_is_said_once(params: Params, caplog: pytest.LogCaptureFixture) -> None:
    path = Path(params._path)
    path.mkdir(parents=True)
    for value in range(3):
        params.update({"a": value})
    path.rmdir()
    params.update({"b": 1})
    assert path.read_text() == "a: 2\nb: 1\n"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "livestream.live_file_not_written")
    ]


def test_yaml_is_written_for_an_ordered_dictionary_without_a_word_to_ruamel_itself(tmp_path: Path) -> None:
    content = {"a": OrderedDict(b=[OrderedDict(c=1)])}
    assert yaml.to_text(content).encode() == bytes_of_theirs(content, tmp_path)
    assert yaml.to_text({}) == "{}\n"

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.studio.query import (
    Condition,
    FieldKey,
    Held,
    Key,
    LeafKey,
    Operator,
    QueryError,
    Sort,
    Wanted,
    holds,
    parse_condition,
    parse_sort,
    sort_by,
)

HELD = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["nan", "inf", "-inf", "true", "0.5"])
)


def asks(text: str, *held: Held) -> bool:
    return holds(parse_condition(text), held)


@pytest.mark.parametrize(
    ("text", "key", "operator", "wanted"),
    [
        ("status=running", FieldKey("status"), "=", Wanted("running", None)),
        (" step >= 10 ", FieldKey("step"), ">=", Wanted("10", 10)),
        ("metrics.train.loss<0.5", LeafKey("metrics", None, ("train", "loss")), "<", Wanted("0.5", 0.5)),
        ("metrics.train/loss<.5", LeafKey("metrics", None, ("train/loss",)), "<", Wanted(".5", 0.5)),
        (
            "params[dvclive/params.yaml].lr=1e-3",
            LeafKey("params", "dvclive/params.yaml", ("lr",)),
            "=",
            Wanted("1e-3", 0.001),
        ),
        ('params["a]b"]."x.y"!="1"', LeafKey("params", "a]b", ("x.y",)), "!=", Wanted("1", None)),
        ("metrics.my metric = 1", LeafKey("metrics", None, ("my metric",)), "=", Wanted("1", 1)),
        ("name~a=b", FieldKey("name"), "~", Wanted("a=b", None)),
        ("params.amp=true", LeafKey("params", None, ("amp",)), "=", Wanted("true", 1)),
        ("created>2026-11-20T00:00:00Z", FieldKey("created"), ">", Wanted("2026-11-20T00:00:00Z", 1795132800.0)),
        ("created>2026-11-20", FieldKey("created"), ">", Wanted("2026-11-20", 1795132800.0)),
        ("created<" + "9" * 309, FieldKey("created"), "<", Wanted("9" * 309, int("9" * 309))),
        ("id=9223372036854775808", FieldKey("id"), "=", Wanted("9223372036854775808", 2**63)),
        ("name=", FieldKey("name"), "=", Wanted("", None)),
        ("name=1", FieldKey("name"), "=", Wanted("1", None)),
    ],
)
def test_conditions_are_read(text: str, key: Key, operator: Operator, wanted: Wanted) -> None:
    assert parse_condition(text) == Condition(key, operator, wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "character 1"),
        ("loss<1", "expected one of baseline"),
        ("metrics<1", "expected .NAME after metrics"),
        ("metrics.=1", "expected a name"),
        ("metrics..a=1", "expected a name"),
        ("metrics[a.json.x=1", "expected ]"),
        ("metrics[].x=1", "expected a file"),
        ("step", "expected one of = != < <= > >= ~"),
        ("step=many", "expected a number"),
        ("step~1", "~ is for texts"),
        ("created=yesterday", "seconds since the epoch, or a date"),
        ("created=nan", "seconds since the epoch, or a date"),
        ('metrics."a=1', "expected a name"),
        ('metrics."\x01"=1', "not a JSON string"),
        ('metrics."\\ud800"=1', "not a JSON string"),
        ("metrics" + ".a" * 33 + "=1", "33 names; at most 32"),
        ("'; DROP TABLE experiment; --", "expected one of baseline"),
        ("STATUS=running", "expected one of baseline"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_condition(text)
    assert said in str(caught.value)


def test_sorts_are_read() -> None:
    assert parse_sort("-metrics.acc") == Sort(LeafKey("metrics", None, ("acc",)), falling=True)
    assert parse_sort("name") == Sort(FieldKey("name"))
    with pytest.raises(QueryError, match="nothing after the key"):
        parse_sort("name desc")
    with pytest.raises(QueryError, match="expected one of"):
        parse_sort("--name")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_condition, parse_sort):
        with suppress(QueryError):
            parse(text)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_every_file_name_and_value_can_be_written_quoted(file: str, names: list[str], value: str) -> None:
    text = f"metrics[{json.dumps(file)}]" + "".join(f".{json.dumps(name)}" for name in names) + f"={json.dumps(value)}"
    assert parse_condition(text) == Condition(LeafKey("metrics", file, tuple(names)), "=", Wanted(value, None))


def test_numbers_are_compared_as_numbers_and_texts_as_texts() -> None:
    assert asks("metrics.a=0.50", 0.5)
    assert asks("metrics.a<10", 9)
    assert asks("metrics.a<10", "9")  # a number that was sent as text
    assert not asks("metrics.a<10", "nine")
    assert asks("params.opt>adam", "sgd")
    assert not asks("params.opt=Adam", "adam")
    assert asks("params.opt~AD", "adam")
    assert asks("params.amp=true", 1)
    assert asks("params.amp=false", "false") is asks("params.amp=false", 0) is True
    assert asks("name=007", "007")
    assert not asks("name=7", "007")
    assert asks("metrics.a=9007199254740993", 9007199254740993)
    assert not asks("metrics.a=9007199254740993", 9007199254740992)


def test_nan_and_infinity_are_numbers_here() -> None:
    assert asks("metrics.a=nan", "nan")
    assert asks("metrics.a=NaN", math.nan)
    assert not asks("metrics.a<1", "nan")
    assert not asks("metrics.a>=nan", "nan")
    assert asks("metrics.a>1e308", "inf")
    assert asks("metrics.a<-1e308", "-inf")
    assert asks("metrics.a<1e999", 5)


def test_what_is_missing_meets_only_unequal() -> None:
    assert asks("metrics.a!=1", None)
    for operator in ("=", "<", "<=", ">", ">=", "~"):
        assert not asks(f"metrics.a{operator}1", None)


def test_of_several_values_one_is_enough() -> None:
    assert asks("client=dvc", "dvclive", "dvc")
    assert not asks("client!=dvc", "dvclive", "dvc")
    assert asks("client!=dvc")


@given(HELD, st.sampled_from(["1", "nan", "inf", "a", "0.5", "true", '"1"']))
def test_unequal_is_exactly_the_opposite_of_equal(held: Held, wanted: str) -> None:
    assert asks(f"metrics.a={wanted}", held) is not asks(f"metrics.a!={wanted}", held)


def _by(values: list[Held], *sorts: str) -> list[Held]:
    return sort_by(values, [parse_sort(text) for text in sorts], lambda value, _: value)


def test_sorted_are_numbers_then_texts_then_nan_then_nothing_in_both_directions() -> None:
    values: list[Held] = [None, "nan", "b", 2, "a", 10, "inf", -1]
    assert _by(values, "metrics.a") == [-1, 2, 10, "inf", "a", "b", "nan", None]
    assert _by(values, "-metrics.a") == ["inf", 10, 2, -1, "b", "a", "nan", None]


def test_a_name_that_reads_as_a_number_is_still_a_text() -> None:
    assert _by(["nan", "inf", "a", "zz"], "name") == ["a", "inf", "nan", "zz"]


def test_equals_of_the_first_sort_stand_by_the_second() -> None:
    items = [("b", 1), ("a", 2), ("a", 1), ("b", 2)]
    found = sort_by(items, [parse_sort("name"), parse_sort("-step")], lambda item, at: item[at])
    assert found == [("a", 2), ("a", 1), ("b", 2), ("b", 1)]


@given(values=st.lists(HELD, max_size=20), falling=st.booleans())
@settings(max_examples=50)
def test_sorting_loses_nothing_and_is_stable(*, values: list[Held], falling: bool) -> None:
    numbered = list(enumerate(values))
    found = sort_by(numbered, [Sort(LeafKey("metrics", None, ("a",)), falling)], lambda item, _: item[1])
    assert sorted(at for at, _ in found) == list(range(len(values)))
    places = [at for at, value in found if value is None]
    assert places == sorted(places)

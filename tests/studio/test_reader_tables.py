from __future__ import annotations

import random

import msgspec
from reader_cases import Filled

from livestream.events import JsonObject, Problem
from livestream.studio.experiment import Facts, WriterFacts
from livestream.studio.store.base import KeyPath, Scope
from livestream.studio.store.sqlite import tables
from livestream.studio.store.sqlite.reader import SqliteReader

METRICS = "dvclive/metrics.json"
HOSTILE = [
    "a.b",
    'quo"te',
    "'; DROP TABLE experiment; --",
    "back\\slash",
    "line\nbreak",
    "brackets[0]",
    "[#-1]",
    "$",
    "",
    " ",
    "ünï→",
    "a" * 2_000,
    "\x7f",
    "*",
]


def key(*names: str, file: str = METRICS, group: str = "metrics") -> KeyPath:
    return KeyPath("params" if group == "params" else "metrics", file, names)


def test_rows_carry_everything_and_dictionaries_undecoded(filled: Filled, reader: SqliteReader) -> None:
    facts = Facts(session=3, step=9, errors=[Problem(cls="E", text="t")], writers={"w": WriterFacts(mark=4)})
    metrics: JsonObject = {METRICS: {"train": {"loss": 0.1234567890123456789, "nan": "nan"}}}
    number = filled.add_experiment(
        'na"me\n\x00', facts=facts, metrics=metrics, params={"p.yaml": {"lr": 1e-5}}, subdir="s", deleted_us=7
    )
    (row,) = reader.rows([number])
    assert row.id == number
    assert (row.identity.repository, row.identity.repo_url) == ("github.com/o/r", "git@github.com:o/r.git")
    assert (row.identity.name, row.identity.baseline_sha) == ('na"me\n\x00', "a" * 40)
    assert (row.subdir, row.created_us, row.updated_us, row.deleted_us) == ("s", 1, 2, 7)
    assert row.facts == facts
    assert bytes(row.metrics) == msgspec.json.encode(metrics)
    assert bytes(row.params) == b'{"p.yaml":{"lr":0.00001}}'


def test_rows_come_in_the_order_asked_for_without_those_unknown(filled: Filled, reader: SqliteReader) -> None:
    ids = [filled.add_experiment(f"run-{number}") for number in range(tables.BATCH * 2 + 5)]
    asked = random.Random(1).sample(ids, len(ids))
    rows = reader.rows([10**6, *asked, -1])
    assert [row.id for row in rows] == asked
    assert [row.identity.name for row in rows[:3]] == [f"run-{number - 1}" for number in asked[:3]]
    assert reader.rows([]) == []


def test_briefs_come_newest_first(filled: Filled, reader: SqliteReader) -> None:
    ids = [filled.add_experiment(f"run-{number}", created_us=created) for number, created in enumerate([5, 9, 5, 7])]
    assert [brief.id for brief in reader.briefs(Scope())] == [ids[1], ids[3], ids[2], ids[0]]


def test_a_scope_chooses_experiments(filled: Filled, reader: SqliteReader) -> None:
    one = filled.add_experiment("one")
    sub = filled.add_experiment("sub", subdir="models/a")
    other = filled.add_experiment("other", repository="github.com/x/y", baseline_sha="b" * 40)
    gone = filled.add_experiment("gone", deleted_us=5)

    def found(scope: Scope) -> set[int]:
        return {brief.id for brief in reader.briefs(scope)}

    assert found(Scope()) == {one, sub, other}
    assert found(Scope(deleted=True)) == {gone}
    assert found(Scope(repository="github.com/o/r")) == {one, sub}
    assert found(Scope(repository="github.com/o/r", subdir="models/a")) == {one, sub}
    assert found(Scope(repository="github.com/o/r", subdir="models/b")) == {one}
    assert found(Scope(baseline_shas=("b" * 40,))) == {other}
    assert found(Scope(names=("one", "other", "gone", "'"))) == {one, other}
    assert found(Scope(ids=(sub, gone, 999))) == {sub}
    assert found(Scope(repository="' OR 1=1 --")) == set()


def test_keys_give_the_leaves_as_they_were_stored(filled: Filled, reader: SqliteReader) -> None:
    leaves: JsonObject = {
        "int": 7,
        "float": 0.1 + 0.2,
        "tiny": 5e-324,
        "text": "seven",
        "nan": "nan",
        "yes": True,
        "no": False,
        "none": None,
        "list": [1, "two", {"a": 1.5}],
        "folder": {"in": 1},
    }
    filled.add_experiment("a", metrics={METRICS: leaves}, params={"params.yaml": {"lr": 0.5}})
    names = [*leaves, "absent"]
    keys = [*(key(name) for name in names), key("folder", "in"), key("int", "deeper"), key("int", file="other")]
    keys.insert(3, key("lr", file="params.yaml", group="params"))
    (brief,) = reader.briefs(Scope(), keys)
    found = dict(zip(keys, brief.keys, strict=True))
    assert found.pop(key("lr", file="params.yaml", group="params")) == 0.5
    assert found.pop(key("folder", "in")) == 1
    assert list(found.values()) == [
        7,
        0.1 + 0.2,
        5e-324,
        "seven",
        "nan",
        1,
        0,
        None,
        '[1,"two",{"a":1.5}]',
        None,
        None,
        None,
        None,
    ]


def test_hostile_names_are_only_names(filled: Filled, reader: SqliteReader) -> None:
    filled.add_experiment("a", metrics={file: {name: {"x": name} for name in HOSTILE} for file in HOSTILE})
    keys = [key(name, "x", file=file) for file in HOSTILE for name in HOSTILE]
    (brief,) = reader.briefs(Scope(), keys)
    assert list(brief.keys) == [name for _ in HOSTILE for name in HOSTILE]
    (brief,) = reader.briefs(Scope(), [key(name, "y", file="a.b") for name in HOSTILE])
    assert set(brief.keys) == {None}


def test_more_keys_than_a_function_takes_are_found(filled: Filled, reader: SqliteReader) -> None:
    filled.add_experiment(
        "a", metrics={METRICS: {f"m{n}": n for n in range(250)}}, params={"p": {f"p{n}": -n for n in range(150)}}
    )
    keys = [key(f"m{n}") for n in range(250)] + [key(f"p{n}", file="p", group="params") for n in range(150)]
    random.Random(3).shuffle(keys)
    (brief,) = reader.briefs(Scope(), keys)
    assert [f"{value}" for value in brief.keys] == [
        one.names[0][1:] if one.group == "metrics" else f"{-int(one.names[0][1:])}" for one in keys
    ]


def test_deep_dictionaries_do_not_harm_the_others(filled: Filled, reader: SqliteReader) -> None:
    deep: JsonObject = {}
    for _ in range(200):
        deep = {"a": deep}
    filled.add_experiment("deep", metrics={METRICS: deep})
    filled.add_experiment("flat", metrics={METRICS: {"a": 1}})
    assert {brief.keys for brief in reader.briefs(Scope(), [key("a")])} == {(None,), (1,)}

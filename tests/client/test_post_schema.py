from __future__ import annotations

import pytest
from client_cases import REPO_URL, SHA
from dvc_studio_client.schema import SCHEMAS_BY_TYPE
from hypothesis import given, settings
from hypothesis import strategies as st
from voluptuous import MultipleInvalid
from voluptuous.humanize import humanize_error

from livestream.client.schema import EVENT_TYPES, problems
from livestream.events import Json, JsonObject


def stock_problems(event_type: str, body: JsonObject) -> str | None:
    try:
        SCHEMAS_BY_TYPE[event_type](body)
    except MultipleInvalid as error:
        text: str = humanize_error(body, error)
        return text
    return None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2) | st.integers(0, 2), inner, max_size=2)
    ),
    max_leaves=6,
)
DICTS = st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
SHAS = st.text("0123456789abcdefghABCDEFGHiI", min_size=39, max_size=41) | st.sampled_from(
    [SHA, SHA.upper(), SHA + "\n"]
)
PATHS = st.sampled_from(["a.json", "b/c.yaml", ""])


def mostly(right: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Right nine times out of ten, so that a body of twenty places is right now and then."""
    return st.integers(0, 9).flatmap(lambda number: right if number else ANYTHING)


def some(right: dict[str, st.SearchStrategy[Json]]) -> st.SearchStrategy[JsonObject]:
    """A dictionary with any of the keys, and now and then with another one."""
    known: st.SearchStrategy[JsonObject] = st.fixed_dictionaries({}, optional=right)
    return st.integers(0, 19).flatmap(
        lambda number: known if number else st.builds(lambda one, two: {**one, **two}, known, DICTS)
    )


def by_name(right: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    keys = st.integers(0, 19).flatmap(lambda number: PATHS if number else st.integers(0, 1))
    return mostly(st.dictionaries(keys, mostly(right), max_size=2))


ERRORS = some({"cls": mostly(st.text(max_size=2)), "text": mostly(st.text(max_size=2))}) | st.just(
    {"cls": "E", "text": ""}
)
PLOTS = some(
    {
        "data": mostly(st.lists(mostly(DICTS), max_size=3)),
        "image": mostly(st.text(max_size=3)),
        "props": mostly(DICTS),
        "error": mostly(ERRORS),
    }
)
FIELDS: dict[str, st.SearchStrategy[Json]] = {
    "type": st.sampled_from(["start", "data", "done"]) | mostly(st.just("data")),
    "repo_url": mostly(st.just(REPO_URL)),
    "baseline_sha": mostly(SHAS),
    "name": mostly(st.text(max_size=3)),
    "client": mostly(st.sampled_from(["dvc", "dvclive"])),
    "env": mostly(DICTS),
    "errors": mostly(st.lists(mostly(ERRORS), max_size=2)),
    "params": by_name(DICTS),
    "metrics": by_name(some({"data": mostly(DICTS), "error": mostly(ERRORS)})),
    "machine": mostly(DICTS),
    "step": mostly(st.integers() | st.booleans()),
    "plots": by_name(PLOTS),
    "message": mostly(st.text(max_size=3)),
    "subdir": mostly(st.text(max_size=3)),
    "experiment_rev": mostly(SHAS),
}
HEAD = {"type": "data", "repo_url": REPO_URL, "baseline_sha": SHA}


OWN_FIELDS = {"start": ("message", "subdir"), "data": ("step", "plots"), "done": ("experiment_rev",)}
ALL_OWN = {field for fields in OWN_FIELDS.values() for field in fields}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, JsonObject]:
    """A type and a body for it, mostly with what it needs and with few fields that others have."""
    event_type = draw(st.sampled_from(sorted(EVENT_TYPES)))
    fields = {name: value for name, value in FIELDS.items() if name not in ALL_OWN or name in OWN_FIELDS[event_type]}
    body = draw(some(FIELDS if draw(st.integers(0, 9)) == 0 else fields))
    needed = {} if draw(st.integers(0, 9)) == 0 else {**HEAD, **({"step": 0} if event_type == "data" else {})}
    return event_type, {**needed, **body}


EXAMPLES: list[tuple[str, JsonObject]] = [
    ("data", {"step": True}),
    ("data", {"step": 1.0}),
    ("data", {"step": "1"}),
    ("data", {}),
    ("data", {"step": 0, "baseline_sha": SHA.upper()}),
    ("data", {"step": 0, "baseline_sha": "h" * 40}),
    ("data", {"step": 0, "baseline_sha": 10**39}),
    ("data", {"step": 0, "baseline_sha": "bad_hash"}),
    ("data", {"step": 0, "plots": {"p": {"data": [], "image": ""}}}),
    ("data", {"step": 0, "plots": {"p": {"data": [1, {}, "x"], "props": {}}}}),
    ("data", {"step": 0, "plots": {"p": {"data": ({},)}, "q": {"error": {"cls": "E", "text": "t"}}}}),
    ("data", {"step": 0, "plots": {1: {}, "p": 2}}),
    ("start", {"metrics": {"m": {"data": {}, "error": {"cls": "E", "text": "t"}}}}),
    ("start", {"metrics": {"m": {"error": {"cls": "E"}, "other": 1}}}),
    ("start", {"errors": [{"cls": "E", "text": "t"}]}),
    ("start", {"errors": [{"cls": "E"}, {"text": 1}, 3]}),
    ("start", {"errors": [3, {"text": 1}]}),
    ("start", {"params": {"p": "x" * 1000}}),
    ("start", {"step": 1, "plots": {}}),
    ("done", {"experiment_rev": "x"}),
    ("done", {"experiment_rev": SHA.upper(), "machine": {"cpu": 1}, "env": {}}),
]


@settings(max_examples=500, deadline=None)
@given(cases())
def test_verdicts_and_words_are_the_stock_clients(case: tuple[str, JsonObject]) -> None:
    event_type, body = case

    assert problems(event_type, body) == stock_problems(event_type, body)


@pytest.mark.parametrize(("event_type", "fields"), EXAMPLES)
def test_each_rule_gives_the_stock_clients_verdict(event_type: str, fields: JsonObject) -> None:
    body = {**HEAD, "type": event_type, **fields}

    assert problems(event_type, body) == stock_problems(event_type, body)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_body_that_is_no_dictionary_is_refused_alike(event_type: str) -> None:
    bodies: list[Json] = [[], "x", None, 3]
    for body in bodies:
        problem = problems(event_type, body)
        assert problem is not None
        assert problem == stock_problems(event_type, body)


def test_the_stock_clients_own_example_of_a_bad_commit_is_said_in_its_words() -> None:
    assert problems("data", {**HEAD, "step": 0, "baseline_sha": "bad_hash"}) == (
        "expected a length 40 commit sha for dictionary value @ data['baseline_sha']. Got 'bad_hash'"
    )

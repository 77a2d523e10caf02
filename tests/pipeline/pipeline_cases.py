"""Events, updates and limits for the tests of the pipeline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from dvc_studio_client.schema import SCHEMAS_BY_TYPE
from hypothesis import strategies as st

from livestream.events import Data, Done, Event, Files, Image, JsonObject, Plot, Problem, Record, Start, encode
from livestream.pipeline.chunk import Limits, Part, chunk, render
from livestream.pipeline.coalesce import ExperimentState, Profile, Source, Update, coalesce, extent

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Source(writer="w0", repo_url="https://example.org/r.git", baseline_sha="a" * 40, name="brave-owl")
STOCK = Profile()
OURS = Profile(image_history=True, live_plots=True, idempotent=True)


def records(*events: Event, first: int = 1) -> list[Record]:
    return [Record(seq, event, len(encode(event))) for seq, event in enumerate(events, first)]


def data(step: int = 0, **fields: object) -> Data:
    return msgspec.convert({"type": "data", "time": 0.0, "step": step, **fields}, Data)


def update_of(*events: Event, state: ExperimentState | None = None, profile: Profile = STOCK) -> Update:
    return coalesce(records(*events), state or ExperimentState(), SOURCE, profile)


def updates_of(queue: Sequence[Record], profile: Profile, max_events: int = 100) -> list[Update]:
    """Coalesce a whole queue as the daemon does."""
    state, updates, at = ExperimentState(), list[Update](), 0
    while at < len(queue):
        count = extent(queue[at:], profile, max_events)
        updates.append(coalesce(queue[at : at + count], state, SOURCE, profile))
        state = updates[-1].state
        at += count
    return updates


def content(path: str, size: int) -> bytes:
    """Stand in for an image's base64: its size is what matters, its text tells images apart."""
    return (path.encode().hex().encode() * (size + 1))[:size]


def body_of(update: Update, part: Part, images: dict[str, bytes] | None = None) -> JsonObject:
    body: JsonObject = json.loads(render(update, part, images or {}))
    SCHEMAS_BY_TYPE[body["type"]](body)  # the stock client's own rules
    return body


def bodies_of(update: Update, limits: Limits | None = None, sizes: dict[str, int] | None = None) -> list[JsonObject]:
    """Cut and render an update that fits, and hold every body to the rules."""
    limits, sizes = limits or Limits(), sizes or {}
    chunks = chunk(update, limits, sizes)
    assert chunks.unfit == ()
    images = {path: content(path, size) for path, size in sizes.items()}
    for part in chunks.parts:
        assert len(render(update, part, images)) <= limits.max_request_bytes
    return [body_of(update, part, images) for part in chunks.parts]


NAMES = st.text(st.sampled_from('ab/é"'), min_size=1, max_size=4) | st.sampled_from(["step", "a/step", "timestamp"])
SCALARS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.booleans()
    | st.sampled_from(["nan", "inf", "-inf", "warm-up", ""])
)
METRICS = st.dictionaries(NAMES, SCALARS, max_size=4)
PARAMS = st.dictionaries(st.sampled_from(["lr", "seed", "net"]), st.integers(0, 9) | st.text(max_size=3), max_size=2)
IMAGES = st.dictionaries(
    st.sampled_from(["x.png", "y.png", "z.png"]), st.just(Image(format="png", size=9, data="")), max_size=2
)
ROWS = st.lists(st.fixed_dictionaries({"step": st.integers(0, 9), "v": st.integers(0, 999)}), max_size=4)
PLOTS = st.dictionaries(
    st.sampled_from(["p", "q"]),
    st.builds(Plot, rows=ROWS, props=st.sampled_from([{}, {"title": "t"}])),
    max_size=1,
)
PLOT_FILES = st.dictionaries(
    st.sampled_from(["dvclive/plots/metrics/a.tsv", "other/plots/custom/c.json", "d.json"]),
    st.one_of(
        ROWS.map(lambda rows: {"data": rows}),
        ROWS.map(lambda rows: {"data": rows, "props": {"x": "step"}}),
        st.just({"image": "aGk="}),
        st.just({"data": [{"label": "cat"}]}),
        st.just({"error": {"cls": "E", "text": "t"}}),
    ),
    max_size=2,
)
FILES = st.builds(
    Files,
    metrics=st.dictionaries(
        st.sampled_from(["dvclive/metrics.json", "other/metrics.json"]),
        st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 9)).map(lambda whole: {"data": whole})
        | st.just({"error": {"cls": "E", "text": "t"}}),
        max_size=1,
    ),
    params=st.dictionaries(st.sampled_from(["dvclive/params.yaml", "params.yaml"]), PARAMS, max_size=1),
    plots=PLOT_FILES,
)
MACHINES = st.sampled_from([{}, {"cpu": 1}, {"gpu": "a"}])
DATA = st.builds(
    Data,
    time=st.just(0.0),
    step=st.integers(0, 9),
    metrics=METRICS,
    params=PARAMS,
    images=IMAGES,
    plots=PLOTS,
    timestamp=st.none() | st.integers(0, 2**41),
    machine=MACHINES,
    files=st.none() | FILES,
)
SHORT_DATA = st.builds(Data, time=st.just(0.0), step=st.integers(0, 9), metrics=METRICS, params=PARAMS)
STARTS = st.builds(Start, time=st.just(0.0), message=st.none() | st.text(max_size=90), params=PARAMS, machine=MACHINES)
DONES = st.builds(
    Done,
    time=st.just(0.0),
    errors=st.lists(st.just(Problem("ValueError", "no")), max_size=1),
    experiment_rev=st.none() | st.just("b" * 40),
    files=st.none() | FILES,
)
QUEUES = st.lists(st.one_of(DATA, DATA, DATA, STARTS, DONES), min_size=1, max_size=12).map(lambda all_: records(*all_))
PROFILES = st.sampled_from([STOCK, OURS])
LIMITS = st.builds(
    Limits,
    max_request_bytes=st.integers(500, 3000),
    max_plot_bytes=st.integers(20, 600),
    max_plots=st.integers(1, 4),
    target_request_bytes=st.integers(100, 3000),
)

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_cases import (
    REPO_URL,
    SHA,
    TOKEN,
    StockStudio,
    end_sessions,
    listening,
    open_scene,
    read_queues,
    wire_body,
)
from dvc_studio_client.post_live_metrics import post_live_metrics as stock_post
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livestream.client.post import post_live_metrics
from livestream.events import Json, JsonObject


@pytest.fixture(scope="module")
def studio() -> Iterator[StockStudio]:
    server = StockStudio()
    yield server
    server.close()


PATHS = st.sampled_from(["dvclive/metrics.json", "params.yaml", "dvclive/plots/metrics/a.tsv", "é/b.json"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2), max_leaves=4
)
DICTS = st.dictionaries(TEXTS | st.integers(0, 9), VALUES, max_size=2)
ERRORS = st.fixed_dictionaries({"cls": TEXTS, "text": TEXTS})
ROWS = st.lists(st.fixed_dictionaries({"step": st.integers(0, 9)}, optional={"a": VALUES}), max_size=2)
PLOTS = st.fixed_dictionaries({"data": ROWS}, optional={"props": DICTS, "error": ERRORS}) | st.fixed_dictionaries(
    {"image": st.text("abc=", max_size=5)}, optional={"props": DICTS}
)
SHAS = st.sampled_from([SHA, SHA.upper(), "h" * 40, "bad"])
CALLS: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(["start", "data", "data", "done", "interrupt"]),
        "baseline_sha": SHAS,
        "name": st.sampled_from(["one", "two", ""]),
        "client": st.sampled_from(["dvc", "dvclive"]),
    },
    optional={
        "metrics": st.dictionaries(
            PATHS, st.fixed_dictionaries({}, optional={"data": DICTS, "error": ERRORS}), max_size=2
        ),
        "params": st.dictionaries(PATHS, DICTS, max_size=2),
        "plots": st.dictionaries(PATHS, PLOTS, max_size=2),
        "machine": DICTS,
        "step": st.none() | st.booleans() | st.integers(-3, 2**62) | st.just(1.5),
        "message": st.none() | TEXTS | st.text(min_size=70, max_size=80),
        "subdir": st.none() | TEXTS,
        "experiment_rev": st.none() | SHAS,
        "offline": st.sampled_from([False, False, False, True]),
        "dvc_studio_config": st.fixed_dictionaries(
            {}, optional={"offline": st.sampled_from([False, "off", "no", "yes"])}
        ),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_what_the_stock_client_posts_is_what_is_spooled(
    studio: StockStudio, tmp_path_factory: pytest.TempPathFactory, calls: list[JsonObject]
) -> None:
    posted: list[Json] = []
    with pytest.MonkeyPatch.context() as patch, open_scene(tmp_path_factory.mktemp("scene"), patch) as scene:
        said: list[str] = []
        for call in calls:
            call = {**call, "studio_token": TOKEN, "studio_repo_url": REPO_URL, "studio_url": studio.url}  # noqa: PLW2901
            with listening("dvc_studio_client", said):
                expected = stock_post(**call)
            body = studio.take()
            posted += [body] if body is not None else []

            assert post_live_metrics(**call) is expected
        end_sessions()
        spooled = [wire_body(queue.info, event) for queue in read_queues(scene.spool) for event in queue.events]

    def as_text(body: JsonObject) -> str:
        return repr(sorted(body.items()))

    assert sorted(spooled, key=as_text) == sorted(posted, key=as_text)
    assert scene.said == said


def test_one_experiments_events_are_spooled_in_the_order_in_which_they_were_posted(
    studio: StockStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head: JsonObject = {"baseline_sha": SHA, "name": "run", "client": "dvclive"}
    calls: list[JsonObject] = [
        {"event_type": "start", "message": "m" * 100, "subdir": "a/b", "params": {"params.yaml": {"lr": 0.1}}},
        *(
            {
                "event_type": "data",
                "step": step,
                "metrics": {"dvclive/metrics.json": {"data": {"loss": 1 / (step + 1), "step": step}}},
                "params": {"dvclive/params.yaml": {"lr": 0.1, "layers": [1, 2]}},
                "machine": {"cpu": 0.94},
                "plots": {
                    "dvclive/plots/metrics/loss.tsv": {"data": [{"step": step, "loss": 1 / (step + 1)}]},
                    "dvclive/plots/images/a.png": {"image": "A" * 100_000},
                },
            }
            for step in range(3)
        ),
        {"event_type": "done", "experiment_rev": SHA.upper()},
    ]
    with open_scene(tmp_path, monkeypatch) as scene:
        to: JsonObject = {"studio_token": TOKEN, "studio_repo_url": REPO_URL, "studio_url": studio.url}
        for call in calls:
            assert post_live_metrics(**head, **call, **to) is True
        (queue,) = scene.queues()
    posted = []
    for call in calls:
        assert stock_post(**head, **call, **to) is True
        posted.append(studio.take())

    assert [wire_body(queue.info, event) for event in queue.events] == posted
    assert queue.spilled == 3


def test_the_stock_client_reads_the_same_environment(
    studio: StockStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_scene(tmp_path, monkeypatch) as scene:
        monkeypatch.setenv("DVC_STUDIO_TOKEN", TOKEN)
        monkeypatch.setenv("STUDIO_REPO_URL", REPO_URL)
        monkeypatch.setenv("DVC_STUDIO_URL", studio.url)
        monkeypatch.setenv("DVC_EXP_GIT_REMOTE", "https://elsewhere/r.git")  # DVC's own business, not this function's
        call: JsonObject = {"event_type": "start", "baseline_sha": SHA, "name": "run", "client": "dvc"}
        assert "LIVESTREAM_SPOOL" in os.environ

        assert stock_post(**call) is post_live_metrics(**call) is True

        (queue,) = scene.queues()
    assert [wire_body(queue.info, event) for event in queue.events] == [studio.take()]
    assert queue.info.url == studio.url

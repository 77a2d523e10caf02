from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from studio_stage import RunningStudio, eventually
from wire_cases import body, encoded, large_body


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    with RunningStudio(tmp_path_factory.mktemp("studio") / "data") as place:
        yield place


def say(place: RunningStudio, payload: bytes, path: str = "/api/live") -> requests.Response:
    headers = {"Authorization": f"token {place.token}", "Content-Type": "application/json"}
    return SESSION.post(place.url + path, data=payload, headers=headers, timeout=60)


def names(place: RunningStudio) -> set[str]:
    headers = {"Authorization": f"token {place.token}"}
    answer = SESSION.get(f"{place.url}/api/experiments?limit=1000", headers=headers, timeout=60).json()
    return {experiment["name"] for experiment in answer["experiments"]}


SESSION = requests.Session()
SESSION.trust_env = False
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = "type repo_url baseline_sha client step message subdir experiment_rev params metrics plots machine env errors"
FIELD = st.sampled_from([*FIELDS.split(), "unknown"])
ROW = st.dictionaries(st.sampled_from(["step", "loss", "x"]), st.integers() | st.floats() | VALUE, max_size=3)
SOUND_SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "params": st.dictionaries(st.text(max_size=5), st.dictionaries(st.text(max_size=5), VALUE), max_size=2),
        "metrics": st.dictionaries(
            st.text(max_size=5),
            st.fixed_dictionaries({"data": st.dictionaries(st.text(max_size=5), VALUE)}),
            max_size=2,
        ),
        "plots": st.dictionaries(
            st.text(max_size=5),
            st.fixed_dictionaries({"data": st.lists(ROW, max_size=4)}, optional={"props": VALUE}),
            max_size=3,
        ),
        "machine": st.dictionaries(st.text(max_size=5), VALUE),
        "step": st.integers(-(2**64), 2**64),
        "type": st.sampled_from(["start", "data", "done"]),
    },
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sound=SOUND_SHAPES,
    changed=st.dictionaries(FIELD, VALUE, max_size=2),
    name=st.text("abc", min_size=1, max_size=4),
)
def test_garbage_is_never_a_500(
    running: RunningStudio, sound: dict[str, Any], changed: dict[str, Any], name: str
) -> None:
    if not hasattr(running, "good"):
        running.good = set()  # type: ignore[attr-defined]
    answer = say(running, json.dumps(body(**{**sound, **changed, "name": name})).encode())

    assert answer.status_code in {200, 400}, answer.text
    if answer.status_code == 200:
        running.good.add(name)  # type: ignore[attr-defined]
    else:
        path, _, problem = answer.json()["detail"].partition(": ")
        assert path
        assert problem


def test_nothing_of_the_garbage_is_stored(running: RunningStudio) -> None:
    assert names(running) == getattr(running, "good", set())


def test_memory_stays_bounded_under_large_bodies_and_the_answer_comes_in_time(running: RunningStudio) -> None:
    payload = large_body(640_000, name="large")
    assert len(payload) > 27_000_000

    async def storm() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        headers = {"Authorization": f"token {running.token}", "Content-Type": "application/json"}

        async def send(session: aiohttp.ClientSession) -> tuple[int, float]:
            began = loop.time()
            async with session.post(f"{running.url}/api/live", data=io.BytesIO(payload), headers=headers) as answer:
                return answer.status, loop.time() - began

        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*[send(session) for _ in range(4)])

    answers = asyncio.run(storm())

    assert [status for status, _ in answers] == [200] * 4
    peak_kb = next(
        int(line.split()[1])
        for line in Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    assert peak_kb < 512 * 1024


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    with RunningStudio(tmp_path / "data") as place:
        for index in range(3):
            assert say(place, large_body(200_000, name=f"large {index}")).status_code == 200
            assert say(place, encoded(name=f"large {index}", step=9, metrics={"m": {"data": {"a": 1}}})).ok
        place.kill()
        place.start()
        headers = {"Authorization": f"token {place.token}"}

        async def until_applied() -> None:
            folder = tmp_path / "data" / "ingest"
            await eventually(lambda: not list(folder.glob("*.body")), 60)

        asyncio.run(until_applied())
        found = SESSION.get(f"{place.url}/api/experiments", headers=headers, timeout=60).json()["experiments"]

        assert sorted(row["name"] for row in found) == ["large 0", "large 1", "large 2"]
        for row in found:
            assert row["metrics"] == {"m": {"a": 1}}
            series = SESSION.get(f"{place.url}/api/experiments/{row['id']}/series", headers=headers, timeout=60).json()
            assert [each["count"] for each in series["series"]] == [200_000]

from __future__ import annotations

import logging
import math
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from client_cases import IDENTITY, REPO_URL, SHA, STUDIO, TOKEN, Scene, listening, open_scene

import livestream
from livestream.client import post
from livestream.events import Data, Done, Files, Start
from livestream.spool.journal import read_counters
from livestream.spool.layout import JOURNAL_FILE, writer_folders
from livestream.spool.quota import Weight


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with open_scene(tmp_path, monkeypatch) as scene:
        yield scene


def git_repository(folder: Path, remote: str | None) -> None:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=20)
    if remote:
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True, timeout=20)


def nothing_is_spooled(scene: Scene) -> bool:
    return list(writer_folders(scene.spool)) == []


# --- what is spooled


def test_the_public_name_is_this_function() -> None:
    assert livestream.post_live_metrics is post.post_live_metrics


def test_each_type_of_event_is_spooled_with_its_own_fields(scene: Scene) -> None:
    metrics = {"dvclive/metrics.json": {"data": {"loss": 0.5}}}
    params = {"dvclive/params.yaml": {"lr": 0.1}}
    plots = {"dvclive/plots/metrics/loss.tsv": {"data": [{"step": 3, "loss": 0.5}]}}
    everything = {
        "metrics": metrics,
        "params": params,
        "plots": plots,
        "machine": {"cpu": 0.94},
        "step": 3,
        "message": "m" * 80,
        "subdir": "a/b",
        "experiment_rev": "c" * 40,
    }

    assert [scene.post(kind, **everything) for kind in ("start", "data", "done")] == [True, True, True]

    (queue,) = scene.queues()
    start, data, done = queue.events
    files, machine = Files(metrics=metrics, params=params), {"cpu": 0.94}
    assert start == Start(time=start.time, message="m" * 72, subdir="a/b", machine=machine, files=files)
    assert data == Data(
        time=data.time, step=3, machine=machine, files=Files(metrics=metrics, params=params, plots=plots)
    )
    assert done == Done(time=done.time, experiment_rev="c" * 40, machine=machine, files=files)
    assert queue.info.role == "primary"
    assert (queue.info.client, queue.info.experiment.name, queue.info.experiment.repo_url) == (
        "dvclive",
        "run",
        REPO_URL,
    )


def test_an_event_of_64_kib_is_spilled_also_where_it_opens_its_queue(scene: Scene) -> None:
    params = {"params.yaml": {"text": "x" * 70_000}}

    assert scene.post("start", params=params, message="large") is True
    assert scene.post("data", step=0, params=params) is True
    assert scene.post("done", params=params, name="another") is True

    first, second = scene.queues()
    assert [(type(event), event.files and event.files.params) for event in first.events] == [
        (Start, None),
        (Start, params),
        (Data, params),
    ]
    assert [(type(event), event.files and event.files.params) for event in second.events] == [
        (Done, None),
        (Done, params),
    ]
    assert (first.spilled, second.spilled) == (2, 1)


def test_numbers_that_json_cannot_hold_are_spooled_as_texts(scene: Scene) -> None:
    values = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "seed": 2**127}

    assert scene.post("data", step=True, metrics={"metrics.json": {"data": values}}) is True

    (event,) = scene.events()
    assert isinstance(event, Data)
    assert event.step == 1
    assert event.files == Files(
        metrics={"metrics.json": {"data": {"a": "nan", "b": ["inf", {"c": "-inf"}], "seed": str(2**127)}}}
    )


def test_credentials_of_the_repository_and_the_token_are_not_in_the_spool(scene: Scene) -> None:
    assert scene.post("start", studio_repo_url="https://me:s3cr3tpw@github.com/o/r.git") is True

    (queue,) = scene.queues()
    assert queue.info.experiment.repo_url == REPO_URL
    held = b"".join(file.read_bytes() for file in scene.spool.rglob("*") if file.is_file())
    assert b"s3cr3t" not in held
    assert queue.info.token_fingerprint is not None


# --- what is not


@pytest.mark.parametrize("event_type", ["interrupt", "", None, ["start"]])
def test_an_unknown_type_is_not_tried(scene: Scene, event_type: str) -> None:
    assert scene.post(event_type) is None
    assert scene.said == [f"Invalid `event_type`: {event_type}"]
    assert nothing_is_spooled(scene)


def test_data_without_a_step_is_not_tried(scene: Scene) -> None:
    assert scene.post("data", metrics={}) is None
    assert scene.said == ["Missing `step` in `data` event."]
    assert nothing_is_spooled(scene)


def test_a_body_that_breaks_the_schema_is_not_tried(scene: Scene) -> None:
    assert scene.post("start", baseline_sha="bad_hash", message=3) is None
    assert scene.said == [
        (
            "expected a length 40 commit sha for dictionary value @ data['baseline_sha']. Got 'bad_hash'\n"
            "expected str for dictionary value @ data['message']. Got 3"
        )
    ]
    assert nothing_is_spooled(scene)


def test_a_value_that_cannot_be_sent_is_not_tried_and_named(scene: Scene) -> None:
    assert scene.post("data", step=0, params={"params.yaml": {"weights": np.zeros(3)}}) is None
    assert scene.post("data", step=0, name="\ud800") is None
    assert scene.post("data", step=2**63) is None
    assert scene.said == [
        "numpy.ndarray cannot be sent as JSON @ data['params']['params.yaml']['weights']",
        "text with lone surrogates cannot be sent as JSON @ data['name']",
        "a step has 64 bits at most @ data['step']. Got 9223372036854775808",
    ]
    assert nothing_is_spooled(scene)


@pytest.mark.parametrize(
    "more",
    [
        {"offline": True},
        {"dvc_studio_config": {"offline": True}},
        {"dvc_studio_config": {"offline": "yes"}},
        {"studio_token": None},
        {"studio_token": ""},
        {"studio_repo_url": None},
    ],
)
def test_without_what_it_needs_it_is_not_tried(scene: Scene, more: dict[str, object]) -> None:
    assert scene.post("start", **more) is None
    assert nothing_is_spooled(scene)


def test_the_words_of_the_stock_client_say_why_it_is_not_tried(scene: Scene) -> None:
    said: list[str] = []
    with listening("livestream", said, logging.DEBUG):
        scene.post("start", offline=True)
        scene.post("start", studio_token=None)
        scene.post("start", studio_repo_url=None)

    skipping = "Skipping `post_studio_live_metrics`"
    assert said == [
        f"Offline mode enabled. {skipping}",
        f"DVC_STUDIO_TOKEN not found. {skipping}",
        "DVC_STUDIO_REPO_URL not found. Trying to automatically find it.",
        (
            "Couldn't find a valid Studio Repo URL.\n"
            "You can try manually setting the environment variable `STUDIO_REPO_URL`."
        ),
        f"DVC_STUDIO_REPO_URL not found. {skipping}",
    ]


def test_a_setting_that_makes_no_sense_is_said_once_and_nothing_is_raised(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVESTREAM_QUOTA_BYTES", "lots")

    assert [scene.post("start"), scene.post("start")] == [None, None]
    assert scene.said == [
        "LIVESTREAM_QUOTA_BYTES is a text of 4 characters; accepted: a whole number of bytes, 1 or more"
    ]


# --- where to


def test_a_repository_url_is_taken_from_git_without_credentials(scene: Scene) -> None:
    git_repository(Path.cwd(), "https://me:pw@github.com/o/r.git")

    assert scene.post("start", studio_repo_url=None) is True
    assert scene.queues()[0].info.experiment.repo_url == REPO_URL


def test_a_repository_without_a_remote_is_said_once(scene: Scene) -> None:
    git_repository(Path.cwd(), None)

    assert [scene.post("start", studio_repo_url=None), scene.post("start", studio_repo_url=None)] == [None, None]
    assert scene.said == ["No Git remote. Can't infer Studio repo URL."]
    assert nothing_is_spooled(scene)


def test_a_folder_that_was_removed_below_us_needs_a_named_repository(scene: Scene) -> None:
    Path.cwd().rmdir()

    assert scene.post("start", studio_repo_url=None) is None
    assert scene.post("start") is True
    assert scene.queues()[0].info.config_folder is None


def test_dvcs_config_section_is_read_last(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    section = {"token": TOKEN, "url": "http://127.0.0.1:8", "repo_url": "git@github.com:o/other.git", "offline": False}
    bare = {"studio_token": None, "studio_repo_url": None, "studio_url": None, "dvc_studio_config": section}

    assert scene.post("start", **bare) is True
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", REPO_URL)
    assert scene.post("start", **bare) is True

    first, second = scene.queues()
    assert (first.info.url, first.info.experiment.repo_url) == ("http://127.0.0.1:8", "git@github.com:o/other.git")
    assert second.info.experiment.repo_url == REPO_URL
    assert first.info.token_fingerprint is not None
    assert first.info.config_folder == str(Path.cwd())


def test_the_local_studio_serves_who_has_no_token(scene: Scene) -> None:
    file = scene.folder / ".config" / "livestream" / "studio.json"
    file.parent.mkdir(parents=True)
    file.write_text(f'{{"url": "http://127.0.0.1:8123", "token": "{TOKEN}"}}')
    file.chmod(0o600)

    assert scene.post("start", studio_token=None) is None  # the one asked for is another one
    assert scene.post("start", studio_token=None, studio_url=None) is True

    (queue,) = scene.queues()
    assert (queue.info.url, queue.info.token_fingerprint, queue.info.config_folder) == (None, None, None)


def test_the_endpoint_of_the_environment_is_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_ENDPOINT", "/v2/live")

    assert scene.post("start") is True
    assert scene.queues()[0].info.endpoint == "/v2/live"


# --- refusals


def test_a_spool_that_cannot_be_used_refuses(scene: Scene) -> None:
    scene.spool.write_text("a file in its place")

    assert [scene.post("start"), scene.post("data", step=0), scene.post("done")] == [False, False, False]


def test_a_full_spool_refuses_plots_and_takes_scalars_without_images(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.spool.mkdir(mode=0o700)
    with (scene.spool / "filling").open("wb") as filling:  # with the journal's 4 MiB it makes 96 %
        os.posix_fallocate(filling.fileno(), 0, 92_000_000)
    monkeypatch.setenv("LIVESTREAM_QUOTA_BYTES", "100000000")
    rows = {"dvclive/plots/metrics/a.tsv": {"data": [{"step": 0, "a": 1}]}}
    image = {"dvclive/plots/images/a.png": {"image": "AAAA"}}
    custom = {"dvclive/plots/custom/c.json": {"data": [{"x": 0}]}}
    assert scene.post("start") is True
    session = next(iter(post._sessions._open.values()))
    writer = session.writer
    assert writer is not None
    deadline = time.monotonic() + 10
    while writer.allowance is not Weight.SCALARS and time.monotonic() < deadline:
        time.sleep(0.005)

    assert scene.post("data", step=0, plots={**rows, **image}) is True
    assert scene.post("data", step=1, plots={**rows, **custom}) is False
    assert scene.post("data", step=2, plots=rows) is True

    events = scene.events()
    assert [event.files.plots for event in events if isinstance(event, Data) and event.files] == [rows, rows]
    assert session.refused == {"quota": 1}
    assert read_counters(writer.folder / JOURNAL_FILE).trimmed == 1


def test_trouble_inside_is_logged_and_not_raised(scene: Scene) -> None:
    assert post.post_live_metrics("start", **IDENTITY, **STUDIO, dvc_studio_config=[1]) is False  # type: ignore[arg-type]
    assert scene.said == ["livestream.post_failed"]


# --- waiting


def test_waiting_ends_when_the_time_is_over_and_the_event_stays(scene: Scene) -> None:
    assert scene.post("start", wait_s=0.0) is False
    assert scene.said == ["Failed to post to Studio: no answer in 0 s"]
    assert len(scene.events()) == 1


def test_an_uppercase_commit_is_kept_as_it_was_given(scene: Scene) -> None:
    assert scene.post("start", baseline_sha=SHA.upper()) is True
    assert scene.queues()[0].info.experiment.baseline_sha == SHA.upper()

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from clients_cases import Project, Reads, check_folder, check_series, new_project, new_template
from studio_stage import RunningStudio

pytest.importorskip("dvclive", reason="DVCLive is not installed")

REMOTE: Final = "https://ada:sesame@GitHub.com/octo/iris.git"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    with RunningStudio(tmp_path_factory.mktemp("studio") / "data") as running:
        yield running
        assert "Traceback" not in running.stop()


@pytest.fixture(scope="module")
def reads(studio: RunningStudio) -> Reads:
    return Reads(studio)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def project(template: Path, tmp_path: Path, studio: RunningStudio) -> Project:
    made = new_project(template, tmp_path, REMOTE)
    made.use(studio.url, studio.first_token)
    return made


EVERYTHING: Final = """
import math, random
import numpy as np
from dvclive import Live

noise = np.random.default_rng(7)
with Live(exp_name="everything", exp_message="a try") as live:
    live.log_params({"lr": 0.1, "layers": [1, 2, {"width": 3}], "opt": {"name": "adam", "eps": 1e-8, "beta": None},
                     "big": 2**53 + 1, "huge": 2**63 - 1, "name": "\u00fcbung \u2603 #:'", "yes": True, "no": "no"})
    for step in range(12):
        live.log_metric("train/loss", 0.1 * step + 0.2)
        live.log_metric("train/deep/er/x", np.float32(0.1) * step)
        live.log_metric("count", step * 10**15)
        live.log_metric("per class/\u00e4 b%.c (1)", -step, timestamp=True)
        live.log_metric("odd", [math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -0.0][step % 6])
        live.log_metric("texts", f"phase {step}", plot=False)
        live.log_metric("flag", step % 2 == 0, plot=False)
        for again in range(3):
            live.log_metric("batch", step + again / 10)
            live.log_metric("to and fro", step + again % 2)
            live.log_metric("plots/custom/acc", step)
            live.log_metric("timed", again, timestamp=True)
        if step % 4 == 0:
            live.log_metric("rare", step)
            live.log_image(f"seen/{step}.png", noise.integers(0, 256, (20, 20, 3), dtype=np.uint8))
            live.log_image(f"flat \u00e9/{step}.jpg", noise.integers(0, 256, (20, 20), dtype=np.uint8))
        live.log_plot("curve", [{"x": i, "y": i * i} for i in range(3)], x="x", y="y")
        live.next_step()
    live.step = 1_000_000
    live.log_metric("train/loss", 0.5)
    live.next_step()
"""


def test_every_point_image_param_and_fact_of_a_run_is_as_dvclive_wrote_it(project: Project, reads: Reads) -> None:
    said = project.train(EVERYTHING)

    shown = reads.experiment("everything")
    check_folder(reads, shown, project)
    assert "failed" not in said
    assert [image["step"] for image in reads.images(shown["id"])] == [0, 4, 8] * 2
    assert shown["status"]["kind"] == "completed"
    assert (shown["repo_url"], shown["repository"]) == ("https://GitHub.com/octo/iris.git", "github.com/octo/iris")
    assert shown["baseline_sha"] == project.git("rev-parse", "HEAD")
    assert (shown["message"], shown["clients"], shown["subdir"]) == ("a try", ["dvclive"], "")
    assert (shown["step"], shown["session"], shown["errors"], shown["warnings"]) == (1_000_000, 1, [], [])
    reference = f"refs/exps/{shown['baseline_sha'][:2]}/{shown['baseline_sha'][2:]}/everything"
    assert project.git("rev-parse", reference) == shown["experiment_rev"]
    assert reads.log(shown["id"]) == ["started", "done"]
    names = {series["name"] for series in reads.series(shown["id"]).values()}
    assert {"train/loss", "train/deep/er/x", "per class/ä b%.c (1)", "batch"} <= names
    exported = reads.content(f"/api/experiments/{shown['id']}/export", format="csv", rows="all").decode()
    assert exported.count("\n") == 1 + reads.count(shown["id"])
    assert "sesame" not in json.dumps(shown)


BACK: Final = """
from dvclive import Live

with Live(exp_name="back", save_dvc_exp=False) as live:
    for step in (0, 5, 10, 3, 5):
        live.step = step
        live.log_metric("loss", step + live.summary.get("loss", 0) / 100)
        live.sync()
"""


def test_steps_that_go_back_replace_rows_and_the_summary_stays_that_of_the_highest_step(
    project: Project, reads: Reads
) -> None:
    project.train(BACK)

    shown = reads.experiment("back")
    path = "dvclive/plots/metrics/loss.tsv"
    rows = project.table(path)
    assert [step for step, *_ in rows] == [0, 5, 10, 3, 5]
    check_series(reads, shown, {(path, "loss"): rows})
    assert shown["step"] == 10
    # What comes late must not take newer values back, and a step that went back cannot be told from that.
    assert shown["metrics"]["dvclive/metrics.json"] == {"loss": rows[2][1], "step": 10}


KILLED: Final = """
import os, signal
from dvclive import Live

live = Live(exp_name="resumed")
for step in range(5):
    live.log_metric("loss", 1 / (step + 1))
    live.next_step()
live._studio_queue.join()
live.log_metric("loss", 0.25)
live.log_metric("never/told", 1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
RESUMED: Final = """
import numpy as np
from dvclive import Live

with Live(exp_name="resumed", resume=True, exp_message="goes on") as live:
    assert live.step == 5
    for _ in range(3):
        live.log_metric("loss", 10 + live.step)
        live.log_image(f"{live.step}.png", np.full((4, 4, 3), live.step, dtype=np.uint8))
        live.next_step()
"""


def test_a_killed_run_goes_on_as_one_experiment_and_its_history_is_stored_once(project: Project, reads: Reads) -> None:
    project.train(KILLED, fails=True)
    killed = reads.experiment("resumed")
    assert (killed["status"]["kind"], killed["step"], killed["done"]) == ("running", 4, None)
    known = [(step, 1 / (step + 1), None) for step in range(5)]
    assert reads.rows(killed["id"]) == {("dvclive/plots/metrics/loss.tsv", "loss"): known}

    project.train(RESUMED)

    shown = reads.experiment("resumed")
    assert shown["id"] == killed["id"]
    assert (shown["status"]["kind"], shown["session"], shown["step"]) == ("completed", 2, 7)
    # DVCLive sends no image of the first step after it resumed.
    (project.folder / "dvclive/plots/images/5.png").unlink()
    check_folder(reads, shown, project)
    assert reads.log(shown["id"]) == ["started", "resumed", "done"]


RAISES: Final = """
from dvclive import Live

with Live(exp_name="raises") as live:
    live.log_param("lr", float("1e-3"))
    live.log_metric("loss", 1.5)
    live.next_step()
    live.log_metric("loss", 2.5)
    raise RuntimeError("boom")
"""


def test_what_a_crash_inside_with_left_is_there_and_the_run_is_called_what_dvclive_says(
    project: Project, reads: Reads
) -> None:
    assert "boom" in project.train(RAISES, fails=True)

    shown = reads.experiment("raises")
    check_folder(reads, shown, project)
    assert shown["status"]["kind"] == "completed"  # DVCLive tells of no failure


MANY: Final = """
import numpy as np
from dvclive import Live

with Live(exp_name="many", save_dvc_exp=False) as live:
    for step in range(2):
        for metric in range(250):
            live.log_metric(f"layer {metric:03}/norm", metric + step / 4)
        live.log_image(f"{step}.png", np.full((4, 4, 3), step, dtype=np.uint8))
        live.next_step()
"""


def test_beyond_the_clients_limit_everything_that_it_sends_is_there(project: Project, reads: Reads) -> None:
    assert "exceeds Studio limit (200)" in project.train(MANY)

    shown = reads.experiment("many")
    assert shown["status"]["kind"] == "completed"
    assert shown["metrics"]["dvclive/metrics.json"] == json.loads(
        (project.folder / "dvclive/metrics.json").read_bytes()
    )
    # DVCLive sends the files in the order of the folder, and counts the others as sent.
    sent = reads.series(shown["id"])
    assert len(sent) == 200
    check_series(reads, shown, {series: project.table(series[0]) for series in sent})
    assert reads.images(shown["id"]) == []


LARGE: Final = """
import numpy as np
from dvclive import Live

noise = np.random.default_rng(1)
with Live(exp_name="large", save_dvc_exp=False) as live:
    for begin in (0, 3000):
        for step in range(begin, begin + 3000):
            live.step = step
            live.log_metric("loss", noise.random())
            live.log_metric("acc", step, timestamp=True)
        live.log_image(f"{begin}.png", noise.integers(0, 256, (700, 700, 3), dtype=np.uint8))
        live.next_step()
"""


def test_bodies_so_large_that_they_are_applied_after_the_answer_are_applied_whole(
    project: Project, reads: Reads
) -> None:
    project.train(LARGE)

    shown = reads.await_experiment(
        "large", lambda it: it["done"] is not None and it["status"]["kind"] != "catching_up", "it is all applied"
    )
    assert shown["status"]["kind"] == "completed"
    check_folder(reads, shown, project)


OUTSIDE: Final = """
import sys
from dvclive import Live

with Live(sys.argv[1], exp_name="outside", dvcyaml=None) as live:
    for step in range(4):
        live.log_metric("train/loss", step)
        live.next_step()
"""


def test_a_run_outside_of_any_repository_is_kept_too(project: Project, reads: Reads, tmp_path: Path) -> None:
    outside = Project(tmp_path, tmp_path / "outside", "")
    outside.folder.mkdir()
    outside.studio = project.studio | {"DVC_STUDIO_REPO_URL": "git@gitlab.com:team/sub/thing.git"}

    outside.train(OUTSIDE, "out")

    shown = reads.experiment("outside")
    check_folder(reads, shown, outside, "out")
    assert (shown["repository"], shown["baseline_sha"]) == ("gitlab.com/team/sub/thing", "0" * 40)
    assert (shown["status"]["kind"], shown["commit"], shown["step"]) == ("completed", None, 3)


def test_a_project_in_a_folder_of_its_repository_says_so(project: Project, reads: Reads) -> None:
    below = Project(project.home, project.folder / "models" / "big", REMOTE)
    below.folder.mkdir(parents=True)
    below.studio = project.studio
    below.dvc("init", "--subdir", "--quiet")
    below.commit("a folder")

    below.train(OUTSIDE.replace("outside", "below"), "dvclive")

    shown = reads.experiment("below")
    check_folder(reads, shown, below)
    assert (shown["subdir"], shown["repository"]) == ("models/big", "github.com/octo/iris")


OBEYS: Final = """
import sys
from dvclive import Live

live = Live(exp_name="outage", save_dvc_exp=False)
for line in sys.stdin:
    live.log_metric("loss", float(line))
    live.log_metric("time", float(line), timestamp=True)
    live.next_step()
    live._studio_queue.join()
    print("ok", flush=True)
live.end()
"""


def test_what_a_stock_client_sends_again_after_the_studio_was_killed_is_stored_once(
    project: Project, tmp_path: Path
) -> None:
    with RunningStudio(tmp_path / "own" / "data") as studio:
        project.use(studio.url, studio.first_token)
        reads = Reads(studio)
        process = project.start("-c", OBEYS)
        assert process.stdin is not None
        assert process.stdout is not None
        for step in range(9):
            if step == 3:
                studio.kill()
            if step == 6:
                studio.start()
            process.stdin.write(f"{step / 8}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ok\n"
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert errors.count("`data` failed") == 3
        shown = reads.experiment("outage")
        check_folder(reads, shown, project)
        assert (shown["status"]["kind"], shown["session"]) == ("completed", 1)

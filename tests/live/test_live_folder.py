"""Who writes a folder, under which name, and how a run goes on in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from training_cases import events, line, run, start

from livestream import Live
from livestream.errors import SpoolError
from livestream.events import Data
from livestream.spool.folder import FolderFile
from livestream.spool.layout import writer_folders

HOLD = """
from livestream import Live
live = Live("runs", save_dvc_exp=False)
live.log_metric("first", 1)
live.next_step()
say(live._exp_name)
sys.stdin.readline()
live.log_metric("first", 2)
live.next_step()
live.end()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVESTREAM_SPOOL", str(spool))


def tsv(name: str, folder: str = "dvclive") -> list[str]:
    return Path(folder, "plots", "metrics", f"{name}.tsv").read_text().splitlines()


def test_a_second_process_streams_and_leaves_the_folder_to_the_first(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    first = start(HOLD, environ)
    name = line(first)

    second = Live("runs", save_dvc_exp=False)
    second.log_metric("second", 1)
    second.next_step()
    second.end()
    assert "another process writes runs" in caplog.text
    assert not Path("runs/plots/metrics/second.tsv").exists()
    assert second._exp_name != name
    assert second.summary == {"second": 1, "step": 0}

    out, err = first.communicate("\n", timeout=60)
    assert (out, err, first.returncode) == ("", "", 0)
    assert tsv("first", "runs") == ["step\tfirst", "0\t1", "1\t2"]


def test_in_one_process_the_newest_run_has_the_folder() -> None:
    first = Live(save_dvc_exp=False)
    first.log_metric("loss", 1)
    second = Live(save_dvc_exp=False)
    second.log_metric("loss", 2)
    second.end()
    first.end()

    assert tsv("loss") == ["step\tloss", "0\t2"]


def test_a_rank_above_0_is_quiet_and_its_code_runs(
    monkeypatch: pytest.MonkeyPatch, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RANK", "3")
    with Live(report=None) as live:
        live.log_param("lr", 0.1)
        live.log_metric("loss", 1)
        live.log_plot("p", [{"x": 1, "y": 1}], "x", "y")
        live.log_sklearn_plot("confusion_matrix", [0], [1])
        live.next_step()
        live.log_artifact("nothing")
        live.make_dvcyaml()
        live.make_report()

    assert live.summary == {"loss": 1, "step": 0}
    assert live.step == 0
    assert not Path("dvclive").exists()
    assert not Path("dvc.yaml").exists()
    assert not spool.exists()
    assert "rank_is_quiet" in caplog.text


def test_every_rank_logs_for_itself_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, spool: Path) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("LIVESTREAM_RANKS", "own")
    with Live("seed3", save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        live.next_step()

    assert tsv("loss", "seed3") == ["step\tloss", "0\t1"]
    assert live._parts.stream is not None
    session = live._parts.stream.run._session
    assert session is not None
    assert session.role == "primary"


def test_a_run_that_resumes_has_the_name_of_the_one_before() -> None:
    with Live(save_dvc_exp=False) as first:
        first.next_step()
    with Live(save_dvc_exp=False, resume=True) as second:
        second.next_step()
    with Live(save_dvc_exp=False) as third:
        third.next_step()

    assert first._exp_name == second._exp_name != third._exp_name


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_resumed_run_goes_on_after_the_last_step_that_was_whole(steps: int, environ: dict[str, str]) -> None:
    script = """
    import os, signal
    from livestream import Live
    live = Live(save_dvc_exp=False, resume=len(sys.argv) > 2)
    say(live.step, live._exp_name)
    for _ in range(int(sys.argv[1])):
        live.log_metric("loss", live.step)
        live.next_step()
    live.log_metric("loss", 1000)  # of a step that never ends
    os.kill(os.getpid(), signal.SIGKILL)
    """
    began, name = run(script, environ, steps).stdout.split()
    went_on, same = run(script, environ, steps, "resume").stdout.split()

    assert (began, int(went_on), same) == ("0", steps, name)
    assert tsv("loss") == ["step\tloss", *(f"{step}\t{step}" for step in range(2 * steps)), f"{2 * steps}\t1000"]
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {
        "loss": 2 * steps - 1,
        "step": 2 * steps - 1,
    }


def test_a_new_run_removes_what_the_old_one_wrote_and_nothing_else() -> None:
    with Live(save_dvc_exp=False, dvcyaml="dvclive/dvc.yaml") as old:
        old.log_metric("old", 1)
        old.log_param("old", 1)
        old.log_plot("old", [{"x": 1, "y": 1}], "x", "y")
        old.next_step()
    Path("dvclive/notes.txt").write_text("mine")
    Path("dvclive/plots/mine.tsv").write_text("mine")
    Live(save_dvc_exp=False).end()

    left = {str(path.relative_to("dvclive")) for path in Path("dvclive").rglob("*") if path.is_file()}
    assert left == {"notes.txt", "plots/mine.tsv", "metrics.json"}


def test_the_name_is_kept_beside_the_lock(spool: Path, tmp_path: Path) -> None:
    first = FolderFile(spool, tmp_path / "runs")
    assert first.take()
    assert first.name is None
    first.name = "brave-otter"
    (tmp_path / "link").symlink_to(tmp_path / "runs")

    assert FolderFile(spool, tmp_path / "link").name == "brave-otter"
    assert FolderFile(spool, tmp_path / "other").name is None


def test_a_child_of_multiprocessing_does_not_clear_its_parents_folder(environ: dict[str, str]) -> None:
    script = """
    import multiprocessing
    from livestream import Live

    def work():
        live = Live(save_dvc_exp=False)
        live.log_metric("child", 1)
        live.next_step()

    live = Live(save_dvc_exp=False)
    live.log_metric("parent", 1)
    live.next_step()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    live.log_metric("parent", 2)
    live.next_step()
    live.end()
    """
    done = run(script, environ)

    assert done.returncode == 0
    assert "another process writes dvclive" in done.stderr
    assert tsv("parent") == ["step\tparent", "0\t1", "1\t2"]


def steps_of(live: Live) -> list[tuple[int, object]]:
    assert live._parts.stream is not None
    session = live._parts.stream.run._session
    assert session is not None
    assert session.wait_sealed(10)
    assert session.writer is not None
    return [
        (event.step, event.metrics)
        for event in events(session.writer.folder)
        if isinstance(event, Data) and event.metrics
    ]


def test_steps_that_go_back_lose_no_row_when_the_run_is_resumed() -> None:
    with Live(save_dvc_exp=False) as first:
        for step in range(10):
            first.step = step
            first.log_metric("train", step)
            first.sync()
        first.step = 3
        first.log_metric("val", 1)
        first.sync()
    with Live(save_dvc_exp=False, resume=True) as second:
        assert second.step == 4
        second.log_metric("val", 2)
        second.next_step()

    assert tsv("train") == ["step\ttrain", *(f"{step}\t{step}" for step in range(10))]
    assert tsv("val") == ["step\tval", "3\t1", "4\t2"]
    assert steps_of(second) == [(4, {"val": 2})]


def test_what_is_logged_after_the_last_step_stays_when_the_run_is_resumed() -> None:
    with Live(save_dvc_exp=False) as first:
        for step in range(3):
            first.log_metric("loss", step)
            first.next_step()
        first.log_metric("test", 0.5)
    with Live(save_dvc_exp=False, resume=True) as second:
        assert second.step == 3
        second.log_metric("loss", 3)
        second.next_step()

    assert tsv("test") == ["step\ttest", "3\t0.5"]
    assert tsv("loss") == ["step\tloss", "0\t0", "1\t1", "2\t2", "3\t3"]
    assert steps_of(second) == [(3, {"loss": 3})]


@pytest.mark.parametrize("way", ["with", "exit", "exception"])
def test_a_step_in_which_a_run_failed_is_logged_again(way: str, environ: dict[str, str]) -> None:
    script = """
    from livestream import Live
    live = Live(save_dvc_exp=False)
    def train():
        for step in range(3):
            live.log_metric("loss", step)
            live.next_step()
        live.log_metric("loss", 1000)
        raise RuntimeError("out of memory")
    if sys.argv[1] == "with":
        with live:
            train()
    elif sys.argv[1] == "exit":
        try:
            train()
        except RuntimeError:
            os.kill(os.getpid(), 15)
    else:
        train()
    """
    assert run(script, environ, way).returncode != 0
    with Live(save_dvc_exp=False, resume=True) as second:
        assert second.step == 3
        second.log_metric("loss", 3)
        second.next_step()

    assert tsv("loss") == ["step\tloss", "0\t0", "1\t1", "2\t2", "3\t3"]
    assert steps_of(second) == [(3, {"loss": 3})]


def test_a_folder_that_was_removed_is_a_new_run() -> None:
    with Live(save_dvc_exp=False) as first:
        first.next_step()
    shutil.rmtree("dvclive")
    with Live(save_dvc_exp=False, resume=True) as second:
        assert second.step == 0

    assert second._exp_name != first._exp_name


def test_a_new_run_of_an_old_name_begins_at_its_beginning(environ: dict[str, str]) -> None:
    with Live(save_dvc_exp=False, exp_name="same") as first:
        for _ in range(5):
            first.next_step()
    script = """
    from livestream import Live
    live = Live(save_dvc_exp=False, exp_name="same")
    live.log_metric("loss", 1000)
    os.kill(os.getpid(), 9)
    """
    run(script, environ)
    with Live(save_dvc_exp=False, exp_name="same", resume=True) as third:
        assert third.step == 0
        third.log_metric("loss", 0)
        third.next_step()

    assert tsv("loss") == ["step\tloss", "0\t0"]


def test_a_summary_that_a_power_cut_tore_does_not_stop_the_training(caplog: pytest.LogCaptureFixture) -> None:
    with Live(save_dvc_exp=False) as first:
        for step in range(3):
            first.log_metric("loss", step)
            first.next_step()
    Path("dvclive/metrics.json").write_text('{"los')
    with Live(save_dvc_exp=False, resume=True) as second:
        assert second.step == 3

    assert "livestream.summary_not_readable" in caplog.text


def test_a_run_that_is_displaced_ends_and_writes_no_more() -> None:
    first = Live(save_dvc_exp=False, exp_name="same", monitor_system=False)
    first.log_metric("loss", 1)
    first.next_step()
    second = Live(save_dvc_exp=False, exp_name="same")
    first.log_metric("late", 1)
    first.next_step()
    second.log_metric("loss", 2)
    second.next_step()
    second.end()
    first.end()

    assert tsv("loss") == ["step\tloss", "0\t2"]
    assert not Path("dvclive/plots/metrics/late.tsv").exists()
    assert second._parts.stream is not None
    session = second._parts.stream.run._session
    assert session is not None
    assert session.role == "primary"


def test_the_working_folder_may_change_in_mid_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    live = Live(save_dvc_exp=False, dvcyaml=None)
    live.log_metric("loss", 1)
    live.next_step()
    monkeypatch.chdir(tmp_path / "elsewhere")
    live.log_metric("loss", 2)
    live.log_metric("later", 2)
    live.log_param("lr", 1)
    live.log_image("a.png", np.zeros((2, 2, 3), np.uint8))
    live.next_step()
    live.end()
    monkeypatch.chdir(tmp_path)

    assert tsv("loss") == ["step\tloss", "0\t1", "1\t2"]
    assert tsv("later") == ["step\tlater", "1\t2"]
    assert Path("dvclive/plots/images/a.png").exists()
    assert Path("dvclive/params.yaml").exists()
    assert list(Path("elsewhere").iterdir()) == []


def test_a_spool_without_locks_costs_the_folder_nothing(
    spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(self: FolderFile) -> bool:
        raise SpoolError("no locks")

    monkeypatch.setattr(FolderFile, "take", no_locks)
    with Live(save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        live.next_step()

    assert tsv("loss") == ["step\tloss", "0\t1"]
    assert "livestream.folder_not_locked" in caplog.text


def test_what_a_worker_of_multiprocessing_logs_is_streamed(environ: dict[str, str], spool: Path) -> None:
    script = """
    import multiprocessing
    from livestream import Live

    def work():
        live.log_metric("worker", 1)

    live = Live(save_dvc_exp=False)
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    live.log_metric("parent", 2)
    live.next_step()
    live.end()
    """
    done = run(script, environ)

    assert (done.returncode, done.stderr) == (0, "")
    assert tsv("worker") == ["step\tworker", "0\t1"]
    sent = [
        event.metrics
        for folder in writer_folders(spool)
        for event in events(folder)
        if isinstance(event, Data) and event.metrics
    ]
    assert sorted(map(str, sent)) == ["{'parent': 2}", "{'worker': 1}"]


def test_a_run_that_never_ended_a_step_keeps_all_its_rows_when_it_is_resumed(environ: dict[str, str]) -> None:
    script = """
    from livestream import Live
    live = Live(save_dvc_exp=False)
    for step in range(5):
        live.step = step
        live.log_metric("loss", step)
    os.kill(os.getpid(), 9)
    """
    run(script, environ)
    Live(save_dvc_exp=False, resume=True).end()

    assert tsv("loss") == ["step\tloss", *(f"{step}\t{step}" for step in range(5))]

"""Who writes a folder, under which name, and how a run goes on in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_cases import line, run, start

from livestream import Live
from livestream.spool.folder import FolderFile

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

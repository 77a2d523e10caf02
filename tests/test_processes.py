from __future__ import annotations

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest
from training_cases import (
    bodies,
    data,
    events,
    eventually,
    info,
    line,
    only_queue,
    queue_of,
    rest,
    run,
    start,
    steps,
    succeed,
)

from livestream.events import Data, Done, Start
from livestream.spool import layout
from livestream.spool.layout import is_locked

BEGIN = """
import gc, signal, threading, time
import livestream
run = livestream.init("family", dir="results")
for number in range(100):
    run.emit({"parent": number})
"""


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """CPython 3.12 warns of every fork beside a thread; it is what these tests are about."""
    return environ | {"PYTHONWARNINGS": "ignore::DeprecationWarning"}


def contributors(spool: Path) -> list[Path]:
    return [folder for folder in layout.writer_folders(spool) if info(folder).role == "contributor"]


def values(folder: Path, name: str) -> list[object]:
    return [event.metrics[name] for event in data(folder)]


def shapes(folder: Path) -> list[str]:
    return [type(event).__name__ for event in events(folder)]


@pytest.mark.parametrize("leave", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
@pytest.mark.parametrize("emits", [0, 3])
def test_a_forked_child_leaves_the_parents_queue_alone_however_it_ends(
    leave: str, emits: int, spool: Path, environ: dict[str, str]
) -> None:
    script = f"""
    run._session.writer.prepare()
    child = os.fork()
    if not child:
        for number in range({emits}):
            run.emit({{"child": number}}, step=1000 + number)
        gc.collect()
        {leave}
    os.waitpid(child, 0)
    for number in range(100, 200):
        run.emit({{"parent": number}})
    os.kill(os.getpid(), signal.SIGKILL)  # nobody tidies up behind it
    """
    assert run(BEGIN + textwrap.dedent(script), environ).returncode == -signal.SIGKILL

    primary = queue_of(spool, "primary")
    assert shapes(primary) == ["Start"] + ["Data"] * 200
    assert values(primary, "parent") == list(range(200))
    assert len(contributors(spool)) == (emits > 0)
    for folder in contributors(spool):
        assert shapes(folder) == ["Data"] * 3
        assert info(folder).experiment == info(primary).experiment
        assert info(folder).directory == "results"
        assert not is_locked(folder / "lock")


def test_a_child_that_outlives_its_parent_neither_ends_the_run_nor_keeps_it_alive(
    spool: Path, environ: dict[str, str]
) -> None:
    script = """
    child = os.fork()
    if not child:
        os.close(2)
        sys.stdin.readline()
        run.emit({"child": 1})
        sys.exit(0)
    say(child)
    """
    process = start(BEGIN + textwrap.dedent(script), environ)
    child = int(line(process))
    process.wait(timeout=20)
    primary = queue_of(spool, "primary")
    assert isinstance(events(primary)[-1], Done)
    assert not is_locked(primary / "lock")
    assert not [target for target in open_files(child) if str(primary) in target and ".db" in target]

    process.communicate("\n", timeout=20)  # the child has the other end
    eventually(lambda: contributors(spool))
    (folder,) = contributors(spool)
    eventually(lambda: shapes(folder) == ["Data"] and not is_locked(folder / "lock"))
    assert shapes(primary) == ["Start"] + ["Data"] * 100 + ["Done"]


def open_files(pid: int) -> list[str]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return found


def test_the_first_event_of_a_child_may_be_a_large_one(spool: Path, environ: dict[str, str]) -> None:
    script = """
    for arguments in (
        {"plots": {"p": [{"x": "y" * 5_000_000}]}},
        {"images": {"a.png": b"\\x89PNG\\r\\n\\x1a\\n" + bytes(100_000)}},
        {"metrics": {f"m{number}": number for number in range(10_000)}},
    ):
        child = os.fork()
        if not child:
            seq = run.emit(**arguments)
            sys.exit(0 if seq == 1 else 5)
        assert os.waitpid(child, 0)[1] == 0
    """
    assert succeed(BEGIN + textwrap.dedent(script), environ) == ""

    plots, images, metrics = (data(folder)[0] for folder in contributors(spool))
    assert len(plots.plots["p"].rows[0]["x"]) == 5_000_000
    assert images.images["a.png"].blob is not None
    assert len(metrics.metrics) == 10_000


def test_children_that_fork_while_threads_emit_all_get_through(spool: Path, environ: dict[str, str]) -> None:
    script = """
    over = threading.Event()
    counts = [0, 0]
    def emit(thread):
        while not over.is_set():
            if run.emit({"thread": thread}):
                counts[thread] += 1
            time.sleep(0.0005)
    threads = [threading.Thread(target=emit, args=[thread], daemon=True) for thread in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(12):
        child = os.fork()
        if not child:
            signal.alarm(20)
            for _ in range(5):
                run.emit({"child": number})
            if number % 3 == 0 and not os.fork():
                run.emit({"grandchild": number})
                os._exit(0)
            (sys.exit if number % 2 else os._exit)(0)
        children.append(child)
        time.sleep(0.005)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    over.set()
    for thread in threads:
        thread.join()
    say(*counts)
    """
    counts = list(map(int, succeed(BEGIN + textwrap.dedent(script), environ).split()))

    primary = queue_of(spool, "primary")
    emitted = [event.metrics for event in data(primary)][100:]
    assert [emitted.count({"thread": thread}) for thread in range(2)] == counts
    assert isinstance(events(primary)[-1], Done)
    eventually(lambda: len(contributors(spool)) == 12 + 4)
    eventually(lambda: sum(len(bodies(folder)) for folder in contributors(spool)) == 12 * 5 + 4)


def test_a_child_of_a_run_that_ended_takes_nothing(spool: Path, environ: dict[str, str]) -> None:
    script = """
    run.end()
    child = os.fork()
    if not child:
        os._exit(run.emit({"late": 1}) is not None)
    assert os.waitpid(child, 0)[1] == 0
    """
    succeed(BEGIN + textwrap.dedent(script), environ)

    assert contributors(spool) == []


WORKERS = """
import multiprocessing, sys
import livestream

def work(number):
    return livestream.emit({f"worker{number}": number}, step=number)

def main(method):
    run = livestream.init("family", dir="results", daemon="off")
    run.emit({"parent": 1})
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        assert None not in pool.map(work, range(6), chunksize=1)
        pool.close()
        pool.join()
    run.emit({"parent": 2})

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_workers_of_multiprocessing_add_to_their_parents_experiment(
    method: str, spool: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    del environ["LIVESTREAM_DAEMON"]  # the parent's daemon="off" holds for its workers
    script = "import subprocess\nsys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)"
    succeed(script, environ, tmp_path / "workers.py", method)  # spawned workers import the main module: it is a file

    primary = queue_of(spool, "primary")
    assert [type(event) for event in events(primary)] == [Start, Data, Data, Done]
    eventually(lambda: sum(len(bodies(folder)) for folder in contributors(spool)) == 6)
    found: dict[str, object] = {}
    for folder in contributors(spool):
        assert info(folder).experiment == info(primary).experiment
        assert info(folder).directory == info(primary).directory == "results"
        for event in data(folder):
            found |= event.metrics
    assert found == {f"worker{number}": number for number in range(6)}
    assert not (spool / layout.DAEMON_LOG).exists()


def test_a_subprocess_that_is_no_worker_begins_a_run_of_its_own(spool: Path, environ: dict[str, str]) -> None:
    script = """
    import subprocess
    code = "import livestream; livestream.emit({'other': 1})"
    subprocess.run([sys.executable, "-c", code], check=True)
    """
    succeed(BEGIN + textwrap.dedent(script), environ)

    names = {info(folder).experiment.name for folder in layout.writer_folders(spool)}
    assert len(names) == 2
    assert contributors(spool) == []


RANKED = """
import livestream
run = livestream.init(ranks=sys.argv[1])
say(run.emit({"loss": 1}), run.emit({"loss": 1}, images={"a.png": b"GIF89a"}), run.step, run.refused, run.name)
"""


def test_with_several_ranks_only_the_first_records(spool: Path, environ: dict[str, str]) -> None:
    environ |= {"TORCHELASTIC_RUN_ID": "job 7", "WORLD_SIZE": "2"}
    assert succeed(RANKED, environ | {"RANK": "1"}, "first") == "None None None {} torchrun-job-7\n"
    assert not spool.exists()

    assert succeed(RANKED, environ | {"RANK": "0"}, "first") == "2 3 1 {} torchrun-job-7\n"
    assert info(only_queue(spool)).metric_prefix == ""


def test_where_every_rank_records_the_others_add_below_their_own_name(spool: Path, environ: dict[str, str]) -> None:
    environ |= {"SLURM_JOB_ID": "7"}
    assert succeed(RANKED, environ | {"SLURM_PROCID": "3"}, "all") == "1 2 1 {} slurm-7\n"
    assert succeed(RANKED, environ | {"SLURM_PROCID": "0"}, "all") == "2 3 1 {} slurm-7\n"

    said = {info(folder).metric_prefix: info(folder) for folder in layout.writer_folders(spool)}
    assert {prefix: one.role for prefix, one in said.items()} == {"rank3": "contributor", "": "primary"}
    assert said["rank3"].experiment == said[""].experiment
    assert shapes(queue_of(spool, "contributor")) == ["Data", "Data"]


def test_dvc_names_the_experiment_and_its_baseline(spool: Path, environ: dict[str, str]) -> None:
    environ |= {"DVC_EXP_NAME": "from-dvc", "DVC_EXP_BASELINE_REV": "B" * 40, "DVC_STUDIO_OFFLINE": "true"}
    succeed("import livestream\nlivestream.emit({'loss': 1})", environ)

    said = info(only_queue(spool))
    assert (said.experiment.name, said.experiment.baseline_sha, said.offline) == ("from-dvc", "b" * 40, True)


def test_outside_git_an_experiment_has_a_folder_for_its_repository_and_zeros_for_its_commit(
    spool: Path, environ: dict[str, str]
) -> None:
    succeed("import livestream\nlivestream.emit({'loss': 1})", environ)

    said = info(only_queue(spool))
    assert said.experiment.baseline_sha == "0" * 40
    assert said.experiment.repo_url.startswith("local://")
    assert said.config_folder == environ["HOME"]


@pytest.mark.parametrize("named", ["name", "SLURM_JOB_ID"])
def test_a_run_that_was_killed_goes_on_right_after_the_last_step_it_emitted(
    named: str, spool: Path, environ: dict[str, str]
) -> None:
    script = """
    import livestream
    run = livestream.init(sys.argv[1] or None)
    say("first", run.step)
    while True:
        run.emit({"loss": 1})
        os.write(1, b"%d\\n" % run.step)
    """
    environ |= {} if named == "name" else {"SLURM_JOB_ID": "7"}
    last = None
    for _ in range(3):
        process = start(script, environ, "mine" if named == "name" else "")
        first = line(process).split()[1]
        time.sleep(0.05)
        process.kill()
        steps_told = [int(text) for text in rest(process).split("\n")[:-1]]
        if last is not None:
            assert int(first) in {last, last + 1}  # the last one may have been emitted and not told
            assert steps_told[0] == int(first) + 1
        assert steps_told == list(range(steps_told[0], steps_told[-1] + 1))
        last = steps_told[-1]

    told = [step for folder in layout.writer_folders(spool) for step in steps(folder)]
    assert sorted(set(told)) == list(range(told[-1] + 1))
    assert len(told) <= told[-1] + 1 + 2  # a step may come again where a kill struck before emit() returned
    assert {info(folder).role for folder in layout.writer_folders(spool)} == {"primary"}


def test_a_second_process_of_a_living_experiment_is_a_contributor(spool: Path, environ: dict[str, str]) -> None:
    process = start(BEGIN + "say('up')\nsys.stdin.readline()", environ)
    assert line(process) == "up"
    succeed("import livestream\nlivestream.init('family').emit({'second': 1})", environ)
    process.communicate("\n", timeout=20)

    assert shapes(queue_of(spool, "contributor")) == ["Data"]
    assert shapes(queue_of(spool, "primary"))[-1] == "Done"

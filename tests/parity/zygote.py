"""Runs programs in forks of one process that has imported what takes long, and none of what is compared.

Importing DVC, scikit-learn, pandas and matplotlib takes 3 s, a fork 10 ms. Each line on standard input is a JSON list
of jobs that run side by side; the answer is one line with each job's exit code (``null``: it had to be killed).

A job is a dictionary: ``folder``, ``environ``, ``stdout`` and ``stderr`` (files), ``bound_s``, and what to run:
``program`` (a file; ``log`` is where its warnings go) as the real dvclive (``side`` "dvclive") or ours ("livestream"),
or ``commands`` (words for ``dvc``, one after the other, each one's output in ``stdout`` behind a line of its own).

With words behind it, a side and a program's path, it is that program's process itself: a pipeline's ``python``.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import logging
import os
import resource
import runpy
import signal
import sys
import threading
import time
import warnings
from typing import Any, NoReturn

import waiting  # noqa: F401 - so that programs can import it, wherever they lie

PRELOADED = (
    "matplotlib.pyplot", "numpy", "pandas", "PIL.Image", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "psutil",
    "sklearn.metrics", "sklearn.calibration", "ruamel.yaml", "dvc.cli", "dvc.repo", "dvc.repo.experiments",
    "dvc.repo.experiments.executor.local", "dvc.repo.init", "dvc.repo.metrics.diff", "dvc.repo.params.diff",
    "dvc.repo.plots", "dvc.repo.experiments.show", "dvc.repo.reproduce", "dvc.stage.serialize", "dvc.utils.studio",
    "dvc.commands.plots", "dvc_render.html", "dvc_render.markdown", "dvc_render.vega", "dvc_studio_client.config",
    "dvc_studio_client.post_live_metrics", "gto.constants", "scmrepo.git", "pathspec", "requests", "pygit2",
    "dulwich.worktree", "dvc.analytics", "dvc.cachemgr", "dvc.data_cloud", "dvc.compare", "platformdirs.unix",
)  # fmt: skip


class Recorder(logging.Handler):
    """Writes what the compared loggers say, and Python's warnings, a JSON list ``[level, text]`` a line."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in {"dvclive", "livestream"}:
            self._write(record.levelname, record.getMessage())

    def warn(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        self._write(category.__name__, str(message))

    def _write(self, level: str, text: str) -> None:
        os.write(self._file, json.dumps([level, text]).encode() + b"\n")


def main() -> None:
    """Obey until standard input ends; a child becomes its job."""
    if len(sys.argv) > 1:
        _run({"side": sys.argv[1], "program": sys.argv[2], "log": os.environ["PARITY_LOG"]})
        return
    os.environ["MPLBACKEND"] = "Agg"
    for name in PRELOADED:
        importlib.import_module(name)
    import matplotlib.font_manager  # noqa: PLC0415 - it reads its cache of fonts, which children then have
    import pygit2  # noqa: PLC0415 - only the zygote's, not a pipeline's python

    matplotlib.font_manager.fontManager  # noqa: B018 - as above
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.SYSTEM] = ""  # libgit2 asks no variable
    gc.collect()
    gc.freeze()  # a child's collector need not touch, and so copy, what all share
    print("ready", flush=True)
    for line in sys.stdin:
        jobs = json.loads(line)
        children = {}
        for number, job in enumerate(jobs):
            pid = os.fork()
            if pid == 0:
                _become(job)
                _end_after(job)
            children[pid] = number
        print(json.dumps(_await(children, jobs)), flush=True)


def _await(children: dict[int, int], jobs: list[dict[str, Any]]) -> list[int | None]:
    codes: list[int | None] = [None] * len(jobs)
    begun = time.monotonic()
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in children:
            codes[children.pop(pid)] = os.waitstatus_to_exitcode(status)
            continue
        for late in [pid for pid, number in children.items() if time.monotonic() - begun > jobs[number]["bound_s"]]:
            os.kill(late, signal.SIGKILL)
            os.waitpid(late, 0)
            del children[late]
        time.sleep(0.002)
    return codes


def _become(job: dict[str, Any]) -> None:
    """Be a process of the job's own: its folder, environment and files, and a name to be known by."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environ"])
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), (job["stdout"], os.O_WRONLY), (job["stderr"], os.O_WRONLY)]
    ):
        made = os.open(path, flags | (os.O_CREAT | os.O_APPEND if number else 0), 0o644)
        os.dup2(made, number)
        os.close(made)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the process's own
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115 - as above


def _end_after(job: dict[str, Any]) -> NoReturn:
    """Run a job and end as an interpreter does, but for taking its modules apart, which takes 0.3 s."""
    code: object = 0
    try:
        _run(job)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:  # noqa: BLE001 - as the interpreter
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def _run(job: dict[str, Any]) -> None:
    if "commands" in job:
        _dvc(job["commands"])
        return
    recorder = Recorder(job["log"])
    logging.getLogger().addHandler(recorder)
    warnings.showwarning = recorder.warn
    sys.argv[:] = [job["program"]]
    sys.path[0] = os.path.dirname(job["program"])
    if job["side"] == "dvclive":
        runpy.run_path(job["program"], run_name="__main__")
        return
    sys.argv.insert(0, "as_dvclive")
    runpy.run_module("livestream.as_dvclive", run_name="__main__", alter_sys=True)


def _dvc(commands: list[list[str]]) -> None:
    from dvc.cli import main as dvc  # noqa: PLC0415 - imported before the fork; only named here

    for words in commands:
        print(f"$ dvc {' '.join(words)}", flush=True)
        with contextlib.suppress(SystemExit):
            print(f"-> {dvc(words)}", flush=True)


if __name__ == "__main__":
    main()

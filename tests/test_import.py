from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from training_cases import eventually, run, steps, succeed

from livestream.spool import layout

HEAVY = {"aiohttp", "aiosqlite", "watchfiles", "asyncio", "click", "rich", "numpy", "PIL"}
TELL = f"say(*sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"


def test_a_training_that_starts_a_daemon_loads_nothing_heavy(spool: Path, environ: dict[str, str]) -> None:
    del environ["LIVESTREAM_DAEMON"]
    script = f"""
    import livestream
    with livestream.init("light", daemon="auto") as run:
        run.emit({{"loss": 0.5}}, params={{"lr": 1}}, plots={{"p": [{{"x": 1}}]}}, images={{"a.png": b"GIF89a"}})
    {TELL}
    from livestream.spool import launch
    say(*[process.pid for process in launch._started])
    """
    heavy, pid = succeed(script, environ).split("\n")[:2]
    try:
        assert heavy == ""
        assert str(spool) in Path(f"/proc/{pid}/cmdline").read_text()
    finally:
        os.kill(int(pid), signal.SIGKILL)
    (folder,) = layout.writer_folders(spool)
    assert steps(folder) == [0]


def test_the_import_alone_loads_next_to_nothing(environ: dict[str, str]) -> None:
    script = f"import livestream\n{TELL}\nsay(*sorted({{'orjson', 'msgspec', 'sqlite3', 'mmap'}} & set(sys.modules)))"

    assert succeed(script, environ) == "\n\n"


@pytest.mark.parametrize(
    "first", ["client.post", "run", "errors", "config", "git", "spool.session", "live", "as_dvclive"]
)
def test_each_part_of_the_training_side_is_light_by_itself(first: str, environ: dict[str, str]) -> None:
    assert succeed(f"import livestream.{first}\n{TELL}", environ) == "\n"


def test_a_live_that_logs_numbers_loads_nothing_that_only_its_other_calls_need(environ: dict[str, str]) -> None:
    wanted = {"PIL", "IPython", "dvc", "dvc_render", "dvclive", "matplotlib", "pandas", "psutil", "ruamel", "sklearn"}
    script = f"""
    from livestream import Live
    live = Live(save_dvc_exp=False, dvcyaml=None)
    live.log_metric("loss", 0.5)
    live.next_step()
    live.end()
    {TELL}
    say(*sorted({wanted!r} & set(sys.modules)))
    """
    assert succeed(script, environ) == "\n\n"


def test_posting_needs_neither_requests_nor_voluptuous(environ: dict[str, str]) -> None:
    script = "import livestream.client.post\nsay({'requests', 'voluptuous', 'dvc_studio_client'} & set(sys.modules))"

    assert succeed(script, environ) == "set()\n"


def test_a_training_under_strict_warnings_sees_none_of_ours(spool: Path, environ: dict[str, str]) -> None:
    del environ["LIVESTREAM_DAEMON"]
    script = """
    import gc
    import livestream
    from livestream.spool import launch
    run = livestream.init("strict")
    run.emit({"loss": 1})
    run.end()
    run._session.wait_sealed(5)
    pid = launch._started[0].pid
    del run
    livestream.training._default = None
    gc.collect()
    say(pid)
    """
    ended = run(script, environ | {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"})
    os.kill(int(ended.stdout), signal.SIGKILL)

    assert (ended.returncode, ended.stderr) == (0, "")
    eventually(lambda: not layout.is_locked(spool / layout.DAEMON_LOCK))

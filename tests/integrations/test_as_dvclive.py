from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
from frameworks_stage import ROOT
from training_cases import done, info, only_queue

HEAVY = {"numpy", "PIL", "ruamel", "dvc", "matplotlib", "pandas", "sklearn", "psutil", "torch", "asyncio", "aiohttp"}


class Place:
    """A folder with scripts, and pythons that have no DVCLive but all that this one has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        packages = folder / "packages"
        packages.mkdir()
        for path in _site_packages().iterdir():
            if not path.name.lower().startswith(("dvclive", "__editable__", "_editable", "livestream")):
                (packages / path.name).symlink_to(path)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": f"{ROOT}:{packages}",
            "PYTHONWARNINGS": "error::RuntimeWarning",
            "LIVESTREAM_DAEMON": "off",
            "LIVESTREAM_SPOOL": str(folder / "spool"),
        }

    def write(self, path: str, source: str) -> str:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(source))
        return str(target)

    def run(self, *words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a python without site-packages of its own."""
        return subprocess.run(
            [sys.executable, "-S", *words],
            cwd=self.folder,
            env=self.environ | environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def python(self, *words: str, code: int = 0) -> str:
        """Run one; give what it printed."""
        ran = self.run(*words)
        assert ran.returncode == code, (ran.stdout, ran.stderr)
        return ran.stdout + (ran.stderr if code else "")


def _site_packages() -> Path:
    spec = find_spec("msgspec")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


def test_who_asks_whether_dvclive_is_installed_and_which_is_told_so(place: Place) -> None:
    asking = """
    import importlib.metadata, importlib.util
    found = importlib.util.find_spec("dvclive")
    assert found is None or found.origin is None  # a folder of that name at most
    import livestream
    livestream.install_as_dvclive()
    livestream.install_as_dvclive()
    assert importlib.util.find_spec("dvclive") is not None
    assert importlib.util.find_spec("dvclive.lightning") is not None
    assert importlib.util.find_spec("dvclive.nothing") is None
    print(importlib.metadata.version("dvclive"), importlib.metadata.metadata("DvcLive")["Name"])
    print([one.name for one in importlib.metadata.distributions()].count("dvclive"))
    print(importlib.metadata.packages_distributions()["dvclive"])
    """

    assert place.python("-c", textwrap.dedent(asking)).split("\n")[:3] == ["3.49.1 dvclive", "1", "['dvclive']"]


def test_an_installed_dvclive_keeps_its_version_and_gives_its_name_away(tmp_path: Path) -> None:
    pytest.importorskip("dvclive", reason="DVCLive is not installed")
    asking = """
    import importlib.metadata, logging
    from dvclive import Live as Real
    from dvclive.error import DvcLiveError as RealError
    import livestream
    logging.basicConfig(format="%(message)s %(modules)s", force=True)
    version = importlib.metadata.version("dvclive")
    livestream.install_as_dvclive()
    from dvclive import Live
    from dvclive.error import DvcLiveError
    import livestream.live.error
    assert Live is livestream.Live is not Real
    assert DvcLiveError is livestream.live.error.DvcLiveError is not RealError
    print(importlib.metadata.version("dvclive") == version)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(asking)], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert ran.stdout == "True\n"
    assert "livestream.dvclive_imported_before" in ran.stderr
    assert "'dvclive.error'" in ran.stderr


def test_importing_it_loads_nothing_heavy_and_live_only_when_it_is_asked_for(place: Place) -> None:
    asking = f"""
    import sys
    import livestream
    livestream.install_as_dvclive()
    import dvclive
    print("livestream.live" in sys.modules)
    dvclive.Live
    import dvclive.plots, dvclive.error, dvclive.env, dvclive.serialize, dvclive.dvc, dvclive.vscode, dvclive.utils
    print(sorted({HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}}))
    """

    assert place.python("-c", textwrap.dedent(asking)) == "False\n[]\n"


def test_a_folder_called_dvclive_is_not_taken_for_the_package(place: Place) -> None:
    place.write("elsewhere/dvclive/metrics.json", "{}")
    asking = "import livestream; livestream.install_as_dvclive(); from dvclive import Live; print(Live)"
    script = place.write("elsewhere/asks.py", asking)

    assert place.python(script) == "<class 'livestream.live.live.Live'>\n"


IMPORTED_BY_OTHERS = """
import dvclive, dvclive.live
from dvclive import Live, env, error, utils
from dvclive.live import Live as Again
from dvclive.env import DVCLIVE_LOGLEVEL, DVCLIVE_OPEN, DVCLIVE_RESUME, DVCLIVE_TEST
from dvclive.env import DVC_EXP_BASELINE_REV, DVC_EXP_NAME, DVC_ROOT
from dvclive.error import DvcLiveError, InvalidDataTypeError, InvalidDvcyamlError, InvalidImageNameError
from dvclive.error import InvalidParameterTypeError, InvalidPlotTypeError, InvalidReportModeError
from dvclive.plots import PLOT_TYPES, SKLEARN_PLOTS, CustomPlot, Image, Metric, NumpyEncoder
from dvclive.plots.base import Data
from dvclive.plots.custom import CustomPlot as C
from dvclive.plots.image import Image as I
from dvclive.plots.metric import Metric as M
from dvclive.plots.sklearn import Calibration, ConfusionMatrix, Det, PrecisionRecall, Roc, SKLearnPlot
from dvclive.plots.utils import NUMPY_FLOATS, NUMPY_INTS, NUMPY_SCALARS, NumpyEncoder as N
from dvclive.serialize import YAMLError, YAMLFileCorruptedError, dump_json, dump_yaml, load_yaml, make_dir
from dvclive.utils import StrPath, catch_and_warn, clean_and_copy_into, convert_datapoints_to_list_of_dicts, env2bool
from dvclive.utils import inside_colab, inside_notebook, isinstance_without_import, matplotlib_installed
from dvclive.utils import open_file_in_browser, parse_json, parse_metrics, parse_tsv, read_history, read_latest
from dvclive.utils import rel_path, run_once, standardize_metric_name
from dvclive.dvc import get_dvc_repo, make_dvcyaml
from dvclive.report import make_report
from dvclive.vscode import cleanup_dvclive_step_completed, mark_dvclive_only_ended, mark_dvclive_only_started
from dvclive.vscode import mark_dvclive_step_completed
import dvclive.monitor_system
"""


@pytest.mark.parametrize("name", ["real", "ours"])
def test_all_that_others_import_from_dvclive_is_there(name: str, tmp_path: Path) -> None:
    first = "import livestream\nlivestream.install_as_dvclive()\n" if name == "ours" else ""
    then = "assert Live is Again is dvclive.Live and M is Metric is PLOT_TYPES[-3] and dvclive.utils is utils\n"

    subprocess.run([sys.executable, "-c", f"{first}{IMPORTED_BY_OTHERS}{then}"], cwd=tmp_path, check=True, timeout=60)


SCRIPT = """
import os, sys
import neighbour
from dvclive import Live

if __name__ == "__main__":
    print(sys.argv, __file__ == os.path.abspath(sys.argv[0]), neighbour.HERE, sys.path[0])
    with Live(sys.argv[1], save_dvc_exp=False, dvcyaml=None) as live:
        live.log_metric("loss", 0.5)
        live.next_step()
    sys.exit(int(sys.argv[2]))
"""


def test_a_script_runs_as_python_runs_it(place: Place) -> None:
    place.write("scripts/train.py", SCRIPT)
    place.write("scripts/neighbour.py", "HERE = 'beside it'")

    out = place.python("-m", "livestream.as_dvclive", "scripts/train.py", "-out", "3", code=3)

    folder = str(place.folder / "scripts")
    assert out == f"['scripts/train.py', '-out', '3'] True beside it {folder}\n"
    assert (place.folder / "-out" / "plots" / "metrics" / "loss.tsv").read_text() == "step\tloss\n0\t0.5\n"
    queue = only_queue(place.folder / "spool")
    assert (info(queue).directory, [problem.cls for problem in done(queue).errors]) == ("-out", [])


TELLS = """
import sys
main = sys.modules["__main__"]
print(__name__, globals().get("__file__"), __spec__ and __spec__.name, __package__, type(__loader__).__name__)
print(sys.argv, main.__dict__ is globals(), type(__builtins__), sys.flags.optimize, sys._xoptions)
print([path for path in sys.path if "as_dvclive" not in path])
"""
PICKLES = """
import atexit, pickle, threading

class Own:
    pass

def pickled():
    print(pickle.loads(pickle.dumps(Own())))

Own.__repr__ = lambda self: "own"
atexit.register(pickled)
threading.Thread(target=lambda: (threading.main_thread().join(), pickled())).start()
"""
PROGRAMS = {
    "pack/__init__.py": "",
    "pack/tells.py": TELLS,
    "folder/__main__.py": TELLS,
    "tells.py": TELLS,
    "pickles.py": PICKLES,
    "says.py": "import sys; sys.exit('a text')",
    "fails.py": "def fail():\n    1 / 0\n\nfail()",
    "wrong.py": "a = (",
    "interrupted.py": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
}


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ("", "tells.py -a -m b", 0),
        ("-O -X one", "./pack/../tells.py", 0),
        ("-P", "tells.py", 0),
        ("", "folder", 0),
        ("", "-m pack.tells --epochs 2", 0),
        ("", "-m nothing", 1),
        ("", "-m", 2),
        ("", "-c exec(open('tells.py').read()) 3", 0),
        ("", "- 1 2", 0),
        ("", "pickles.py", 0),
        ("", "says.py", 1),
        ("", "fails.py", 1),
        ("", "wrong.py", 1),
        ("", "nowhere.py", 2),
        ("", "interrupted.py", -signal.SIGINT),
    ],
)
def test_a_program_runs_as_python_runs_it(options: str, words: str, code: int, place: Place) -> None:
    for path, source in PROGRAMS.items():
        place.write(path, source)

    plain = place.run(*options.split(), *words.split(), stdin=TELLS)
    ours = place.run(*options.split(), "-m", "livestream.as_dvclive", *words.split(), stdin=TELLS)

    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert ours.returncode == code
    assert ours.stdout or ours.stderr


def test_other_ways_to_call_it(place: Place) -> None:
    script = place.write("asks.py", "import sys, dvclive; print(dvclive.Live, sys.argv[1:], sys.flags.optimize)")
    by_program = (
        f"import runpy, sys; sys.argv[1:] = {[script, 'a']!r}; runpy.run_module('livestream.as_dvclive', None, "
    )
    live = "<class 'livestream.live.live.Live'>"

    assert place.python("-Om", "livestream.as_dvclive", script, "-m") == f"{live} ['-m'] 1\n"
    assert place.python("-mlivestream.as_dvclive", script) == f"{live} [] 0\n"
    assert place.python("-m", "runpy", "livestream.as_dvclive", script) == f"{live} [] 0\n"
    assert place.python("-c", by_program + "'__main__', True)") == f"{live} ['a'] 0\n"
    debugged = place.run("-m", "pdb", "-m", "livestream.as_dvclive", script, stdin="continue\n")
    assert f"> {script}(1)<module>()" in debugged.stdout


@pytest.mark.parametrize("words", [[], ["--help"], ["-E", "a.py"]])
def test_what_cannot_be_run_is_said(words: list[str], place: Place) -> None:
    assert place.python("-m", "livestream.as_dvclive", *words, code=2).startswith("usage: python ")


def test_a_python_that_ignores_the_path_by_which_it_works_is_told_so(place: Place) -> None:
    path = f"import sys; sys.path[1:1] = {place.environ['PYTHONPATH'].split(':')!r}; sys.argv[1:] = ['a.py']; "
    calls = path + "import runpy; runpy.run_module('livestream.as_dvclive', None, '__main__', True)"

    assert "needs PYTHONPATH" in place.python("-E", "-c", calls, code=2)


def test_processes_that_a_script_starts_have_it_as_well(place: Place) -> None:
    script = place.write(
        "starts.py",
        """
        import importlib.metadata, multiprocessing, subprocess, sys
        from dvclive import Live
        from dvclive.error import InvalidDataTypeError

        def work(number):
            from dvclive.plots import Metric
            if number:
                raise InvalidDataTypeError("a", dict)
            return str(Live)

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(work, (0,)), flush=True)
                try:
                    pool.apply(work, (1,))
                except InvalidDataTypeError as error:
                    print(error.name, flush=True)
            child = "import importlib.metadata as m, dvclive.utils as u; print(m.version('dvclive'), u.__name__)"
            subprocess.run([sys.executable, "-S", "-c", child], check=True)
            deep = "from dvclive.plots.metric import Metric as m; import dvclive; print(dvclive.plots.Metric is m)"
            subprocess.run([sys.executable, "-S", "-c", deep], check=True)
        """,
    )

    assert place.python("-m", "livestream.as_dvclive", script).splitlines() == [
        "<class 'livestream.live.live.Live'>",
        "a",
        "3.49.1 livestream.as_dvclive.modules.utils",
        "True",
    ]


def test_another_environments_python_imports_the_dvclive_that_it_has(place: Place) -> None:
    place.write("theirs/dvclive/__init__.py", "NAME = 'theirs'")
    place.write("theirs/dvclive/live.py", "")
    theirs = str(place.folder / "theirs")
    first = place.python("-m", "livestream.as_dvclive", "-c", "import os; print(os.environ['PYTHONPATH'])")
    inherited = first.partition(f":{ROOT}:")[0]

    has = place.run("-c", "import dvclive.live; print(dvclive.NAME)", PYTHONPATH=f"{inherited}:{theirs}")
    has_not = place.run("-c", "import dvclive", PYTHONPATH=inherited)

    assert (has.stdout, has.stderr) == ("theirs\n", "")
    assert has_not.stderr.endswith("\nModuleNotFoundError: No module named 'dvclive'\n")
    assert "livestream'" not in has_not.stderr


def test_the_path_that_a_script_inherits_stays_behind_ours(place: Place) -> None:
    asks = "import os; print(os.environ['PYTHONPATH'])"
    nested = ["-m", "livestream.as_dvclive"] * 2

    once, twice = (
        place.run(*words, "-c", asks, PYTHONPATH=f":{place.environ['PYTHONPATH']}:").stdout
        for words in (nested[:2], nested)
    )

    assert once.endswith(f"::{place.environ['PYTHONPATH']}:\n")  # empty parts are the working folder
    assert once == twice


def test_an_installed_dvclive_is_the_only_distribution_of_that_name(tmp_path: Path) -> None:
    pytest.importorskip("dvclive", reason="DVCLive is not installed")
    asking = """
    import importlib.metadata, subprocess, sys
    print([one.name for one in importlib.metadata.distributions()].count("dvclive"))
    print(bool(importlib.metadata.requires("dvclive")), importlib.metadata.packages_distributions()["dvclive"])
    import dvclive
    print([one.name for one in importlib.metadata.distributions()].count("dvclive"), dvclive.Live, flush=True)
    if sys.argv[1:]:
        subprocess.run([sys.executable, __file__], check=True)
    """
    (tmp_path / "asks.py").write_text(textwrap.dedent(asking))
    ran = subprocess.run(
        [sys.executable, "-m", "livestream.as_dvclive", "asks.py", "child"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "1\nTrue ['dvclive']\n1 <class 'livestream.live.live.Live'>\n" * 2

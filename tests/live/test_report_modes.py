from __future__ import annotations

import os
from pathlib import Path

import pytest
from dvclive.live import Live as DvcLive
from report_cases import DIRECTORY
from training_cases import succeed

from livestream.live.error import MissingPackageError
from livestream.live.options import ReportMode
from livestream.live.report import open_report


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_report_nothing_is_kept_or_written() -> None:
    report = open_report(None, DIRECTORY)
    report.load()
    report.row("loss", 0, 1.0, None)
    report.params()
    report.summary({})
    report.image("a.png", "a.png")
    report.plot("custom", "p", {}, [{}])
    report.make(now=True)

    assert (report.mode, report.file) == (None, None)
    assert report._scalars._series == {}
    assert os.listdir() == []


@pytest.mark.parametrize(("mode", "file"), [("html", f"{DIRECTORY}/report.html"), ("md", f"{DIRECTORY}/report.md")])
def test_a_report_knows_its_file(mode: ReportMode, file: str) -> None:
    assert open_report(mode, DIRECTORY).file == file


def test_a_notebooks_report_outside_of_one_is_disabled_and_said_as_dvclive_says_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    theirs = DvcLive(DIRECTORY, report="notebook", save_dvc_exp=False, dvcyaml=None)
    said = [record.getMessage() for record in caplog.records]
    caplog.clear()

    report = open_report("notebook", DIRECTORY)

    assert report.mode is theirs._report_mode is None
    assert said == [record.getMessage() for record in caplog.records]


WITHOUT = """
import importlib.abc

class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(name)

import importlib.util
known = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in GONE else known(name, package)
sys.meta_path.insert(0, Without())
"""


def test_markdown_without_matplotlib_is_disabled_and_said(environ: dict[str, str]) -> None:
    said = succeed(
        f"""
GONE = {{"matplotlib"}}
{WITHOUT}
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from livestream.live.report import open_report
for mode in ("md", "html"):
    say(open_report(mode, "dvclive").mode)
""",
        environ,
    )

    assert said == "Report mode 'md' requires 'matplotlib' to be installed. Disabling report.\nNone\nhtml\n"


@pytest.mark.parametrize("package", ["dvc_render", "tabulate"])
def test_a_report_without_what_draws_it_says_what_to_install(package: str, environ: dict[str, str]) -> None:
    said = succeed(
        f"""
GONE = {{{package!r}}}
{WITHOUT}
from livestream.live.error import MissingPackageError
from livestream.live.report import open_report
say(open_report(None, "dvclive").mode)
try:
    open_report("html", "dvclive")
except MissingPackageError as error:
    say(error)
""",
        environ,
    )
    package = package.replace("_", "-")
    expected = MissingPackageError("report='html'", package, "report")

    assert said == f"None\n{expected}\n"
    assert "pip install 'livestream[report]'" in said


def test_a_run_with_a_report_loads_what_draws_it_when_it_is_drawn(environ: dict[str, str]) -> None:
    script = """
    from livestream.live.report import open_report
    report = open_report("html", "dvclive")
    say(*sorted({"dvc_render", "matplotlib", "numpy", "IPython", "webbrowser", "ruamel"} & set(sys.modules)))
    report.make(now=True)
    say(*sorted({"dvc_render", "matplotlib", "IPython", "webbrowser"} & set(sys.modules)))
    """

    assert succeed(script, environ) == "\ndvc_render\n"


# -- in a notebook


NOTEBOOK = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.displaypub import CapturingDisplayPublisher

class ZMQInteractiveShell(InteractiveShell):  # the class of a Jupyter kernel's shell, known by its name
    pass

shell = ZMQInteractiveShell.instance(display_pub_class=CapturingDisplayPublisher, history_manager=None)
outputs = shell.display_pub.outputs

def cell(source):
    shell.run_cell(source).raise_error()

def shown():
    return [(o["data"]["text/markdown"], o["transient"]["display_id"], o["update"]) for o in outputs]
"""


def test_in_a_notebook_the_report_is_one_output_that_is_updated(environ: dict[str, str]) -> None:
    said = succeed(
        f"""
{NOTEBOOK}
cell('''
import os
from livestream.live.report import open_report
report = open_report("notebook", "dvclive")
os.makedirs("dvclive/plots/metrics")
open("dvclive/plots/metrics/loss.tsv", "w").close()
for step in range(2):
    report.row("loss", step, 0.5, None)
    report.make(now=True)
''')
(blank, first_id, first_update), *updates = shown()
say(first_update, [update for _, _, update in updates], {{id for _, id, _ in updates}} == {{first_id}})
say(all("![static/loss](data:image/png;base64," in text for text, _, _ in updates), updates[0][0] != updates[1][0])
say(os.listdir("dvclive"))
""".replace("say(os", "import os\nsay(os"),
        environ,
    )

    assert said == "False [True, True] True\nTrue True\n['plots']\n"


def test_a_notebooks_page_is_dvclives(environ: dict[str, str]) -> None:
    said = succeed(
        f"""
{NOTEBOOK}
cell('''
import dvclive
from livestream.live.report import open_report
live = dvclive.Live(report="notebook", save_dvc_exp=False, dvcyaml=None)
report = open_report("notebook", "dvclive")
live.log_params({{"lr": 0.1}})
report.params()
for step in range(3):
    live.log_metric("loss", step / 2)
    report.row("loss", step, step / 2, None)
    live.next_step()
    report.summary(live.summary | {{"step": step}})
    report.make(now=True)
''')
pages = {{}}
for text, place, update in shown():
    pages[place] = text
say(len(pages), len(set(pages.values())), all(text.startswith("# DVC Report") for text in pages.values()))
""",
        environ | {"PYTHONWARNINGS": "ignore"},
    )

    assert said.splitlines()[-1] == "2 1 True"


def test_a_terminals_ipython_is_no_notebook(environ: dict[str, str]) -> None:
    said = succeed(
        """
        import logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        from IPython.core.interactiveshell import InteractiveShell
        from livestream.live.report import open_report
        shell = InteractiveShell.instance()
        say(open_report("notebook", "dvclive").mode)
        """,
        environ,
    )

    assert said == "Report mode 'notebook' requires to be inside a notebook. Disabling report.\nNone\n"


# -- in a browser


def test_the_page_is_shown_in_the_browser_once_a_process(environ: dict[str, str], tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" >> "$HOME/shown"\n')
    browser.chmod(0o755)
    script = """
    from livestream.live.report import open_report
    for folder in ("a", "b"):
        report = open_report("html", folder, in_browser=True)
        report.make(now=True)
        report.make(now=True)
    quiet = open_report("html", "c")
    quiet.make(now=True)
    """
    succeed(script, environ | {"BROWSER": f"{browser} %s"})

    assert (tmp_path / "shown").read_text() == f"{(tmp_path / 'a' / 'report.html').as_uri()}\n"

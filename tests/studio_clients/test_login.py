"""`dvc studio login` against a Studio: a person approves on the page, and from then on trainings need no variable."""

from __future__ import annotations

import html
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Final

import pytest
from clients_cases import Project, Reads, check_folder, new_project, new_template
from studio_stage import RunningStudio

pytest.importorskip("dvclive", reason="DVCLive is not installed")

TRAIN: Final = """
from dvclive import Live

with Live(exp_name="signed-in") as live:
    for step in range(3):
        live.log_metric("loss", 1 / (step + 1))
        live.next_step()
"""
LOGIN: Final = """
import sys, time
pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.1))  # it asks every 5 s
from dvc.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Browser:
    """A person's browser: keeps cookies, follows redirects, and names the origin of its forms."""

    def __init__(self, studio: RunningStudio) -> None:
        self.studio = studio
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, url: str, **form: str) -> str:
        """Open a page, or send a form to it; give its text."""
        data = urllib.parse.urlencode(form).encode() if form else None
        headers = {"Accept": "text/html", "Origin": self.studio.url}
        with self._opener.open(urllib.request.Request(url, data=data, headers=headers), timeout=10.0) as answer:
            text: str = answer.read().decode()
        return text


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[RunningStudio]:
    with RunningStudio(tmp_path / "studio" / "data") as running:
        yield running
        assert "Traceback" not in running.stop()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(new_template(tmp_path), tmp_path / "home", "git@github.com:octo/iris.git")


def begin(project: Project, studio: RunningStudio, name: str) -> tuple[subprocess.Popen[str], str]:
    """Start a login; give it and the page that it wants opened."""
    process = project.start("-u", "-c", LOGIN, "studio", "login", "--no-open", "--hostname", studio.url, "--name", name)
    assert process.stdout is not None
    said = ""
    while (found := re.search(r"(http\S+/auth/device-login\?code=\S+)", said)) is None:
        line = process.stdout.readline()
        assert line, (said, process.communicate(timeout=10)[1])
        said += line
    return process, found[1]


def decide(studio: RunningStudio, page: str, decision: str) -> str:
    """Sign a browser in, open the page, and send the form."""
    browser = Browser(studio)
    browser.open(studio.link)
    asked = browser.open(page)
    code = re.search(r'name="code"[^>]*value="([^"]+)"', asked)
    assert code is not None
    assert "laptop" in asked
    return browser.open(page.partition("?")[0], code=html.unescape(code[1]), decision=decision)


def test_after_the_approval_a_training_streams_with_no_variable_set_until_the_logout(
    project: Project, studio: RunningStudio
) -> None:
    login, page = begin(project, studio, "laptop")
    assert "Approved" in decide(studio, page, "approve")
    _, errors = login.communicate(timeout=30)
    assert login.returncode == 0, errors

    config = (project.home / "config/dvc/config").read_text()
    token = re.search(r"token = (lst_\S+)", config)
    assert token is not None
    assert studio.url in config
    assert token[1] == project.dvc("studio", "token").strip()
    assert not [name for name in project.environ() if "STUDIO" in name]
    project.train(TRAIN)

    reads = Reads(studio)
    shown = reads.experiment("signed-in")
    check_folder(reads, shown, project)
    assert (shown["status"]["kind"], shown["repository"]) == ("completed", "github.com/octo/iris")
    names = {one["name"]: one for one in reads.get("/api/tokens")["tokens"]}
    assert sorted(names["laptop"]["scopes"]) == ["ingest", "read"]
    assert names["laptop"]["last_used"] is not None

    project.dvc("studio", "logout")
    project.train(TRAIN.replace("signed-in", "signed-out"))
    assert [one["name"] for one in reads.experiments()] == ["signed-in"]


def test_a_login_that_is_denied_says_so_and_leaves_nothing(project: Project, studio: RunningStudio) -> None:
    login, page = begin(project, studio, "laptop")
    decide(studio, page, "deny")
    said, errors = login.communicate(timeout=30)

    assert login.returncode != 0
    assert "expired" in said + errors
    assert not (project.home / "config/dvc/config").exists()

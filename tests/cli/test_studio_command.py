from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import urllib.request
from pathlib import Path
from typing import Final

import pytest
from cli_cases import Cli, eventually

from livestream.cli import exits
from livestream.events import Json

LAST_LINE: Final = "Ctrl-C ends it; what it has is on disk"
SHA: Final = "a1b2c3d4" * 5


class Started:
    """A Studio that a command started, and what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.text = ""
        assert process.stdout is not None
        while LAST_LINE not in self.text:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            self.text += line

    def said(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        assert found is not None, self.text
        return found[1]

    @property
    def url(self) -> str:
        return self.said(r"listens on (\S+),")

    def post(self, token: str) -> int:
        body = {"type": "start", "repo_url": "https://h/o/r", "baseline_sha": SHA, "name": "run", "client": "x"}
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/live", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            status: int = answer.status
            return status

    def end(self, number: int = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=20)[1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "studio"


@pytest.fixture
def started(cli: Cli, data: Path) -> Started:
    return Started(cli.start("studio", "--data", str(data), "--port", "0"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_studio_starts_takes_a_post_and_stops_cleanly(cli: Cli, started: Started, number: int) -> None:
    token = started.said(r"ingest token\s+(lst_\S+)")
    announced = Path(started.said(r"find it by (\S+)"))

    assert started.post(token) == 200
    assert json.loads(announced.read_text())["url"] == started.url
    log = started.end(number)

    assert started.process.returncode == 0
    assert "livestream.studio_stopping" in log
    assert "Traceback" not in log
    assert token not in log
    assert not announced.exists()


def test_the_link_signs_in_once(started: Started) -> None:
    link = started.said(r"sign in\s+(\S+)")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    with opener.open(link, timeout=10) as page:
        assert page.status == 200
        assert "sign-in" not in page.url


def test_a_browser_is_opened_without_the_link_among_its_arguments(cli: Cli, data: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)

    opening = Started(cli.start("studio", "--data", str(data), "--port", "0", "--open", BROWSER=str(browser)))
    link = opening.said(r"sign in\s+(\S+)")
    eventually(lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").stat().st_size > 0, "a browser opens")

    opened = (tmp_path / "opened").read_text()
    page = Path(opened.removeprefix("file://"))
    assert link not in opened
    assert link in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_a_second_studio_on_the_folder_is_told_who_serves_it(cli: Cli, started: Started, data: Path) -> None:
    ran = cli("studio", "--data", str(data), "--port", "0")

    assert ran.code == exits.BUSY
    assert started.url in ran.err


def test_a_port_that_is_taken_is_a_usage_error(cli: Cli, started: Started, tmp_path: Path) -> None:
    ran = cli("studio", "--data", str(tmp_path / "other"), "--port", started.url.rpartition(":")[2])

    assert ran.code == exits.USAGE
    assert "--port 0" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0", "--port", "0"], "livestream token create"),
        (["--public-url", "studio.example.com"], "--public-url"),
        (["--public-url", "https://me:pw@studio.example.com"], "--public-url"),
        (["--port", "70000"], "--port"),
    ],
)
def test_what_cannot_be_served_is_a_usage_error(cli: Cli, data: Path, words: list[str], said: str) -> None:
    ran = cli("studio", "--data", str(data), *words)

    assert ran.code == exits.USAGE
    assert said in ran.err


def test_a_link_is_made_for_a_studio_that_runs_and_for_no_other(cli: Cli, started: Started, data: Path) -> None:
    made = cli("studio", "link", "--data", str(data))
    assert made.code == 0
    assert made.out.startswith(f"{started.url}/sign-in?code=")
    started.process.kill()
    started.process.wait()

    ran = cli("studio", "--data", str(data), "link")
    assert ran.code == exits.TROUBLE
    assert "livestream studio" in ran.err


def test_a_backup_of_a_running_studio_is_a_studio(cli: Cli, started: Started, data: Path, tmp_path: Path) -> None:
    token = started.said(r"ingest token\s+(lst_\S+)")
    started.post(token)

    assert cli("studio", "--data", str(data), "backup", str(tmp_path / "copy")).code == 0
    started.end()
    again = Started(cli.start("studio", "--data", str(tmp_path / "copy"), "--port", "0", "--no-announce"))

    assert again.post(token) == 200
    assert "ingest token" not in again.text
    assert names(tmp_path / "copy") == names(data) == ["run"]


def test_a_backup_goes_to_a_new_folder_and_needs_a_studio(
    cli: Cli, started: Started, data: Path, tmp_path: Path
) -> None:
    onto = cli("studio", "backup", "--data", str(data), str(tmp_path))
    nothing = cli("studio", "backup", "--data", str(tmp_path / "none"), str(tmp_path / "copy"))

    assert (onto.code, nothing.code) == (exits.TROUBLE, exits.TROUBLE)
    assert "is there already" in onto.err
    assert "holds no Studio" in nothing.err
    assert not (tmp_path / "copy").exists()


def names(data: Path) -> Json:
    connection = sqlite3.connect(data / "studio.db")
    try:
        return [name for (name,) in connection.execute("SELECT name FROM experiment")]
    finally:
        connection.close()

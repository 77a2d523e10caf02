"""Clients as their users run them, the folders they leave, and what a Studio's read API says of the same."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import textwrap
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

from git_cases import IDENTITY, Repository
from studio_stage import RunningStudio

from livestream.events import JsonObject

BOUND_S: Final = 90.0
MOST_POINTS: Final = 10_000

Row: TypeAlias = tuple[int, float | str, float | None]
Series: TypeAlias = tuple[str, str]


def until(holds: Callable[[], object], what: str, bound_s: float = BOUND_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + bound_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {bound_s:g} s: {what}"
        time.sleep(0.02)


class Project:
    """A clone with DVC in it, and the environment of the person who works there."""

    def __init__(self, home: Path, folder: Path, remote: str) -> None:
        self.home = home
        self.folder = folder
        self.remote = remote
        self.studio: dict[str, str] = {}

    def environ(self, **more: str | None) -> dict[str, str]:
        """Give a process's whole environment; ``None`` takes a variable out."""
        whole: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "DVC_SITE_CACHE_DIR": str(self.home / "site"),
            "DVC_NO_ANALYTICS": "1",
            "MPLBACKEND": "agg",
            **IDENTITY,
            **self.studio,
        }
        return {name: value for name, value in (whole | more).items() if value is not None}

    def use(self, url: str, token: str) -> None:
        """Tell its clients where to post, as users do: by environment variables."""
        self.studio = {"DVC_STUDIO_URL": url, "DVC_STUDIO_TOKEN": token}

    def start(self, *words: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start Python with these words; whoever asks ends it."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=environ or self.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, environ: dict[str, str] | None = None, fails: bool = False) -> str:
        """Run Python with these words to its end; give what it said."""
        process = self.start(*words, environ=environ)
        try:
            out, errors = process.communicate(timeout=BOUND_S)
        finally:
            process.kill()
            process.communicate()
        assert bool(process.returncode) == fails, (words, process.returncode, out, errors)
        return out + errors

    def train(self, source: str, *words: str, environ: dict[str, str] | None = None, fails: bool = False) -> str:
        """Run a script to its end."""
        return self.run("-c", textwrap.dedent(source), *words, environ=environ, fails=fails)

    def dvc(self, *words: str, environ: dict[str, str] | None = None, fails: bool = False) -> str:
        """Run ``dvc``."""
        return self.run("-m", "dvc", *words, environ=environ, fails=fails)

    def git(self, *words: str) -> str:
        """Run ``git``."""
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.environ(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        """Commit everything that is in the folder."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)

    def table(self, path: str) -> list[Row]:
        """Read a metric's file as DVCLive wrote it; times are seconds."""
        with (self.folder / path).open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        column = Path(path).stem
        return [(int(row["step"]), _number(row[column]), _seconds(row.get("timestamp"))) for row in rows]

    def paths(self, folder: str) -> list[str]:
        """List the files below a folder, as Studio is told of them."""
        below = self.folder / folder
        return sorted(str(path.relative_to(self.folder)) for path in below.rglob("*") if path.is_file())


def new_template(root: Path) -> Path:
    """Make what all projects begin as: a repository with DVC in it, and one commit."""
    repository = Repository(root / "template")
    project = Project(root, repository.folder, "")
    project.dvc("init", "--quiet")
    project.dvc("config", "core.check_update", "false")
    project.commit("a project")
    return repository.folder


def new_project(template: Path, home: Path, remote: str) -> Project:
    """Begin a project that says it comes from ``remote``."""
    folder = home / "work"
    shutil.copytree(template, folder, symlinks=True)
    project = Project(home, folder, remote)
    project.git("remote", "add", "origin", remote)
    return project


class Reads:
    """What the read API of a running Studio says."""

    def __init__(self, studio: RunningStudio, token: str | None = None) -> None:
        self.studio = studio
        self._token = token

    def content(self, path: str, /, **query: Any) -> bytes:
        """Get the bytes of an answer."""
        request = urllib.request.Request(
            f"{self.studio.url}{path}?{urllib.parse.urlencode(query, doseq=True)}",
            headers={"Authorization": f"token {self._token or self.studio.token}"},
        )
        with urllib.request.urlopen(request, timeout=10.0) as answer:
            content: bytes = answer.read()
        return content

    def get(self, path: str, /, **query: Any) -> Any:
        """Get JSON."""
        return json.loads(self.content(path, **query))

    def experiments(self, **query: Any) -> list[JsonObject]:
        """List experiments."""
        found: list[JsonObject] = self.get("/api/experiments", **query)["experiments"]
        return found

    def experiment(self, name: str) -> JsonObject:
        """Give the only experiment of a name."""
        (found,) = self.experiments(name=name)
        return found

    def await_experiment(self, name: str, holds: Callable[[JsonObject], object], what: str = "") -> JsonObject:
        """Wait until an experiment is there and something holds of it."""
        found: list[JsonObject] = []

        def is_so() -> bool:
            found[:] = self.experiments(name=name)
            return len(found) == 1 and bool(holds(found[0]))

        try:
            until(is_so, f"{name}: {what or holds}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found}") from None
        return found[0]

    def await_status(self, name: str, kind: str) -> JsonObject:
        """Wait until a run is called so."""
        return self.await_experiment(name, lambda it: it["status"]["kind"] == kind, f"it is {kind}")

    def rows(self, experiment: int, rows: str = "all") -> dict[Series, list[Row]]:
        """Give all rows, each series in the order of its steps."""
        content = self.content(f"/api/experiments/{experiment}/export", format="jsonl", rows=rows)
        found: dict[Series, list[Row]] = {}
        for line in map(json.loads, content.splitlines()):
            found.setdefault((line["path"], line["column"]), []).append(
                (line["step"], line["value"], line["timestamp"])
            )
        return found

    def count(self, experiment: int) -> int:
        """Count the rows."""
        return sum(map(len, self.rows(experiment).values()))

    def series(self, experiment: int) -> dict[Series, JsonObject]:
        """Give the series with their summaries."""
        found = self.get(f"/api/experiments/{experiment}/series")["series"]
        return {(one["path"], one["column"]): one for one in found}

    def images(self, experiment: int) -> list[JsonObject]:
        """Give the images, without their bytes."""
        found: list[JsonObject] = self.get(f"/api/experiments/{experiment}/images")["images"]
        return found

    def log(self, experiment: int) -> list[str]:
        """Give the kinds of what befell an experiment."""
        return [line["kind"] for line in self.get(f"/api/experiments/{experiment}/log")["log"]]

    def chart(self, experiment: int, series: int) -> JsonObject:
        """Give a chart fine enough to show each row."""
        found: JsonObject = self.get(f"/api/experiments/{experiment}/series/{series}", points=MOST_POINTS)
        return found


# -- comparing


def check_series(reads: Reads, shown: JsonObject, written: dict[Series, list[Row]]) -> None:
    """Hold every way of reading rows to what was written, a table for each series in the order of writing."""
    stored, newest = reads.rows(shown["id"]), reads.rows(shown["id"], "newest")
    assert sorted(stored) == sorted(written), set(stored) ^ set(written)
    listed = reads.series(shown["id"])
    assert sorted(listed) == sorted(written)
    for series, rows in written.items():
        assert sorted(stored[series], key=repr) == sorted(set(rows), key=repr), series
        expected = _newest(rows)
        assert newest[series] == expected, (series, newest[series], expected)
        _check_summary(listed[series], expected)
        chart = reads.chart(shown["id"], listed[series]["id"])
        assert (chart["width"], chart["total"]) == (1, len(expected)), series
        assert list(zip(chart["steps"], chart["last"], strict=True)) == [row[:2] for row in expected], series
        timed = [(at_s, row[2]) for at_s, row in zip(chart["times"], expected, strict=True) if row[2]]
        assert all(at_s == told_s for at_s, told_s in timed)


def _newest(rows: list[Row]) -> list[Row]:
    """Give the newest row of each step: the one written last, or the one with the latest time.

    Of rows of one millisecond the Studio takes the smallest value, which is always the same if not the last.
    """
    newest: dict[int, Row] = {}
    for row in rows:
        held = newest.get(row[0])
        if held is None or row[2] is None or held[2] is None or (row[2], -float(row[1])) > (held[2], -float(held[1])):
            newest[row[0]] = row
    return [newest[step] for step in sorted(newest)]


def _check_summary(summary: JsonObject, rows: list[Row]) -> None:
    finite = [value for _, value, _ in rows if not isinstance(value, str)]
    wanted = {
        "count": len(rows),
        "first_step": rows[0][0],
        "last_step": rows[-1][0],
        "last": rows[-1][1],
        "minimum": min(finite, default=None),
        "maximum": max(finite, default=None),
    }
    told = {name: summary[name] for name in wanted}
    assert told == wanted, (summary, wanted)


def check_images(reads: Reads, shown: JsonObject, project: Project, folder: str = "dvclive") -> None:
    """Hold the newest image of each path to the file of that name."""
    written = project.paths(f"{folder}/plots/images")
    newest = {image["path"]: image for image in reads.images(shown["id"])}
    assert sorted(newest) == written
    for path in written:
        content = (project.folder / path).read_bytes()
        assert newest[path]["sha256"] == sha256(content).hexdigest(), path
        assert newest[path]["size"] == len(content)
        assert reads.content(f"/api/images/{newest[path]['id']}") == content


def check_folder(reads: Reads, shown: JsonObject, project: Project, folder: str = "dvclive") -> None:
    """Hold all that the read API says of a run to all that DVCLive left in its folder."""
    import ruamel.yaml  # noqa: PLC0415 - it comes with DVCLive, which may be missing

    tables = {(path, Path(path).stem): project.table(path) for path in project.paths(f"{folder}/plots/metrics")}
    check_series(reads, shown, tables)
    check_images(reads, shown, project, folder)
    summary = f"{folder}/metrics.json"
    _check_same(shown["metrics"][summary], json.loads((project.folder / summary).read_bytes()))
    params = project.folder / folder / "params.yaml"
    told = ruamel.yaml.YAML(typ="safe").load(params) if params.exists() else {}
    _check_same(shown["params"].get(f"{folder}/params.yaml", {}), told)


def _check_same(shown: JsonObject, written: JsonObject) -> None:
    differing = {name: (shown.get(name), told) for name, told in written.items() if shown.get(name) != told}
    assert shown == written, (differing, shown.keys() - written.keys())


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else str(number)


def _seconds(milliseconds: str | None) -> float | None:
    return int(milliseconds) / 1000 if milliseconds else None

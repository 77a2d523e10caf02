"""What a program leaves, as texts that can be compared: everything but what cannot be equal in two runs.

What is written beside the working folder, and into the home folder, is compared by name.

Masked are: the folder's own path, temporary folders, times that lie in the run, process ids in VS Code's signal files,
names of experiments that were drawn at random, and the hashes of Git that follow from such. Nothing is left out but
Git's own folder, which is described by what Git says of it, and DVC's locks and temporary files.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

_SIGNALS = "**/.dvc/tmp/exps/run/DVCLIVE_*"  # VS Code's; in a monorepo they lie below a project's own folder
_HARNESS = {"work", "stdout.txt", "stderr.txt", "log.txt", "answers.txt", "asked.txt"}  # of a case
_NOT_BESIDE = {"spool", "site"}  # ours, whose place is the user's choice; DVC's temporary files
_UNCOMPARED = re.compile(r"(^|/)(\.git|\.dvc/tmp|__pycache__)(/|$)")
_RANDOM_NAME = re.compile(r"[a-z]{3,}-[a-z]{3,}(-[0-9a-f]{4})?")
_MILLISECONDS = re.compile(r"(?<![\w.])\d{13}(?![\w.])")
_TEMPORARY = re.compile(r"(?<=/)(tmp|livestream-test-)[a-z0-9_]{8}\b")
_MOMENT = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
_SHOWN_LINES = 40


class Outcome(msgspec.Struct, frozen=True):
    """What one side did.

    Attributes:
        exits: The exit code of each start; ``None`` where it had to be killed.
        says: Standard output.
        warns: What the logger said from WARNING upwards, ``LEVEL:text``, and Python's warnings, ``Category:text``.
        ends: The last exception, without its module; empty where none was left.
        files: Path to ``mode content``; folders end with a slash; what Git has below ``git:``, what DVC answers ``$``,
            what lies beside the working folder below ``../``.
        stderr: For people.
    """

    exits: list[int | None]
    says: str
    warns: list[str]
    ends: str
    files: dict[str, str]
    stderr: str


class Masks:
    """Texts in which everything that cannot be equal is replaced by a word for it."""

    def __init__(self, work: Path, begun_s: float, ended_s: float, source: str) -> None:
        self._work = work
        self._window_ms = range(int(begun_s * 1000) - 1, int(ended_s * 1000) + 2)
        self._source = source
        self._words: dict[str, str] = {}
        for line in _git(work, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines():
            revision, reference = line.split()
            self._words |= {revision: "<revision>", revision[:7]: "<rev>"}
            self._add_name(reference.rsplit("/", 1)[-1])
        for signal in work.glob(_SIGNALS):
            self._add_name(json.loads(signal.read_text()).get("exp_name", ""))

    def _add_name(self, name: str) -> None:
        if _RANDOM_NAME.fullmatch(name) and name not in self._source:
            self._words[name] = "<name>"

    def __call__(self, text: str) -> str:
        text = text.replace(str(self._work), "<work>")
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, self._words[word])
        text = _TEMPORARY.sub("<temporary>", text)
        return _MILLISECONDS.sub(lambda found: "<ms>" if int(found[0]) in self._window_ms else found[0], text)


def files_of(work: Path, masks: Masks) -> dict[str, str]:
    """Describe a folder and what Git knows of it."""
    found = {masks(name): described for name, described in _entries(work, masks)}
    for path in sorted(work.glob(_SIGNALS)):
        name = path.relative_to(work).as_posix()
        found[name] = re.sub(r'"pid": \d+', '"pid": <pid>', masks(path.read_text()))
    return found | _described_by_git(work, masks)


def names_beside(case: Path) -> dict[str, str]:
    """Name what lies beside the working folder, and everything in the home folder."""
    beside = (path for path in case.iterdir() if path.name not in _HARNESS | _NOT_BESIDE)
    below = (found for path in beside for found in (path, *path.rglob("*")))
    return {f"../{path.relative_to(case).as_posix()}": "" for path in below}


def _entries(work: Path, masks: Masks) -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(work):
        inside = os.path.relpath(folder, work)
        folders[:] = [name for name in folders if not _UNCOMPARED.search(os.path.normpath(f"{inside}/{name}"))]
        for name in folders:
            yield os.path.normpath(f"{inside}/{name}") + "/", _mode(f"{folder}/{name}")
        for name in names:
            path = f"{folder}/{name}"
            yield os.path.normpath(f"{inside}/{name}"), f"{_mode(path)} {_text(_content(path), masks)}"


def _mode(path: str) -> str:
    return f"{stat.S_IMODE(os.lstat(path).st_mode):o}"


def _content(path: str) -> bytes:
    return os.readlink(path).encode() if os.path.islink(path) else Path(path).read_bytes()


def _text(content: bytes, masks: Masks) -> str:
    try:
        return masks(content.decode())
    except UnicodeDecodeError:
        return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}"


def _described_by_git(work: Path, masks: Masks) -> dict[str, str]:
    status = _git(work, "status", "--porcelain", "--untracked-files=all", "--ignored")
    found = {
        "git:references": _sorted(masks(_git(work, "for-each-ref", "--format=%(objecttype) %(refname)"))),
        "git:status": masks("\n".join(line for line in status.splitlines() if ".dvc/tmp/" not in line)),
        "git:config": masks(_git(work, "config", "--local", "--list")),
    }
    for label, experiment in _experiments(work, masks):
        found |= {f"{label}{name}": text for name, text in experiment.items()}
    return found


def _experiments(work: Path, masks: Masks) -> Iterator[tuple[str, dict[str, str]]]:
    """Give each reference's label, its commit and tree; of several with masked names the fullest is the first."""
    named: dict[str, list[dict[str, str]]] = {}
    for line in _git(work, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines():
        revision, reference = line.split()
        experiment = {"": masks(_git(work, "log", "-1", "--format=%P %an %B", revision))}
        experiment |= {f":{masks(name)}": _text(content, masks) for name, content in _tree(work, revision)}
        named.setdefault(f"git:{masks(reference)}", []).append(experiment)
    for label, experiments in named.items():
        experiments.sort(key=lambda experiment: sum(map(len, experiment.values())), reverse=True)
        yield from ((label if not number else f"{label} {number + 1}", it) for number, it in enumerate(experiments))


def _tree(work: Path, revision: str) -> Iterator[tuple[str, bytes]]:
    made = subprocess.run(["git", "archive", revision], cwd=work, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(made)) as archive:
        for member in archive:
            if not member.isdir() and not _UNCOMPARED.search(member.name):
                file = archive.extractfile(member)
                yield member.name, b"" if file is None else file.read()


def _git(work: Path, *words: str) -> str:
    """Ask Git; nothing where there is no repository."""
    environ = {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": str(work.parent), "LC_ALL": "C"}
    environ |= {"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(work.parent / "home")}
    return subprocess.run(["git", *words], cwd=work, check=False, capture_output=True, text=True, env=environ).stdout


def answers_of(text: str, masks: Masks) -> dict[str, str]:
    """Take apart what several DVC commands said, each behind a line ``$ dvc ...``."""
    found = {}
    for part in ("\n" + text).split("\n$ ")[1:]:
        command, _, answer = part.partition("\n")
        answer = _sorted(masks(answer)) if command.endswith("--name-only") else _in_order(masks(answer))
        found[f"$ {command}"] = _MOMENT.sub("<moment>", answer)
    return found


def _sorted(text: str) -> str:
    """Sort lines: a random name stands before or behind one that was given."""
    return "\n".join(sorted(text.splitlines()))


def _in_order(answer: str) -> str:
    """Sort the experiments in an answer by their content: DVC sorts them by time, and within a second by revision."""
    body, _, code = answer.rpartition("-> ")
    if not body.startswith(("[", "{")):
        return answer
    told = json.loads(body)
    for row in told if isinstance(told, list) else []:
        if row.get("experiments"):
            row["experiments"].sort(key=lambda experiment: json.dumps(experiment, sort_keys=True))
    return json.dumps(told, indent=1, ensure_ascii=False) + f"\n-> {code}"


def warning_of(level: str, text: str, masks: Masks) -> str:
    """Give what was said: of our own events the name, of DVCLive's whole texts."""
    return f"{level}:{text.partition(':')[0] if text.startswith('livestream.') else masks(text)}"


def exception_of(stderr: str) -> str:
    """Give what stands below the last traceback, without the exception's module."""
    _, found, traceback = stderr.rpartition("Traceback (most recent call last):\n")
    if not found:
        return ""
    lines = traceback.splitlines()
    first = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return re.sub(r"^[\w.]+\.(\w+)(?=:|$)", r"\1", "\n".join(lines[first:]))


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Give, of each text that is not equal, what differs."""
    return {
        name: _difference(one.get(name), other.get(name))
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    }


def _difference(one: str | None, other: str | None) -> str:
    if one is None or other is None:
        there, text = ("livestream", other) if one is None else ("dvclive", one)
        return f"only {there} has it: {text!s:.2000}"
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), "dvclive", "livestream", lineterm="", n=1)
    return "\n".join(f"{line:.400}" for _, line in zip(range(_SHOWN_LINES), lines, strict=False))

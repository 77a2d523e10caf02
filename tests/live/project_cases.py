"""Git and DVC repositories for the tests of ``livestream.live``, made and read by the real git and dvc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_GIT_SETTINGS = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=_environ(), timeout=60).stdout.decode().strip()


def dvc(folder: Path, *arguments: str) -> str:
    """What a dvc command, as users run it, prints."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, env=_environ(), cwd=folder, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dvc_json(folder: Path, *arguments: str) -> Any:
    return json.loads(dvc(folder, *arguments, "--json"))


def make_git(folder: Path) -> Path:
    """A repository with one commit, whose own config knows who commits."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "a")
    git(folder, "config", "user.email", "a@example.com")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=first")
    return folder


def make_dvc(folder: Path, *arguments: str) -> Path:
    """A DVC repository; with ``--subdir`` in an existing one of Git, with ``--no-scm`` without Git."""
    if not arguments:
        make_git(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dvc(folder, "init", "--quiet", *arguments)
    if "--no-scm" not in arguments:
        git(folder, "commit", "--quiet", "--message=dvc init")
    return folder


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _GIT_SETTINGS

"""`Live` and DVCLive doing the same, each in a process and a repository of its own.

The repository is Git's and DVC's, with one commit. DVCLive is the one of this environment, or of another one that
``--dvclive-python`` names; where there is none, ours stands alone and the reason is said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from benchmarks.harness import CHILD_TIMEOUT_S, Options, Report, interleave, quiet_environment, scratch, wait_until
from benchmarks.peers import why_missing
from benchmarks.server import TOKEN
from benchmarks.training import REPOSITORY, daemon_stopped_after
from livestream.events import Json, JsonObject
from livestream.spool.launch import is_served

Library: TypeAlias = Literal["livestream", "dvclive"]

PROGRAM: Final = Path(__file__).with_name("live_program.py")


class Stand(msgspec.Struct, frozen=True):
    """Where a `Live` is measured.

    Attributes:
        python: Of the environment that has the library.
        url: A Studio; ``None``: none is configured, and no daemon runs.
    """

    library: Library
    python: str
    url: str | None = None

    def do(self, task: str, **order: Json) -> JsonObject:
        """Have one task of `live_program` done in a fresh repository; give what it printed.

        Raises:
            subprocess.CalledProcessError: It failed; its standard error was shown.
        """
        with scratch() as folder, daemon_stopped_after(folder / "spool"):
            found = self.do_in(folder, task, **order)
            if self.url is not None and self.library == "livestream":  # its daemon may still be starting
                wait_until(lambda: is_served(folder / "spool"), 10, "a daemon")
            return found

    def do_in(self, folder: Path, task: str, **order: Json) -> JsonObject:
        """Do so in a folder that the caller watches."""
        command = [self.python, "-P", str(PROGRAM), self.library, task, msgspec.json.encode(order).decode()]
        found: JsonObject = msgspec.json.decode(run_in(folder, command, environment(folder, self.url)).splitlines()[-1])
        return found


def run_in(folder: Path, command: list[str], env: Mapping[str, str]) -> bytes:
    """Run a process in the folder's repository, which is made first; give what it printed."""
    repository = folder / "repository"
    make_repository(repository, env)
    done = subprocess.run(command, cwd=repository, env=env, stdout=subprocess.PIPE, check=True, timeout=CHILD_TIMEOUT_S)
    return done.stdout


def environment(folder: Path, url: str | None) -> dict[str, str]:
    """Give an environment in which nothing of this machine's user has a part."""
    home = {"HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1", "DVCLIVE_LOGLEVEL": "ERROR"}
    studio = {"DVC_STUDIO_OFFLINE": "true"}
    if url is not None:
        studio = {"DVC_STUDIO_URL": url, "DVC_STUDIO_TOKEN": TOKEN, "DVC_STUDIO_REPO_URL": REPOSITORY}
    spool = {"LIVESTREAM_SPOOL": str(folder / "spool"), "LIVESTREAM_DAEMON": "off" if url is None else "auto"}
    return (
        {key: value for key, value in quiet_environment().items() if not key.startswith("XDG_")} | home | studio | spool
    )


def make_repository(folder: Path, env: Mapping[str, str]) -> None:
    """Make what ``git init``, ``dvc init`` and a commit make."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").touch()
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".dvcignore").touch()
    author = [("config", f"user.{key}", value) for key, value in (("name", "b"), ("email", "b@example.com"))]
    for command in (("init", "-q"), *author, ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *command], cwd=folder, env=env, check=True)


def stands(options: Options, report: Report, url: str | None = None) -> dict[str, Stand]:
    """Give ours, and DVCLive where there is one."""
    found = {"Live": Stand("livestream", sys.executable, url)}
    missing = why_missing(options.rest.dvclive_python)
    if missing is None:
        found["DVCLive"] = Stand("dvclive", str(options.rest.dvclive_python), url)
    else:
        report.note(missing)
    return found


def take_turns(found: Mapping[str, Stand], rounds: int, task: str, **order: Json) -> dict[str, list[JsonObject]]:
    """Have both do a task, round by round."""
    turns: dict[str, Callable[[], JsonObject]] = {who: partial(stand.do, task, **order) for who, stand in found.items()}
    return interleave(turns, rounds)


def parser_with_peer() -> argparse.ArgumentParser:
    """Give the parser of a benchmark that DVCLive has a part in."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--dvclive-python",
        type=Path,
        metavar="PYTHON",
        default=Path(sys.executable),
        help="of an environment with dvclive; else this one",
    )
    return parser

"""Which experiment a run belongs to, how its files are named on the wire, and where it is to be delivered.

Everything is read once, when the run begins. What is written down of it (``writer.json``) leaves open what the user may
still change before delivery: a URL from DVC's config is looked up again then, one from the environment is not, because
the process that delivers has another environment.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from livestream import config, git, names
from livestream.errors import InvalidEventError
from livestream.events import NO_COMMIT, Experiment

_SHA_LENGTH = 40


class RunArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller of ``init`` said; ``None`` leaves it to the environment, DVC and Git."""

    name: str | None = None
    directory: str = "dvclive"
    repo_url: str | None = None
    baseline_sha: str | None = None
    subdir: str | None = None
    studio: config.StudioArguments | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A run's experiment and its destination.

    Attributes:
        directory: The run's folder as the Studio names it: posix, relative to the DVC root, else the Git root.
        subdir: The DVC root below the Git root, in a monorepo.
        url: The Studio to send to, where that is decided already.
        token: What this process was given for that URL, by argument or environment; never written down.
        config_folder: Where DVC's config is looked up at delivery.
        dvc_posts: DVC itself posts to the Studio: it has a token of its own, by the environment or its config.
    """

    experiment: Experiment
    directory: str
    subdir: str | None
    url: str | None
    endpoint: str
    offline: bool
    token: config.Secret | None
    config_folder: Path
    dvc_posts: bool = False
    problems: tuple[str, ...] = ()


def identify(arguments: RunArguments, environ: Mapping[str, str], cwd: Path) -> Identity:
    """Find out who a run is.

    Raises:
        InvalidEventError: The name or the baseline cannot be used.
    """
    dvc_root = config.find_dvc_root(cwd)
    repository = git.read_git(cwd, environ)
    dvc = config.read_dvc_config(cwd, environ)
    said = arguments.studio or config.StudioArguments()
    if arguments.repo_url is not None:
        said = msgspec.structs.replace(said, repo_url=arguments.repo_url)
    studio = config.resolve_studio(environ, dvc, said)
    root = dvc_root or (repository.root if repository else cwd)
    experiment = Experiment(
        repo_url=git.repo_url(
            repository,
            studio.repo_url,
            studio.git_remote,
            host=socket.gethostname(),
            folder=repository.root if repository else cwd,
        ),
        baseline_sha=_baseline(arguments.baseline_sha, environ, repository),
        name=names.experiment_name(environ, arguments.name),
    )
    given = studio.token is not None and studio.token_source in {"argument", "environment"}
    decided = given or studio.url_source in {"argument", "environment"}
    return Identity(
        experiment=experiment,
        directory=_relative(cwd / arguments.directory, root, arguments.directory),
        subdir=arguments.subdir if arguments.subdir is not None else _subdir(dvc_root, repository),
        url=studio.url if decided else None,
        endpoint=studio.endpoint,
        offline=studio.offline,
        token=studio.token if given else None,
        config_folder=cwd,
        dvc_posts=studio.token is not None and not studio.offline,
        problems=studio.problems,
    )


def _baseline(argument: str | None, environ: Mapping[str, str], repository: git.GitInfo | None) -> str:
    if argument is not None:
        if len(argument) != _SHA_LENGTH or any(c not in "0123456789abcdef" for c in argument.lower()):
            raise InvalidEventError("baseline_sha", f"a commit's {_SHA_LENGTH} hex digits are wanted, not {argument!r}")
        return argument.lower()
    said = environ.get("DVC_EXP_BASELINE_REV", "").lower()
    if len(said) == _SHA_LENGTH and all(c in "0123456789abcdef" for c in said):
        return said
    return (repository.head if repository else None) or NO_COMMIT


def _relative(folder: Path, root: Path, given: str) -> str:
    path = Path(os.path.normpath(folder))
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return PurePosixPath(given).name or "dvclive"


def _subdir(dvc_root: Path | None, repository: git.GitInfo | None) -> str | None:
    if dvc_root is None or repository is None or dvc_root == repository.root:
        return None
    try:
        return dvc_root.relative_to(repository.root).as_posix()
    except ValueError:
        return None

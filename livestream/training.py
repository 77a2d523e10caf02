"""What training code calls: ``init()`` begins a run, ``emit()`` records in the last one begun.

The last run that was begun, by ``init`` or by a ``Live``, is the process's default, and its spawned workers add to it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from livestream import config, content, names
from livestream.events import Json
from livestream.identity import RunArguments, identify
from livestream.options import RunOptions, adopt, parent_run, publish
from livestream.run import Run

logger = logging.getLogger("livestream")


def init(  # noqa: PLR0913 - the documented signature; each argument is one thing that a user says
    name: str | None = None,
    *,
    message: str | None = None,
    dir: str | os.PathLike[str] = "dvclive",  # noqa: A002 - DVCLive's name for it
    spool: str | os.PathLike[str] | None = None,
    durability: Literal["process", "power"] | None = None,
    repo_url: str | None = None,
    baseline_sha: str | None = None,
    subdir: str | None = None,
    daemon: Literal["auto", "off"] | None = None,
    ranks: Literal["first", "all"] = "first",
) -> Run:
    """Begin, or resume, an experiment.

    Args:
        name: Its name; else DVC_EXP_NAME, else made of the Slurm or torchelastic job, else a readable random one. A run
            with the name of an earlier one continues it.
        message: Shown as the experiment's commit message, cut at 72 characters.
        dir: The folder its files are named after in the Studio.
        spool: Where events are kept until they are delivered; else LIVESTREAM_SPOOL, else the user's state folder.
        durability: ``process`` (the default): survives any kill at once and a power cut after a second. ``power``: a
            power cut at once, for an fsync an event. Else LIVESTREAM_DURABILITY.
        repo_url: The Git repository the Studio knows; else DVC_STUDIO_REPO_URL, DVC's config, the Git remote.
        baseline_sha: The commit the experiment starts from; else DVC_EXP_BASELINE_REV, Git's HEAD, 40 zeros.
        subdir: The DVC project below the Git root; else found by its ``.dvc`` folder.
        daemon: ``off``: start none; deliver with ``livestream sync`` later. Else LIVESTREAM_DAEMON.
        ranks: ``first``: with several ranks only rank 0 records. ``all``: every rank does, below ``rank{n}/``.

    Raises:
        InvalidEventError: An argument cannot be used.
        ConfigError: A LIVESTREAM_* variable cannot be used.
    """
    content.check_choice("durability", durability, ("process", "power", None))
    content.check_choice("daemon", daemon, ("auto", "off", None))
    content.check_choice("ranks", ranks, ("first", "all"))
    for field, text in (
        ("message", message),
        ("repo_url", repo_url),
        ("baseline_sha", baseline_sha),
        ("subdir", subdir),
    ):
        content.check_text(field, text)
    arguments = RunArguments(
        name=name,
        directory=content.folder("dir", dir),
        repo_url=repo_url,
        baseline_sha=baseline_sha,
        subdir=subdir,
    )
    folder = None if spool is None else Path(content.folder("spool", spool))
    return begin(arguments, Wishes(message=message, spool=folder, durability=durability, daemon=daemon, ranks=ranks))


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to record; ``None`` leaves it to the LIVESTREAM_* variables.

    Attributes:
        ranks: As for ``init``; ``own``: each rank is an experiment of its own.
        guest: ``dvc exp run`` begins and ends the experiment, if it has a token to post with.
    """

    message: str | None = None
    spool: Path | None = None
    durability: Literal["process", "power"] | None = None
    daemon: Literal["auto", "off"] | None = None
    ranks: Literal["first", "all", "own"] = "first"
    guest: bool = False


def begin(arguments: RunArguments, wishes: Wishes) -> Run:
    """Begin a run of checked arguments, and make it the default one.

    Raises:
        InvalidEventError: The name or the baseline cannot be used.
        ConfigError: A LIVESTREAM_* variable cannot be used.
    """
    environ = os.environ
    settings = config.read_settings(environ)
    parent = parent_run(environ) if arguments.name is None else None
    identity = identify(arguments, environ, Path.cwd())
    for problem in identity.problems:
        logger.warning("livestream.config_skipped", extra={"problem": problem})
    rank = names.rank(environ)
    options = RunOptions(
        message=wishes.message,
        settings=msgspec.structs.replace(
            settings,
            spool=(wishes.spool or settings.spool).absolute(),
            durability=wishes.durability or settings.durability,
        ),
        start_daemon=(wishes.daemon or settings.daemon) == "auto",
        recording=rank == 0 or wishes.ranks != "first",
        contributor=rank > 0 and wishes.ranks != "own",
        guest=wishes.guest and identity.dvc_posts,
        metric_prefix=f"rank{rank}" if rank > 0 and wishes.ranks == "all" else "",
    )
    run = Run(*((identity, options) if parent is None else adopt(parent, identity, options)))
    _set_default(run)
    return run


def emit(metrics: Mapping[str, Json] | None = None, **news: Json) -> int | None:
    """Record one step's news in the default run: the last one begun here, else one that begins now.

    It ends with the process. Arguments, result and errors are those of ``Run.emit``.
    """
    return _default_run().emit(metrics, **news)


_default: Run | None = None
_default_lock = threading.Lock()


def _default_run() -> Run:
    run = _default
    if run is not None and not run.ended:
        return run
    with _default_lock:
        run = _default
        return run if run is not None and not run.ended else init()


def _set_default(run: Run) -> None:
    global _default
    _default = run
    publish(run.as_parent(), os.environ)


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_after_fork)

"""Begins a run for ``Live``: which experiment it is, whether it writes and sends, and what is cleared away first."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Mapping
from pathlib import Path

from livestream import config, names
from livestream.errors import LivestreamError
from livestream.identity import RunArguments
from livestream.live.options import LiveOptions
from livestream.live.parts import Parts
from livestream.live.project import Project
from livestream.live.report import open_report
from livestream.live.stream import Stream
from livestream.spool.folder import FolderFile
from livestream.training import Wishes, begin

logger = logging.getLogger("livestream")


def open_parts(options: LiveOptions, environ: Mapping[str, str]) -> Parts:
    """Begin a run.

    Raises:
        ConfigError: A LIVESTREAM_* variable cannot be used.
        OSError: The folder cannot be made.
    """
    if options.level is not None:
        logger.setLevel(options.level.upper())
    report = open_report(options.report, os.path.abspath(options.directory), in_browser=options.opens_report)
    project = Project() if options.outside else Project.find(environ, Path.cwd())
    settings = config.read_settings(environ)
    rank = names.rank(environ)
    if rank > 0 and settings.ranks == "first":
        logger.warning("livestream.rank_is_quiet", extra={"rank": rank, "folder": options.directory})
        return Parts(options, project, report, writes=False)
    project.prepare()
    parts = Parts(options, project, report)
    if not options.outside:
        parts.claim, parts.writes = _claim(settings.spool.absolute(), parts)
    goes_on = _open_folder(parts)
    if not options.outside:
        parts.name = _name(parts, rank, goes_on=goes_on)
        if parts.claim is not None and parts.writes:
            parts.is_known = goes_on and parts.claim.name == parts.name
            parts.claim.name = parts.name
        parts.stream = _open_stream(parts)
    return parts


def _claim(spool: Path, parts: Parts) -> tuple[FolderFile | None, bool]:
    """Take the folder; where the spool cannot say whose it is, it is ours."""
    folder = parts.folder.directory
    try:
        claim = FolderFile(spool, folder)
        is_ours = claim.take()
    except (OSError, LivestreamError) as error:
        logger.warning("livestream.folder_not_locked", extra={"folder": folder, "error": str(error)})
        return None, True
    displace = weakref.WeakMethod(parts.displace)
    claim.displaced = lambda: (found := displace()) and found()
    return claim, is_ours


def _open_folder(parts: Parts) -> bool:
    """Make the folder ready.

    Returns:
        Whether the run goes on with what is there.
    """
    options = parts.options
    if not parts.writes:
        logger.warning(
            "livestream.folder_is_taken: another process writes %s; this run is streamed, and writes no files there",
            options.directory,
        )
        return False
    was_there = parts.given.make()
    parts.folder.sweep()
    if not options.resume:
        parts.folder.clear()
    return options.resume and was_there


def _name(parts: Parts, rank: int, *, goes_on: bool) -> str:
    """Name the experiment; each run that writes elsewhere, or not at all, is one of its own."""
    options, project = parts.options, parts.project
    if project.inside_experiment:
        return project.experiment_name(options.name)
    if not parts.writes:
        return names.random_name()
    if goes_on and parts.claim is not None:
        name = options.name or parts.claim.name
        if name is not None and names.name_problem(name) is None:
            return name
    name = project.experiment_name(options.name)
    return f"{name}-rank{rank}" if rank > 0 and name == options.name else name


def _open_stream(parts: Parts) -> Stream:
    options = parts.options
    run = begin(
        RunArguments(name=parts.name, directory=options.directory),
        Wishes(message=options.message, ranks="own", guest=parts.project.inside_experiment),
    )
    if not options.resume:
        run.begin_anew()
    return Stream(run, f"{run.directory}/metrics.json", parts.lock)

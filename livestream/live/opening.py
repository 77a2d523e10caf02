"""Begins a run for ``Live``: which experiment it is, whether it writes and sends, and what is cleared away first."""

from __future__ import annotations

import logging
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
    report = open_report(options.report, options.directory, in_browser=options.opens_report)
    project = Project() if options.outside else Project.find(environ, Path.cwd())
    settings = config.read_settings(environ)
    if names.rank(environ) > 0 and settings.ranks == "first":
        logger.warning("livestream.rank_is_quiet", extra={"rank": names.rank(environ), "folder": options.directory})
        return Parts(options, project, report, writes=False)
    project.prepare()
    parts = Parts(options, project, report)
    claim = _claim(settings.spool.absolute(), options.directory)
    parts.claim, parts.writes = claim, claim is None or claim.take()
    _open_folder(parts)
    if not options.outside:
        parts.name = _name(options, project, claim if parts.writes else None)
        if claim is not None and parts.writes:
            parts.is_known = claim.name == parts.name
            claim.name = parts.name
        parts.stream = _open_stream(parts)
    return parts


def _claim(spool: Path, directory: str) -> FolderFile | None:
    try:
        return FolderFile(spool, directory)
    except (OSError, LivestreamError) as error:
        logger.warning("livestream.folder_not_locked", extra={"folder": directory, "error": str(error)})
        return None


def _open_folder(parts: Parts) -> None:
    if not parts.writes:
        logger.warning(
            "livestream.folder_is_taken: another process writes %s; this run is streamed, and writes no files there",
            parts.options.directory,
        )
        return
    parts.folder.make()
    parts.folder.sweep()
    if not parts.options.resume:
        parts.folder.clear()


def _name(options: LiveOptions, project: Project, claim: FolderFile | None) -> str:
    """Name the experiment: a run that resumes goes on under the name that the folder was written for."""
    if options.resume and claim is not None:
        name = options.name or claim.name
        if name is not None and names.name_problem(name) is None:
            return name
    return project.experiment_name(options.name)


def _open_stream(parts: Parts) -> Stream:
    options = parts.options
    run = begin(
        RunArguments(name=parts.name, directory=options.directory),
        Wishes(message=options.message, ranks="own", guest=parts.project.inside_experiment),
    )
    return Stream(run, f"{run.directory}/metrics.json", parts.lock)

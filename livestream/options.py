"""How a run records, and how a process that multiprocessing spawns learns it, so that it adds to the same experiment.

A forked worker inherits the run itself. A spawned one begins with an empty interpreter: all it gets is the environment,
so each run leaves its description there. It is believed only in a process that multiprocessing has made; a subprocess
that happens to inherit the variable is a training of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from livestream import config
from livestream.events import Experiment
from livestream.identity import Identity

PARENT_RUN: Final = "LIVESTREAM_PARENT_RUN"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ``init`` found out about how to record.

    Attributes:
        recording: This rank records.
        contributor: Another process is the experiment's primary writer.
        guest: The experiment is begun and ended outside: by ``dvc exp run``.
        metric_prefix: ``rank3`` where every rank records.
    """

    message: str | None = None
    settings: config.Settings
    start_daemon: bool = True
    recording: bool = True
    contributor: bool = False
    guest: bool = False
    metric_prefix: str = ""


class ParentRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its spawned workers go on with it; the fields are those of ``init`` and ``RunOptions``."""

    spool: str
    experiment: Experiment
    directory: str
    metric_prefix: str
    recording: bool
    durability: Literal["process", "power"]
    start_daemon: bool
    guest: bool = False


def publish(run: ParentRun, environ: MutableMapping[str, str]) -> None:
    """Leave word for the workers that are spawned from now on."""
    try:
        environ[PARENT_RUN] = msgspec.json.encode(run).decode()
    except UnicodeEncodeError:  # a folder whose name has no encoding: its workers begin runs of their own
        environ.pop(PARENT_RUN, None)


def parent_run(environ: Mapping[str, str] = os.environ) -> ParentRun | None:
    """Give the run of the process that spawned this one with multiprocessing, if it has one."""
    process = sys.modules.get("multiprocessing.process")
    said = environ.get(PARENT_RUN)
    if said is None or process is None or process.parent_process() is None:
        return None
    try:
        return msgspec.json.decode(said, type=ParentRun)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def adopt(parent: ParentRun, identity: Identity, options: RunOptions) -> tuple[Identity, RunOptions]:
    """Make what ``init`` found out in a spawned process into what goes on with its parent's run."""
    settings = msgspec.structs.replace(options.settings, spool=Path(parent.spool), durability=parent.durability)
    return (
        msgspec.structs.replace(identity, experiment=parent.experiment, directory=parent.directory),
        msgspec.structs.replace(
            options,
            settings=settings,
            start_daemon=parent.start_daemon,
            recording=parent.recording,
            contributor=True,
            guest=parent.guest,
            metric_prefix=parent.metric_prefix,
        ),
    )

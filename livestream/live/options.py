"""What a ``Live`` was asked for: its constructor's arguments and the environment, read once.

A text in the environment is a yes where it holds ``1``, ``y``, ``yes`` or ``true`` anywhere, which is DVCLive's rule
(reference/dvclive.md, 2.1): ``any`` is a yes, too.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from livestream.live.error import InvalidDvcyamlError, InvalidReportModeError

logger = logging.getLogger("livestream")

ReportMode: TypeAlias = Literal["md", "notebook", "html"]

DVCYAML: Final = "dvc.yaml"
_YES: Final = re.compile("1|y|yes|true", re.IGNORECASE)


class LiveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a ``Live`` logs.

    Attributes:
        directory: Where its files go, as given.
        dvc_file: The dvc.yaml that ``make_dvcyaml`` writes.
        writes_dvcyaml: ``sync`` writes it.
        outside: In DVCLIVE_TEST's mode: no repository is looked at.
        level: The level of the log that DVCLIVE_LOGLEVEL asks for.
    """

    directory: str
    resume: bool
    report: ReportMode | None
    save_dvc_exp: bool
    dvc_file: str
    writes_dvcyaml: bool
    cache_images: bool
    name: str | None
    message: str | None
    opens_report: bool
    outside: bool
    level: str | None


class LiveArguments(msgspec.Struct, frozen=True, kw_only=True):
    """The constructor's arguments, under DVCLive's names."""

    dir: str | os.PathLike[str]
    resume: bool
    report: ReportMode | None
    save_dvc_exp: bool
    dvcyaml: str | os.PathLike[str] | bool | None
    cache_images: bool
    exp_name: str | None
    exp_message: str | None


def is_yes(environ: Mapping[str, str], name: str, *, unset: bool = False) -> bool:
    """Tell whether a variable says yes."""
    said = environ.get(name)
    return unset if said is None else bool(_YES.search(said))


def read_options(arguments: LiveArguments, environ: Mapping[str, str]) -> LiveOptions:
    """Make options of what was said.

    Raises:
        InvalidReportModeError: There is no such report.
        InvalidDvcyamlError: The file's name is not dvc.yaml.
    """
    if arguments.report not in {None, "html", "notebook", "md"}:
        raise InvalidReportModeError(arguments.report)
    directory, dvc_file = os.fspath(arguments.dir), _dvc_file(arguments.dvcyaml)
    outside = is_yes(environ, "DVCLIVE_TEST")
    if outside:
        directory, dvc_file = _elsewhere(directory, dvc_file)
    return LiveOptions(
        directory=directory,
        resume=arguments.resume or is_yes(environ, "DVCLIVE_RESUME"),
        report=arguments.report,
        save_dvc_exp=arguments.save_dvc_exp and not outside,
        dvc_file=dvc_file,
        writes_dvcyaml=bool(arguments.dvcyaml),
        cache_images=arguments.cache_images,
        name=arguments.exp_name or environ.get("DVC_EXP_NAME") or None,
        message=arguments.exp_message,
        opens_report=is_yes(environ, "DVCLIVE_OPEN"),
        outside=outside,
        level=environ.get("DVCLIVE_LOGLEVEL"),
    )


def _dvc_file(dvcyaml: str | os.PathLike[str] | bool | None) -> str:  # noqa: FBT001 - DVCLive's values
    if dvcyaml is None or isinstance(dvcyaml, bool):
        return DVCYAML
    path = os.fspath(dvcyaml)
    if os.path.basename(path) != DVCYAML:
        raise InvalidDvcyamlError
    return path


def _elsewhere(directory: str, dvc_file: str) -> tuple[str, str]:
    """Move a run into a temporary folder, for the tests of other projects (as DVCLive does for accelerate's)."""
    folder = tempfile.mkdtemp(prefix="livestream-test-")
    logger.warning("DVCLive testing mode enabled. Repo will be ignored and output will be written to %s.", folder)
    return os.path.join(folder, directory), os.path.join(folder, dvc_file)

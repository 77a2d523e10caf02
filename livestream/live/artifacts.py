"""Artifacts of a run: copies of them in its folder, and what dvc.yaml tells of each.

DVC's model registry (GTO) makes Git tags of artifacts' names, so it takes letters, digits, ``_``, ``-`` and ``/`` only,
and neither end may be a sign. What has another name is tracked all the same; it is only not told of in dvc.yaml.

A copy replaces the one before it when it is complete: where a source is missing, what was copied earlier stays.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

from livestream.events import Json
from livestream.live import yaml
from livestream.live.error import InvalidNameError, InvalidParameterTypeError

logger = logging.getLogger("livestream")

_NAME: Final = re.compile("[a-zA-Z0-9]([a-zA-Z0-9/_-]*[a-zA-Z0-9])?")


class Artifacts:
    """The artifacts of one run.

    Attributes:
        described: What dvc.yaml is told, by name: ``path`` as logged, ``type``, ``desc``, ``labels``, ``meta``.
    """

    def __init__(self, folder: str) -> None:
        """Copy into ``folder``, which is made when it is needed."""
        self._folder = folder
        self.described: dict[str, dict[str, Json]] = {}

    def copy(self, path: str | PurePath) -> str:
        """Copy a file or folder into the run's folder; a copy of that name is replaced.

        Returns:
            The copy's path.

        Raises:
            InvalidNameError: ``path`` is the root of the file system.
            OSError: It cannot be read, or not copied; an earlier copy stays.
        """
        name = os.path.basename(os.path.abspath(path))
        if not name:
            raise InvalidNameError(f"{os.fspath(path)!r} has no name that a copy could have")
        copied = os.path.join(self._folder, name)
        if os.path.realpath(path) == os.path.realpath(copied):
            return copied
        os.makedirs(self._folder, exist_ok=True)
        temporary = os.path.join(self._folder, f".{name}.livestream")
        _remove(temporary)
        try:
            self._copy(path, temporary)
            _remove(copied)
            os.rename(temporary, copied)
        finally:
            _remove(temporary)
        return copied

    def _copy(self, source: str | PurePath, to: str) -> None:
        if not os.path.isdir(source):
            shutil.copy2(source, to)
            return
        own = os.path.realpath(self._folder)

        def leave_out(folder: str, names: Iterable[str]) -> list[str]:  # our own folder: it has no end
            return [name for name in names if os.path.realpath(os.path.join(folder, name)) == own]

        shutil.copytree(source, to, ignore=leave_out)

    def describe(self, path: str | PurePath, name: str | None, facts: Mapping[str, Any]) -> None:
        """Tell dvc.yaml of an artifact, if anything is known of it.

        Args:
            path: Where it is.
            name: What it is called; else what its file is, without the suffix.
            facts: ``type``, ``desc``, ``labels`` and ``meta``; those that are ``None`` are left out.

        Raises:
            InvalidParameterTypeError: YAML cannot hold one of the facts.
        """
        if not name and not any(facts.values()):
            return
        name = name or PurePath(path).stem
        problem = name_problem(name)
        if problem is not None:
            logger.warning(problem)
            return
        said = {"path": os.fspath(path)} | {key: value for key, value in facts.items() if value is not None}
        _check_yaml(said)
        self.described[name] = said


def name_problem(name: object) -> str | None:
    """Why an artifact cannot have this name in dvc.yaml, in DVCLive's words; ``None`` if it can."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return None
    return f"Can't use '{name}' as artifact name (ID). It will not be included in the `artifacts` section."


def _check_yaml(facts: Mapping[str, Json]) -> None:
    from ruamel.yaml.representer import RepresenterError  # noqa: PLC0415 - 50 ms that only some runs pay

    try:
        yaml.to_text(facts)
    except RepresenterError as error:
        raise InvalidParameterTypeError(error.args[0]) from error


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)

"""dvc.yaml: tells DVC which of a run's files are its parameters, metrics, plots and artifacts.

The file is the user's as well: stages, and entries of other folders, stand in it beside ours. So it is read with its
comments, what an earlier write of ours left is taken out of it, and what is true now put in. An entry's path says whose
it is: what is below the run's folder is ours. Artifacts lie anywhere, and are told apart by their names.

DVCLive reads and writes the file at each step. Here it is touched only when there is something else to say, or when
somebody else has changed it.
"""

from __future__ import annotations

import copy
import logging
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from livestream.events import JsonObject
from livestream.live import writing, yaml
from livestream.live.error import YAMLError

logger = logging.getLogger("livestream")

_LISTS: Final = ("params", "metrics", "plots")
_OWN_FOLDER: Final = "./"
_IN_OWN_FOLDER: Final = frozenset({"params.yaml", "metrics.json", "plots"})
"""What is ours where dvc.yaml lies in the run's own folder, so that all paths are below that."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to tell of a run. Paths are relative to the working folder, or absolute.

    Attributes:
        directory: The run's folder.
        dvc_file: The dvc.yaml that is to tell.
        params: There are parameters; likewise ``metrics``, ``histories`` (of metrics) and ``images``.
        plots: Path and configuration of each plot, in the order of their first appearance.
        artifacts: By name: ``path`` and what else is known of it.
    """

    directory: str
    dvc_file: str
    params: bool = False
    metrics: bool = False
    histories: bool = False
    images: bool = False
    plots: tuple[tuple[str, JsonObject], ...] = ()
    artifacts: Mapping[str, JsonObject] = {}


def entries(described: Described) -> dict[str, Any]:
    """Make the sections that dvc.yaml is to have, in DVC's terms; a section with nothing in it is left out."""
    base = os.path.dirname(described.dvc_file) or os.curdir

    def relative(path: str) -> str:
        return Path(os.path.relpath(path, base)).as_posix()

    def inside(*parts: str) -> str:
        return relative(os.path.join(described.directory, *parts))

    plots: list[Any] = [{inside("plots", "metrics"): {"x": "step"}}] if described.histories else []
    plots += [inside("plots", "images")] if described.images else []
    plots += [{relative(path): copy.deepcopy(config)} for path, config in described.plots]
    artifacts = {name: copy.deepcopy(dict(facts)) for name, facts in described.artifacts.items()}
    for facts in artifacts.values():
        facts["path"] = relative(str(facts["path"]))
    sections = {
        "params": [inside("params.yaml")] if described.params else [],
        "metrics": [inside("metrics.json")] if described.metrics else [],
        "plots": plots,
        "artifacts": artifacts,
    }
    return {name: section for name, section in sections.items() if section}


def own_prefix(directory: str, dvc_file: str) -> str:
    """Say what the paths of our entries begin with: the run's folder as seen from dvc.yaml, and ``/``."""
    return Path(os.path.relpath(directory, os.path.dirname(dvc_file) or os.curdir)).as_posix() + "/"


def merge(old_text: str, sections: Mapping[str, Any], prefix: str) -> str:
    """Put our sections into what a dvc.yaml holds.

    Args:
        old_text: The file.
        sections: What ``entries`` made.
        prefix: What ``own_prefix`` gave: entries that begin so are replaced, all others stay.

    Raises:
        YAMLError: The file is no YAML, or not what DVC reads.
    """
    document = _parse(old_text)
    for name in _LISTS:
        kept = [entry for entry in _section(document, name, list) if not _is_ours(_path_of(entry), prefix)]
        document[name] = kept + sections.get(name, [])
        if not document[name]:
            del document[name]
    old = _section(document, "artifacts", dict)
    others = {name: facts for name, facts in old.items() if not _is_stale(facts, prefix)}
    document["artifacts"] = {**others, **sections.get("artifacts", {})}
    if not document["artifacts"]:
        del document["artifacts"]
    return yaml.to_text(document)


def _parse(text: str) -> Any:
    """Parse into ruamel's maps and lists, which keep the comments."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that only runs with a dvc.yaml pay
    from ruamel.yaml.error import YAMLError as CorruptedError  # noqa: PLC0415 - as above

    try:
        document = YAML(typ="rt").load(text)
    except CorruptedError as error:
        raise YAMLError("YAML file structure is corrupted") from error
    if document and not isinstance(document, dict):
        raise YAMLError("it holds no sections")
    return document or {}


def _section(document: Mapping[str, Any], name: str, kind: type) -> Any:
    section = document.get(name)
    if section is None:  # not there, or a title with nothing below it
        return kind()
    if not isinstance(section, kind):
        raise YAMLError(f"`{name}` is not a {kind.__name__}")
    return section


def _path_of(entry: object) -> str | None:
    """Give the path that an entry is about: its text, or its only key."""
    if isinstance(entry, dict) and len(entry) == 1:
        (entry,) = entry
    return entry if isinstance(entry, str) else None


def _is_ours(path: str | None, prefix: str) -> bool:
    if path is None:
        return False
    path = posixpath.normpath(path)
    if prefix == _OWN_FOLDER:
        return path.partition("/")[0] in _IN_OWN_FOLDER
    return path.startswith(prefix)


def _is_stale(facts: object, prefix: str) -> bool:
    if not isinstance(facts, dict):
        return False
    return "path" not in facts or _is_ours(facts["path"] if isinstance(facts["path"], str) else None, prefix)


class DvcYamlFile:
    """A dvc.yaml that is kept up to date."""

    def __init__(self, path: str, directory: str) -> None:
        """Keep the file at ``path`` for the run whose folder is ``directory``, wherever the process goes."""
        self._shown = path
        self._path = os.path.abspath(path)
        self._prefix = own_prefix(directory, path)
        self._described: Described | None = None
        self._stamp: writing.Stamp | None = None
        self._trouble: str | None = None

    def write(self, described: Described) -> bool:
        """Bring the file up to date; trouble with it is logged once, and what it holds stays.

        Returns:
            Whether it was written.
        """
        stamp = writing.stamp(self._path)
        if described == self._described and stamp == self._stamp:
            return False
        try:
            self._described, self._stamp = copy.deepcopy(described), stamp
            self._stamp = writing.put(self._path, self._text(described, exists=stamp is not None))
        except YAMLError as error:  # stays so until somebody mends the file: the stamp then tells
            self._say(f"unable to read: '{self._shown}', {error}")
        except UnicodeDecodeError:
            self._say(f"unable to read: '{self._shown}', is not valid utf-8")
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._described = None  # a full disk may have space at the next step
            self._say(str(error))
        else:
            self._trouble = None
            return True
        return False

    def _text(self, described: Described, *, exists: bool) -> str:
        sections = entries(described)
        if not exists:
            return yaml.to_text(sections)
        with open(self._path, encoding="utf-8") as file:
            return merge(file.read(), sections, self._prefix)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            logger.warning("Error in make_dvcyaml: %s", trouble)

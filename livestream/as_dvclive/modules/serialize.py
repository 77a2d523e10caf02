"""Files of a run, written and read as a ``Live`` does."""

from __future__ import annotations

import json
import os

from livestream.events import Json
from livestream.live import writing, yaml
from livestream.live.error import YAMLError, YAMLFileCorruptedError

__all__ = ["YAMLError", "YAMLFileCorruptedError", "dump_json", "dump_yaml", "load_yaml", "make_dir"]


def load_yaml(path: str | os.PathLike[str]) -> Json:
    """Read a file of YAML.

    Raises:
        OSError: It cannot be read.
        YAMLFileCorruptedError: It is no YAML.
    """
    return yaml.load(os.fspath(path))


def dump_yaml(content: Json, output_file: str | os.PathLike[str]) -> None:
    """Write a file of YAML.

    Raises:
        ruamel.yaml.representer.RepresenterError: YAML cannot hold a value.
    """
    writing.put(os.fspath(output_file), yaml.to_text(content))


def dump_json(content: Json, output_file: str | os.PathLike[str], indent: int = 4, **kwargs: Json) -> None:
    """Write a file of JSON.

    Raises:
        TypeError: JSON cannot hold a value.
    """
    writing.put(os.fspath(output_file), json.dumps(content, indent=indent, **kwargs) + "\n")


def make_dir(output_file: str | os.PathLike[str]) -> None:
    """Make the folder that a file goes to."""
    if folder := os.path.dirname(output_file):
        os.makedirs(folder, exist_ok=True)

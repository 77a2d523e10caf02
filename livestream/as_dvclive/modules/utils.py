"""DVCLive's helpers, which scripts and tests of others use: above all, what reads a run's files."""

from __future__ import annotations

import csv
import functools
import json
import logging
import os
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path, PurePath
from platform import uname
from typing import Any, ParamSpec, TypeAlias, TypeVar

from livestream.events import Json
from livestream.integrations.naming import standardize_metric_name
from livestream.live import Live
from livestream.live.artifacts import Artifacts
from livestream.live.options import is_yes
from livestream.live.plots import rows_of as convert_datapoints_to_list_of_dicts
from livestream.live.report.opening import inside_notebook

__all__ = [
    "StrPath",
    "catch_and_warn",
    "clean_and_copy_into",
    "convert_datapoints_to_list_of_dicts",
    "env2bool",
    "inside_colab",
    "inside_notebook",
    "isinstance_without_import",
    "matplotlib_installed",
    "open_file_in_browser",
    "parse_json",
    "parse_metrics",
    "parse_tsv",
    "read_history",
    "read_latest",
    "rel_path",
    "run_once",
    "standardize_metric_name",
]

StrPath: TypeAlias = str | PurePath

P = ParamSpec("P")
T = TypeVar("T")


# -- what a run has written


def parse_tsv(path: StrPath) -> list[dict[str, str]]:
    """Read a metric's history: a dict a row, of texts."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def parse_json(path: StrPath) -> Json:
    """Read a file of JSON."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def parse_metrics(live: Live) -> tuple[dict[str, list[dict[str, str]]], Json]:
    """Read all histories of a run, by path, and its metrics.json.

    Raises:
        OSError: There is no metrics.json, or a file cannot be read.
    """
    folder = Path(live.plots_dir, "metrics")
    paths = [path for suffix in (".csv", ".tsv") for path in folder.rglob(f"*{suffix}")]
    return {str(path): parse_tsv(path) for path in paths}, parse_json(live.metrics_file)


def read_history(live: Live, metric: str) -> tuple[list[int], list[float]]:
    """Read the steps and values of one metric."""
    rows = parse_tsv(f"{os.path.join(live.plots_dir, 'metrics', metric)}.tsv")
    return [int(row["step"]) for row in rows], [float(row[os.path.basename(metric)]) for row in rows]


def read_latest(live: Live, metric_name: str) -> tuple[int, Json]:
    """Read the last step and the value that a metric, which is not nested, has in metrics.json."""
    latest = parse_json(live.metrics_file)
    return latest["step"], latest[metric_name]


# -- where this runs


def env2bool(var: str, undefined: bool = False) -> bool:  # noqa: FBT001, FBT002 - DVCLive's signature
    """Tell whether a variable says yes; ``undefined`` where it is not set."""
    return is_yes(os.environ, var, unset=undefined)


def matplotlib_installed() -> bool:
    """Tell whether matplotlib can be imported."""
    return find_spec("matplotlib") is not None


def inside_colab() -> bool:
    """Tell whether this runs in Google's Colab."""
    try:
        return find_spec("google.colab") is not None
    except ModuleNotFoundError:
        return False


# -- files


def clean_and_copy_into(src: StrPath, dst: StrPath) -> str:
    """Copy a file or folder into a folder, in place of what is there under its name; give the copy's path."""
    return Artifacts(os.fspath(dst)).copy(src)


def rel_path(path: StrPath, dvc_root_path: StrPath) -> str:
    """Give a path as it is seen from DVC's root, with ``/``."""
    return Path(os.path.relpath(Path(path).absolute(), dvc_root_path)).as_posix()


# -- calls


def run_once(f: Callable[P, T]) -> Callable[P, T | None]:
    """Make a function that does nothing from its second call on."""
    has_run = False

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T | None:
        nonlocal has_run
        if has_run:
            return None
        has_run = True
        return f(*args, **kwargs)

    return wrapper


@run_once
def open_file_in_browser(file: StrPath) -> bool:
    """Show a file in the browser, once a process; under Windows' Linux, whose browser knows other paths, as it is."""
    path = Path(file)
    return webbrowser.open(str(path) if "Microsoft" in uname().release else path.resolve().as_uri())


def catch_and_warn(
    exception: type[BaseException] | tuple[type[BaseException], ...],
    logger: logging.Logger,
    on_finally: Callable[[], object] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T | None]]:
    """Make a decorator that logs an exception as a warning, and then calls ``on_finally`` in any case."""

    def decorate(function: Callable[P, T]) -> Callable[P, T | None]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return function(*args, **kwargs)
            except exception as error:
                logger.warning("Error in %s: %s", function.__name__, error)
                return None
            finally:
                if on_finally is not None:
                    on_finally()

        return wrapper

    return decorate


def isinstance_without_import(val: Any, module: str, name: str) -> bool:
    """Tell whether a value is of a class, or of one below it, which need not be imported for that."""
    return any((kind.__module__, kind.__name__) == (module, name) for kind in type(val).__mro__)

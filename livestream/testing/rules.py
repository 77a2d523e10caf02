"""Holds a request body to the wire rules of ``api/live``, as data about data: every problem found, none raised.

The rules are those of the stock client's schema (dvc-studio-client 0.23), read strictly where the stock schema is
lenient in ways that no server should have to bear: a step is a whole number and not a truth value, an experiment has
a name, a plot holds rows or an image or says why it holds neither. The sizes are the three limits of the hosted
Studio, or those that the fake one advertises.

This is written anew rather than taken from the stock client, so that the fake Studio needs neither that package nor
voluptuous; the tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

import orjson

from livestream.events import Json, JsonObject
from livestream.pipeline.chunk import Limits

Problems: TypeAlias = Iterator[str]
Check: TypeAlias = Callable[[str, Json], Problems]

_SHA = re.compile(r"[0-9a-h]{40}", re.IGNORECASE)  # a to h: so says the stock schema


def _text(path: str, value: Json) -> Problems:
    if not isinstance(value, str):
        yield f"{path}: expected text, got {_name(value)}"


def _object(path: str, value: Json) -> Problems:
    if not isinstance(value, dict):
        yield f"{path}: expected an object, got {_name(value)}"


def _sha(path: str, value: Json) -> Problems:
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        yield f"{path}: expected a commit sha of 40 characters"


def _kind(path: str, value: Json) -> Problems:
    if value not in ("start", "data", "done"):
        yield f"{path}: expected start, data or done"


def _step(path: str, value: Json) -> Problems:
    if type(value) is not int:
        yield f"{path}: expected a whole number, got {_name(value)}"


def _error(path: str, value: Json) -> Problems:
    yield from _fields(path, value, {"cls": _text, "text": _text}, required=("cls", "text"))


def _errors(path: str, value: Json) -> Problems:
    if not isinstance(value, list):
        yield f"{path}: expected a list, got {_name(value)}"
        return
    for index, item in enumerate(value):
        yield from _error(f"{path}[{index}]", item)


def _rows(path: str, value: Json) -> Problems:
    if not isinstance(value, list):
        yield f"{path}: expected a list of rows, got {_name(value)}"
    elif set(map(type, value)) - {dict}:
        at = next(index for index, row in enumerate(value) if type(row) is not dict)
        yield f"{path}[{at}]: expected an object, got {_name(value[at])}"


def _metrics_file(path: str, value: Json) -> Problems:
    yield from _fields(path, value, {"data": _object, "error": _error})


def _plot(path: str, value: Json) -> Problems:
    yield from _fields(path, value, {"data": _rows, "image": _text, "props": _object, "error": _error})
    if not isinstance(value, dict):
        return
    if "data" in value and "image" in value:
        yield f"{path}: data and image exclude each other"
    if not value.keys() & {"data", "image", "error"}:
        yield f"{path}: expected data or image"


def _each(check: Check) -> Check:
    """Make the check of an object whose every value has to pass ``check``."""

    def check_each(path: str, value: Json) -> Problems:
        if not isinstance(value, dict):
            yield f"{path}: expected an object, got {_name(value)}"
            return
        for key, item in value.items():
            yield from check(f"{path}[{key!r}]", item)

    return check_each


def _fields(path: str, value: Json, known: dict[str, Check], required: tuple[str, ...] = ()) -> Problems:
    if not isinstance(value, dict):
        yield f"{path}: expected an object, got {_name(value)}"
        return
    prefix = f"{path}." if path else ""
    for key in required:
        if key not in value:
            yield f"{prefix}{key}: missing"
    for key, item in value.items():
        check = known.get(key)
        if check is None:
            yield f"{prefix}{key}: unknown"
        else:
            yield from check(prefix + key, item)


_EVERY: dict[str, Check] = {
    "type": _kind,
    "repo_url": _text,
    "baseline_sha": _sha,
    "name": _text,
    "env": _object,
    "client": _text,
    "errors": _errors,
    "params": _each(_object),
    "metrics": _each(_metrics_file),
    "machine": _object,
}
_KNOWN: dict[str, dict[str, Check]] = {
    "start": {**_EVERY, "message": _text, "subdir": _text},
    "data": {**_EVERY, "step": _step, "plots": _each(_plot)},
    "done": {**_EVERY, "experiment_rev": _sha},
}
_IDENTITY = ("type", "repo_url", "baseline_sha", "name")
_REQUIRED = {"start": _IDENTITY, "data": (*_IDENTITY, "step"), "done": _IDENTITY}


def check_shape(body: Json) -> list[str]:
    """Say what is wrong with the fields of a decoded body: names, types, what has to be there.

    Returns:
        ``"path of field: problem"`` each; empty where the body is sound.
    """
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind not in _KNOWN:
        return list(_fields("", body, _EVERY, _IDENTITY)) if isinstance(body, dict) else ["body: expected an object"]
    return list(_fields("", body, _KNOWN[kind], _REQUIRED[kind]))


def check_sizes(body: JsonObject, size: int, limits: Limits) -> list[str]:
    """Say which of the three limits a body of sound shape breaks.

    Args:
        body: The decoded body.
        size: Bytes of its JSON.
        limits: What the Studio takes.
    """
    problems = []
    if size > limits.max_request_bytes:
        problems.append(f"body: {size} bytes, the limit is {limits.max_request_bytes}")
    plots: JsonObject = body.get("plots", {})
    if len(plots) > limits.max_plots:
        problems.append(f"plots: {len(plots)} of them, the limit is {limits.max_plots}")
    if size > limits.max_plot_bytes:
        for path, plot in plots.items():
            plot_size = _plot_size(plot)
            if plot_size > limits.max_plot_bytes:
                problems.append(f"plots[{path!r}]: {plot_size} bytes, the limit is {limits.max_plot_bytes}")
    return problems


def _plot_size(plot: JsonObject) -> int:
    # As the stock client measures: the rows' JSON, or the text of the image; path and props do not count.
    if "image" in plot:
        return len(plot["image"])
    return len(orjson.dumps(plot.get("data", [])))


def _name(value: Json) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")

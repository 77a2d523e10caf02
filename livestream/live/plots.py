"""Custom plots: points of any kind become rows, and rows become DVCLive's file and what the stream carries.

A file holds a list of rows in JSON, indented by 4. Python's encoder has a quick way that knows no indents; rows whose
values are plain go through it all the same, with the indent in the separator of their entries.

JSON has no NaN: it and the infinities are texts, in the files too, which DVCLive writes as no other program reads them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

from livestream.content import JSON_INTEGERS
from livestream.events import Json, JsonObject
from livestream.live.error import InvalidDataTypeError
from livestream.live.naming import below
from livestream.live.writing import put

logger = logging.getLogger("livestream")

_CONFIG: Final = ("template", "x", "y", "title", "x_label", "y_label")
_FLAT: Final = frozenset({str, int, float, bool, type(None)})
_INDENT: Final = "    "


def rows_of(datapoints: Json) -> list[dict[Any, Any]]:
    """Make rows of points: a dict a row stays, data frames and arrays become them.

    Args:
        datapoints: A list, whose items are not looked at, a pandas data frame, a structured array, or an array of rows.

    Raises:
        InvalidDataTypeError: It is something else.
    """
    if isinstance(datapoints, list):
        return datapoints
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")  # theirs is no value where they are not loaded
    if pandas is not None and isinstance(datapoints, pandas.DataFrame):
        records: list[dict[Any, Any]] = datapoints.to_dict(orient="records")
        return records
    if numpy is not None and isinstance(datapoints, numpy.ndarray):
        names = datapoints.dtype.names
        if names is not None and datapoints.ndim == 1:
            return [dict(zip(names, row, strict=True)) for row in datapoints.tolist()]
        if names is None and datapoints.ndim > 1:
            return [dict(enumerate(row)) for row in datapoints.tolist()]
    raise InvalidDataTypeError("datapoints", type(datapoints))


def plain_rows(rows: list[dict[Any, Any]]) -> list[JsonObject]:
    """Give rows as the stream carries them: keys are texts, values plain, ints of more than 64 bits floats.

    Raises:
        TypeError: JSON cannot hold a value.
    """
    return [_plain(row, for_stream=True) for row in rows]


class PlotFile:
    """The file of one plot.

    Attributes:
        name: As logged, without ``.json``.
        path: Where it is.
        config: What DVC is told of it, in DVC's order; ``None`` is left out.
    """

    def __init__(self, name: str, folder: str, config: Mapping[str, Json]) -> None:
        """Name the file; nothing is written.

        Raises:
            InvalidNameError: The name leaves the folder.
        """
        self.name = name.replace(".json", "")
        self.path = f"{os.path.join(folder, below('a plot', self.name))}.json"
        self.config: JsonObject = {key: config[key] for key in _CONFIG if config.get(key) is not None}
        self._has_failed = False

    def write(self, content: Json) -> None:
        """Write the file whole. Trouble with the disk is logged once.

        Args:
            content: Rows, or a dict of them.

        Raises:
            TypeError: JSON cannot hold a value; the file is as it was.
        """
        text = to_text(content)
        try:
            put(self.path, text)
        except OSError:
            if not self._has_failed:
                self._has_failed = True
                logger.exception("livestream.live_file_not_written", extra={"file": self.path})


def to_text(content: Json) -> str:
    """Give the text of a plot's file.

    Args:
        content: Rows, or a dict of them.

    Raises:
        TypeError: JSON cannot hold a value.
    """
    if isinstance(content, dict):
        entries = [f"{_INDENT}{json.dumps(key)}: {_rows_text(rows, _INDENT)}" for key, rows in content.items()]
        return "{\n" + ",\n".join(entries) + "\n}\n"
    return _rows_text(content, "") + "\n"


def _rows_text(rows: list[dict[Any, Any]], outer: str) -> str:
    if _are_flat(rows):
        try:
            return _flat_rows_text(rows, outer)
        except (ValueError, TypeError):  # NaN, or a key of numpy's
            pass
    plain = [_plain(row, for_stream=False) for row in rows]
    if _are_flat(plain):
        return _flat_rows_text(plain, outer)
    return json.dumps(plain, indent=len(_INDENT), allow_nan=False).replace("\n", f"\n{outer}")


def _are_flat(rows: list[dict[Any, Any]]) -> bool:
    return bool(rows) and all(row and _FLAT.issuperset(map(type, row.values())) for row in rows)


def _flat_rows_text(rows: list[dict[Any, Any]], outer: str) -> str:
    """Let the quick encoder put the indent between entries; JSON's texts have no line ends, so rows' ends are known."""
    row, entry = outer + _INDENT, outer + 2 * _INDENT
    begin, end = f"{{\n{entry}", f"\n{row}}}"
    text = json.JSONEncoder(allow_nan=False, separators=(f",\n{entry}", ": ")).encode(rows)
    entries = text[2:-2].replace(f"}},\n{entry}{{", f"{end},\n{row}{begin}")
    return f"[\n{row}{begin}{entries}{end}\n{outer}]"


def _plain(value: Json, *, for_stream: bool) -> Any:
    if isinstance(value, float):
        return _finite(float(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _unicode(value) if for_stream else str.__str__(value)
    if isinstance(value, int):
        number = int(value)  # a range looks for a subclass of int by going through all it holds
        return _of_64_bits(number) if for_stream else number
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, for_stream=for_stream) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, for_stream=for_stream) for item in value]
    if isinstance(value, date):  # and a datetime, or pandas' time
        return value.isoformat()
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return _plain(value.tolist(), for_stream=for_stream)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _of_64_bits(number: int) -> int | float | str:
    if number in JSON_INTEGERS:
        return number
    try:
        return float(number)
    except OverflowError:
        return "inf" if number > 0 else "-inf"


def _finite(number: float) -> float | str:
    return number if isfinite(number) else repr(number)


def _unicode(text: str) -> str:
    """Replace lone surrogates, which files can hold and the stream cannot."""
    return str.__str__(text) if text.isascii() else text.encode(errors="replace").decode()


def _key(key: Json) -> str:
    """Give a key as JSON has it: a text."""
    if isinstance(key, str):
        return _unicode(key)
    if hasattr(key, "tolist"):
        key = key.tolist()
    if isinstance(key, float) and not isfinite(key):
        return repr(float(key))
    text: str = next(iter(json.loads(json.dumps({key: None}))))
    return text

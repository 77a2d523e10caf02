"""Log lines that people can read and scripts can take apart: ``key=value``, with constant event names.

    time=2025-11-21T02:44:01.123Z level=warning event=livestream.studio_held url=https://... detail="401: ..."

A message that is no event name (another library's) becomes ``text``. Nothing that is known to be a token gets through,
whoever wrote the line.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Final

from livestream.config import VARIABLES

MAX_LOG_BYTES: Final = 5_000_000
KEPT_LOGS: Final = 3

_EVENT: Final = re.compile(r"livestream(\.[a-z0-9_]+)+")
_BARE: Final = re.compile(r"[\w.:/@%+,~-]+")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SHORTEST_SECRET: Final = 8
"""Characters; a shorter value is no token, and striking it out would spoil lines that have nothing to do with it."""


class KeyValueFormatter(logging.Formatter):
    """Formats a record as one line of ``key=value`` pairs; ``extra`` gives the keys."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        pairs: dict[str, object] = {"time": moment.replace("+00:00", "Z"), "level": record.levelname.lower()}
        text = record.getMessage()
        if _EVENT.fullmatch(text):
            pairs["event"] = text
        else:
            pairs |= {"logger": record.name, "text": text}
        pairs |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            pairs["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            pairs["traceback"] = self.formatException(record.exc_info)
        line = " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items())
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def _quoted(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class _PrivateFileHandler(RotatingFileHandler):
    """Rotates by size; every file is its owner's only."""

    def _open(self) -> IO[str]:  # type: ignore[override]
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Give the values in an environment that no log may show."""
    names = [variable.name for variable in VARIABLES if variable.secret]
    return [value for name in names for spelling in (name, name.lower()) if (value := environ.get(spelling))]


def log_to_stderr(secrets: Iterable[str], level: int = logging.INFO) -> None:
    """Log to standard error."""
    _install(logging.StreamHandler(sys.stderr), secrets, level)


def log_to_file(path: Path, secrets: Iterable[str], level: int = logging.INFO) -> None:
    """Log to a file that is rotated at 5 MB, with three older ones kept."""
    handler = _PrivateFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOGS, encoding="utf-8")
    _install(handler, secrets, level)


def log_nowhere() -> None:
    """Keep logs off the terminal: the command says itself what there is to say."""
    logging.getLogger("livestream").addHandler(logging.NullHandler())
    logging.getLogger("livestream").propagate = False


def _install(handler: logging.Handler, secrets: Iterable[str], level: int) -> None:
    handler.setFormatter(KeyValueFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("livestream").setLevel(level)

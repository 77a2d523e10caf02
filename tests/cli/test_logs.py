from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from livestream.cli.logs import KeyValueFormatter, _PrivateFileHandler, secrets_of


def line(message: str, *, secrets: tuple[str, ...] = (), **extra: object) -> str:
    record = logging.makeLogRecord({"name": "livestream.x", "levelname": "WARNING", "msg": message, **extra})
    return KeyValueFormatter(secrets).format(record)


def test_an_event_is_a_line_of_pairs() -> None:
    text = line("livestream.studio_held", url="https://studio.example/api", count=3)
    assert text.startswith("time=20")
    assert text.endswith("Z level=warning event=livestream.studio_held url=https://studio.example/api count=3")


@pytest.mark.parametrize("value", ["two words", 'a "quoted" one', "", "two\nlines", "a=b", "tab\there", "ümlaut ok"])
def test_a_value_that_could_be_misread_is_quoted(value: str) -> None:
    text = line("livestream.event", detail=value)
    assert "\n" not in text
    assert json.loads(text.partition(" detail=")[2]) == value


def test_another_librarys_message_becomes_text() -> None:
    assert 'logger=livestream.x text="Task was destroyed"' in line("Task was destroyed")


def test_an_exception_is_told_in_the_same_line() -> None:
    try:
        Path("/nowhere/at/all").read_bytes()
    except OSError:
        text = line("livestream.failed", exc_info=sys.exc_info())
    assert 'error="FileNotFoundError: ' in text
    assert "test_logs.py" in text
    assert "\n" not in text


def test_no_known_secret_gets_through_whoever_wrote_the_line() -> None:
    text = line("livestream.event", secrets=("isat_verysecret",), detail="Invalid token: isat_verysecret!")
    assert "isat_verysecret" not in text
    assert "***" in text


def test_secrets_are_found_in_an_environment_and_short_words_are_none() -> None:
    assert secrets_of({"DVC_STUDIO_TOKEN": "abc", "https_proxy": "http://u:p@h", "HOME": "/x"}) == [
        "abc",
        "http://u:p@h",
    ]
    assert "yes" in line("livestream.event", secrets=("yes",), detail="yes")


def test_files_are_rotated_and_private(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    handler = _PrivateFileHandler(path, maxBytes=300, backupCount=3, encoding="utf-8")
    handler.setFormatter(KeyValueFormatter())
    for number in range(20):
        handler.emit(logging.makeLogRecord({"msg": "livestream.event", "number": number}))
    handler.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "daemon.log",
        "daemon.log.1",
        "daemon.log.2",
        "daemon.log.3",
    ]
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}

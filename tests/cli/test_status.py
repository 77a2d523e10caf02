from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from cli_cases import Cli

from livestream.events import JsonObject
from livestream.spool.layout import FileLock
from livestream.testing import FakeStudio


def only_experiment(cli: Cli) -> JsonObject:
    document = cli("status", "--json").json
    (experiment,) = document["experiments"]
    assert document["books"]["balanced"]
    result: JsonObject = experiment
    return result


def test_without_a_spool_it_says_what_to_run(cli: Cli) -> None:
    ran = cli("status")
    assert ran.code == 0
    assert "livestream demo" in ran.out
    assert not cli.spool.exists()
    document = cli("status", "--json").json
    assert document["exists"] is False
    assert document["experiments"] == []


def test_without_a_daemon_the_numbers_are_true(cli: Cli) -> None:
    cli.record("one", steps=7, image_bytes=100_000)
    one = only_experiment(cli)
    assert one["name"] == "one"
    assert one["state"] == "behind"
    assert one["backlog_events"] == one["books"]["emitted"] == 9
    assert 700_000 < one["backlog_bytes"] < 720_000
    assert 0 < one["behind_s"] < 60
    assert (one["writers"], one["writers_alive"]) == (1, 0)


def test_books_that_a_daemon_is_just_making_are_not_there_yet(cli: Cli) -> None:
    cli.record("one", steps=7)
    lock = FileLock(cli.spool / "daemon.lock")
    assert lock.take()
    (cli.spool / "daemon.db").touch(mode=0o600)
    document = cli("status", "--json").json
    assert document["problems"] == []
    assert document["experiments"][0]["backlog_events"] == 9
    with closing(sqlite3.connect(cli.spool / "daemon.db")) as database:
        database.execute("PRAGMA journal_mode = WAL").fetchall()  # what it does next, before there are tables
        assert cli("status", "--json").json["problems"] == []
    lock.release()


def test_what_only_the_journal_of_a_killed_writer_holds_is_counted(cli: Cli) -> None:
    cli.record("one", steps=40, then="kill")
    assert only_experiment(cli)["backlog_events"] == 41


def test_the_size_of_an_event_that_lies_in_a_blob_is_counted(cli: Cli) -> None:
    cli.record("one", steps=1, plot_rows=10_000)
    assert only_experiment(cli)["backlog_bytes"] > 100_000


def test_a_living_writer_is_seen(cli: Cli) -> None:
    training = cli.record("one", then="wait")
    assert only_experiment(cli)["writers_alive"] == 1
    cli.release(training)
    assert only_experiment(cli)["writers_alive"] == 0


def test_a_run_that_was_told_to_stay_offline_is_offline(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_OFFLINE="true")
    assert only_experiment(cli)["state"] == "offline"
    cli("daemon", "--once")
    assert only_experiment(cli)["state"] == "offline"


def test_a_hold_is_shown_with_its_reason_and_since_when(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_URL="http://127.0.0.1:9")
    cli("sync")
    one = only_experiment(cli)
    assert one["state"] == "held"
    assert "no token" in one["held"]
    assert one["held_since"] is not None
    assert "no token" in cli("status").out


def test_a_refused_token_is_shown_as_a_hold(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    studio.tokens = {"another"}
    assert cli("sync").code == 4
    one = only_experiment(cli)
    assert one["state"] == "held"
    assert "401" in one["held"]


def test_refused_events_are_losses_with_their_reason(cli: Cli) -> None:
    cli.record("one", steps=20_000, LIVESTREAM_QUOTA_BYTES="1")
    one = only_experiment(cli)
    assert one["books"]["refused"]["quota"] > 0
    assert one["books"]["emitted"] == 20_002
    assert "quota" in cli("status").out


def test_what_is_delivered_to_the_end_is_done_and_hidden_until_asked_for(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    assert cli("sync").code == 0
    one = only_experiment(cli)
    assert one["state"] == "done"
    assert (one["backlog_events"], one["behind_s"], one["step"]) == (0, None, 4)
    assert one["books"]["delivered"] == 7
    assert "1 more experiment" in cli("status").out
    assert "one" in cli("status", "--all").out


def test_a_live_training_with_a_daemon_is_live(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    training = cli.record("one", then="wait")
    daemon = cli.start("daemon")
    studio.ledger.wait_for(lambda ledger: ledger.rows == 5)
    document = cli("status", "--json").json
    assert document["daemon"]["running"] is True
    assert document["daemon"]["pid"] == daemon.pid
    assert document["experiments"][0]["state"] == "live"
    assert f"pid {daemon.pid}" in cli("status").out
    cli.release(training)


def test_the_spool_is_named_by_argument_or_option_but_not_twice(cli: Cli) -> None:
    cli.record("one")
    named = str(cli.spool)
    for words in ([named], ["--spool", named]):
        assert "one" in cli("status", *words, LIVESTREAM_SPOOL="/nowhere").out
    assert cli("status", named, "--spool", named).code == 2


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be read as one" * 50])
def test_damaged_books_are_told_of_and_the_queue_is_still_counted(cli: Cli, content: bytes) -> None:
    cli.record("one")
    (cli.spool / "daemon.db").write_bytes(content)
    ran = cli("status", "--json")
    assert ran.code == 0
    assert ran.json["experiments"][0]["backlog_events"] == 7
    assert bool(ran.json["problems"])

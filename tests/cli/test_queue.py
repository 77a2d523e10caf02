from __future__ import annotations

import base64
import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from cli_cases import Cli, only_writer

from livestream.cli import exits
from livestream.events import JsonObject
from livestream.testing import Answer, FakeStudio
from livestream.testing.script import Rule


def lines(text: str) -> list[JsonObject]:
    return [json.loads(line) for line in text.splitlines()]


def change(segment: Path, sql: str) -> None:
    connection = sqlite3.connect(segment)
    with connection:
        connection.execute(sql)
    connection.close()


@pytest.fixture
def refusing(cli: Cli, studio: FakeStudio) -> Rule:
    """Record a run of which the Studio refuses step 3, and deliver the rest."""

    def wants(body: JsonObject, _headers: object) -> bool:
        plots = body.get("plots", {})
        return any(row.get("step") == 3 for plot in plots.values() for row in plot.get("data", []))

    cli.goes_to(studio)
    cli.record("one", steps=6, image_bytes=70_000)
    rule = studio.rule(wants, Answer.error(422, "not this one"))
    assert cli("sync").code == exits.DEAD_LETTERS
    return rule


def letters(cli: Cli) -> list[JsonObject]:
    found: list[JsonObject] = cli("queue", "ls", "--dead", "--json").json["letters"]
    return found


# -- ls, show


def test_ls_names_writers_and_segments(cli: Cli) -> None:
    cli.record("one")
    (writer,) = cli("queue", "ls", "--json").json["writers"]
    assert writer["experiment"]["name"] == "one"
    assert (writer["cursor"], writer["books"]["queued"]) == (0, 7)
    (segment,) = writer["segments"]
    assert (segment["number"], segment["sealed"], segment["first"], segment["last"]) == (1, True, 1, 7)
    text = cli("queue", "ls").out
    assert writer["uid"] in text
    assert "00000001.db" in text


def test_ls_tells_a_segment_that_is_still_written_from_a_sealed_one(cli: Cli) -> None:
    training = cli.record("one", then="wait")
    (writer,) = cli("queue", "ls", "--json").json["writers"]
    assert writer["alive"] is True
    assert writer["segments"][0]["sealed"] is False
    cli.release(training)


def test_show_shortens_an_event_and_json_does_not(cli: Cli) -> None:
    cli.record("one", image_bytes=9000)
    short = cli("queue", "show", "w", "3").json["event"]
    whole = cli("queue", "show", "w", "3", "--json").json["event"]
    assert whole["step"] == short["step"] == 1
    assert "characters" in short["images"]["a.png"]["data"]
    assert len(base64.b64decode(whole["images"]["a.png"]["data"])) == 9008


def test_show_gives_an_event_that_lies_in_a_blob(cli: Cli) -> None:
    cli.record("one", steps=1, plot_rows=10_000)
    event = cli("queue", "show", "w", "2", "--json").json["event"]
    assert len(event["plots"]["big"]["rows"]) == 10_000


def test_show_gives_an_event_of_the_journal(cli: Cli) -> None:
    cli.record("one", steps=40, then="kill")
    assert cli("queue", "show", "w", "41").json["event"]["step"] == 39


def test_show_tells_what_a_writer_is(cli: Cli) -> None:
    cli.record("one")
    assert cli("queue", "show", only_writer(cli.spool).name).json["info"]["role"] == "primary"


def test_show_says_what_is_wrong_with_a_question(cli: Cli) -> None:
    cli.record("one")
    cli.record("two")
    assert "2 writers are named" in cli("queue", "show", "w").err
    uid = min(path.name for path in cli.spool.glob("w*"))
    ran = cli("queue", "show", uid, "99")
    assert ran.code == exits.TROUBLE
    assert "not in the spool" in ran.err


def test_without_a_spool_every_noun_says_so(cli: Cli) -> None:
    for words in (["ls"], ["show", "w"], ["verify"], ["export"], ["retry", "1"], ["drop", "1"], ["gc"]):
        assert cli("queue", *words).code == exits.NO_SPOOL
    assert not cli.spool.exists()


# -- verify


def test_verify_finds_a_sound_spool_sound(cli: Cli) -> None:
    cli.record("one", steps=30, image_bytes=70_000)
    cli.record("two", steps=3, plot_rows=10_000)
    training = cli.record("three", then="wait")
    ran = cli("queue", "verify", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["sound"] is True
    assert ran.json["writers"] == 3
    assert ran.json["events"] >= 32 + 5 + 1
    assert ran.json["blobs"] == 33
    cli.release(training)


def test_verify_finds_a_sound_spool_sound_after_delivery(cli: Cli, refusing: Rule) -> None:
    ran = cli("queue", "verify", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["blobs"] >= 1  # the dead letter's image


def test_verify_counts_what_a_killed_writer_left_in_its_journal(cli: Cli) -> None:
    cli.record("one", steps=40, then="kill")
    ran = cli("queue", "verify", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["events"] == 41


@pytest.mark.parametrize(
    ("sql", "problem", "event"),
    [
        ("UPDATE event SET body = replace(body, '0.5', '0.6') WHERE seq = 3", "checksum", 3),
        ("UPDATE event SET body = CAST(replace(body, '0.5', '0.6') AS BLOB) WHERE seq = 3", "checksum", 3),
        ("DELETE FROM event WHERE seq = 4", "missing", 4),
        ("DELETE FROM event WHERE seq = 7", "missing", 7),
        ("UPDATE event SET crc = 1 WHERE seq = 5", "checksum", 5),
        ("UPDATE seal SET digest = 1", "digest", None),
        ("DROP TABLE event", "cannot be read", None),
    ],
)
def test_verify_says_what_is_damaged_and_where(cli: Cli, sql: str, problem: str, event: int | None) -> None:
    cli.record("one")
    change(only_writer(cli.spool) / "00000001.db", sql)
    ran = cli("queue", "verify", "--json")
    assert ran.code == exits.TROUBLE
    places = [(finding["first"], problem in finding["problem"]) for finding in ran.json["findings"]]
    if problem == "checksum" and "replace(body" in sql and "CAST" not in sql:
        assert (event, True) in [(first, True) for first, _ in places]
    else:
        assert (event, True) in places
    assert "problem" in cli("queue", "verify").out


def test_verify_finds_a_blob_that_changed_and_one_that_is_gone(cli: Cli) -> None:
    cli.record("one", steps=2, image_bytes=70_000)
    first, second = sorted((only_writer(cli.spool) / "blobs").iterdir())
    first.write_bytes(b"something else")
    second.unlink()
    problems = " ".join(finding["problem"] for finding in cli("queue", "verify", "--json").json["findings"])
    assert "does not match its digest" in problems
    assert "cannot be read" in problems


def test_verify_finds_a_truncated_segment(cli: Cli) -> None:
    cli.record("one")
    segment = only_writer(cli.spool) / "00000001.db"
    os.truncate(segment, 8192)
    assert cli("queue", "verify").code == exits.TROUBLE


# -- export


def test_export_gives_every_queued_event_with_its_images(cli: Cli) -> None:
    cli.record("one", steps=3, image_bytes=70_000)
    cli.record("two", steps=2)
    ran = cli("queue", "export")
    assert ran.code == 0
    events = lines(ran.out)
    assert len(events) == 5 + 4
    assert [line["event"]["type"] for line in events[:5]] == ["start", "data", "data", "data", "done"]
    assert len(base64.b64decode(events[1]["event"]["images"]["a.png"]["data"])) == 70_008
    assert "9 events" in ran.err
    assert "blob" in lines(cli("queue", "export", "--no-images").out)[1]["event"]["images"]["a.png"]


def test_export_writes_a_file_that_only_its_owner_can_read(cli: Cli, tmp_path: Path) -> None:
    cli.record("one")
    target = tmp_path / "out.jsonl"
    assert cli("queue", "export", "-o", str(target)).out == ""
    assert len(lines(target.read_text())) == 7
    assert target.stat().st_mode & 0o777 == 0o600


def test_export_gives_damaged_events_as_problems(cli: Cli) -> None:
    cli.record("one")
    change(only_writer(cli.spool) / "00000001.db", "UPDATE event SET body = x'7b7d' WHERE seq = 2")
    ran = cli("queue", "export")
    assert ran.code == exits.TROUBLE
    events = lines(ran.out)
    assert len(events) == 7
    assert "problem" in events[1]


def test_export_leaves_out_what_is_delivered(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    training = cli.record("one", then="wait")
    cli("sync")
    assert cli("queue", "export").out == ""
    assert len(lines(cli("queue", "export", "--all").out)) == 6
    cli.release(training)


# -- dead letters


def test_dead_letters_are_listed_shown_and_exported(cli: Cli, refusing: Rule) -> None:
    (letter,) = letters(cli)
    assert (letter["seq"], letter["kind"], letter["status"]) == (5, "dead", 422)
    assert "not this one" in letter["reason"]
    assert "not this one" in cli("queue", "ls", "--dead").out
    uid = letter["writer"]
    assert cli("queue", "show", uid, "5").json["event"]["step"] == 3
    (line,) = lines(cli("queue", "export", "--dead").out)
    assert line["event"]["step"] == 3
    assert len(base64.b64decode(line["event"]["images"]["a.png"]["data"])) == 70_008


@pytest.mark.parametrize("with_daemon", [False, True])
def test_a_retried_letter_is_delivered(cli: Cli, studio: FakeStudio, refusing: Rule, *, with_daemon: bool) -> None:
    refusing.remove()
    if with_daemon:
        cli.start("daemon")
        cli("sync")  # follows, so that it runs for certain
    ran = cli("queue", "retry", "--all", "--json")
    assert ran.json == {"retried": 1}
    if with_daemon:
        studio.ledger.wait_for(lambda ledger: len(ledger.experiment("one").values("loss")) == 6, timeout_s=60)
    assert cli("sync").code == exits.OK
    assert sorted(step for step, _ in studio.ledger.experiment("one").values("loss")) == list(range(6))
    assert letters(cli) == []
    assert cli("status", "--json").json["books"]["dead"] == 0
    assert list((cli.spool / "dead").iterdir()) == []


def test_a_letter_that_is_refused_again_stays(cli: Cli, refusing: Rule) -> None:
    assert "run `livestream sync`" in cli("queue", "retry", "1").out
    assert letters(cli)[0]["kind"] == "retry"
    assert cli("sync").code == exits.DEAD_LETTERS
    assert letters(cli)[0]["kind"] == "dead"


def test_drop_asks_first(cli: Cli, refusing: Rule) -> None:
    ran = cli("queue", "drop", "1", stdin="n\n")
    assert ran.code == exits.TROUBLE
    assert letters(cli)[0]["size"] > 0


@pytest.mark.parametrize("with_daemon", [False, True])
def test_a_dropped_letter_gives_its_content_up_and_nothing_is_left(
    cli: Cli, refusing: Rule, *, with_daemon: bool
) -> None:
    if with_daemon:
        cli.start("daemon")
        cli("sync")
    assert len(list((cli.spool / "dead").iterdir())) == 1
    assert cli("queue", "drop", "--all", "--yes", "--json").json == {"dropped": 1}
    (letter,) = letters(cli)
    assert letter["size"] == 0
    assert "dropped" in letter["reason"]
    assert list((cli.spool / "dead").iterdir()) == []
    assert cli("sync").code == exits.OK
    assert "nothing is left of dead letter 1" in cli("queue", "retry", "1").err


def test_letters_are_named_by_id_or_all_of_them(cli: Cli, refusing: Rule) -> None:
    for verb in ("retry", "drop"):
        assert cli("queue", verb).code == exits.USAGE
        assert cli("queue", verb, "1", "--all").code == exits.USAGE
        ran = cli("queue", verb, "77")
        assert ran.code == exits.TROUBLE
        assert "no dead letter 77" in ran.err


# -- gc


def test_gc_touches_nothing_that_waits(cli: Cli) -> None:
    cli.record("one", image_bytes=70_000)
    training = cli.record("two", then="wait")
    before = sorted(path for path in cli.spool.rglob("*") if path.suffix != ".db-shm" and "daemon" not in path.name)
    ran = cli("queue", "gc", "--json")
    assert ran.json["removed"] == []
    after = sorted(path for path in cli.spool.rglob("*") if path.suffix != ".db-shm" and "daemon" not in path.name)
    assert after == before
    cli.release(training)


def test_gc_removes_old_quarantine_only(cli: Cli) -> None:
    cli.record("one")
    folder = cli.spool / "quarantine" / "w" / "00000001.db"
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"x" * 100)
    young = folder.with_name("young")
    young.write_bytes(b"y")
    os.utime(folder, (time.time() - 40 * 86_400,) * 2)
    assert cli("queue", "gc", "--dry-run", "--json").json["bytes"] == 100
    assert folder.exists()
    cli("queue", "gc")
    assert not folder.exists()
    assert young.exists()
    cli("queue", "gc", "--older-than", "0")
    assert not (cli.spool / "quarantine" / "w").exists()


def test_gc_removes_what_killed_processes_left(cli: Cli) -> None:
    cli.record("one")
    unborn = cli.spool / "w0000000000000000000000"
    unborn.mkdir()
    temporary = cli.spool / ".daemon.json.12345678"
    temporary.write_bytes(b"{")
    for path in (unborn, temporary):
        os.utime(path, (time.time() - 7200,) * 2)
    lonely = cli.spool / "dead" / ("0" * 64)
    lonely.parent.mkdir(parents=True)
    lonely.write_bytes(b"z")
    kinds = {Path(item["path"]).name for item in cli("queue", "gc", "--json").json["removed"]}
    assert {unborn.name, temporary.name, lonely.name} <= kinds
    assert not unborn.exists()
    assert not temporary.exists()
    assert cli("status", "--json").json["books"]["queued"] == 7


def test_gc_removes_the_folder_of_a_finished_writer(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    assert cli("sync", LIVESTREAM_RETENTION_S="1000").code == exits.OK
    folder = only_writer(cli.spool)
    assert cli("queue", "gc", "--json").json["removed"][0]["path"] == str(folder)
    assert not folder.exists()
    books = cli("status", "--json").json["books"]
    assert (books["delivered"], books["queued"], books["balanced"]) == (7, 0, True)

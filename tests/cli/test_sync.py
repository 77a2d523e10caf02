from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from cli_cases import Cli, eventually

from livestream.cli import exits
from livestream.events import JsonObject
from livestream.spool.launch import is_served
from livestream.testing import Answer, FakeStudio


def has_step(step: int) -> object:
    """Pick the bodies that carry a row of a step."""

    def wants(body: JsonObject, _headers: object) -> bool:
        rows = [row for plot in body.get("plots", {}).values() for row in plot.get("data", [])]
        return any(row.get("step") == step for row in rows)

    return wants


def test_everything_is_delivered_and_the_exit_code_is_0(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", steps=30)
    cli.record("two", steps=10)
    ran = cli("sync")
    assert ran.code == exits.OK
    assert "44 events delivered" in ran.out
    assert "nothing is left" in ran.out
    for name, steps in (("one", 30), ("two", 10)):
        experiment = studio.ledger.experiment(name)
        assert [step for step, _ in experiment.values("loss")] == list(range(steps))
        assert experiment.status == "done"
    assert studio.ledger.violations == []


def test_progress_is_told_in_plain_lines_where_there_is_no_terminal(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", steps=30)
    studio.script(Answer.late(0.5))
    ran = cli("sync")
    assert "/32 events" in ran.err
    assert "\x1b" not in ran.err + ran.out


def test_the_result_is_one_json_document_for_scripts(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    ran = cli("sync", "--json")
    assert ran.err == ""
    (result,) = ran.json["spools"]
    assert ran.json["exit_code"] == ran.code == 0
    assert (result["delivered"], result["queued"], result["bad_records"]) == (7, 0, [])
    assert result["bytes_sent"] > 0


def test_a_second_sync_has_nothing_to_do(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    cli("sync")
    requests = len(studio.ledger.requests)
    again = cli("sync", "--json")
    assert again.code == exits.OK
    assert again.json["spools"][0]["delivered"] == 0
    assert len(studio.ledger.requests) == requests


def test_offline_runs_are_sent(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", DVC_STUDIO_OFFLINE="1")
    assert cli("sync").code == exits.OK
    assert studio.ledger.experiment("one").status == "done"


def test_a_time_out_has_a_code_of_its_own_and_loses_nothing(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    studio.stop()
    ran = cli("sync", "--timeout", "0.7", "--json")
    assert ran.code == exits.TIMED_OUT
    assert ran.json["spools"][0]["queued"] == 7
    studio.start()
    assert cli("sync").code == exits.OK
    assert studio.ledger.duplicates == 0


def test_the_retry_text_is_shown_during_an_outage(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    studio.stop()
    ran = cli("sync", "--timeout", "1")
    assert "waiting: " in ran.err
    assert "connection refused" in ran.err
    assert "run `livestream sync` again" in ran.out


def test_held_events_have_a_code_of_their_own_and_the_reason(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_URL="http://127.0.0.1:9")
    ran = cli("sync")
    assert ran.code == exits.HELD
    assert "held: no token for http://127.0.0.1:9" in ran.out
    assert "livestream doctor" in ran.out


def test_no_spool_has_a_code_of_its_own(cli: Cli, tmp_path: Path) -> None:
    ran = cli("sync")
    assert ran.code == exits.NO_SPOOL
    assert "no spool" in ran.out
    assert not cli.spool.exists()
    assert cli("sync", str(tmp_path)).code == exits.NO_SPOOL  # a folder, but nobody recorded there


def test_what_the_studio_refuses_is_passed_by_and_listed_at_the_end(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", steps=10)
    studio.rule(has_step(6), Answer.error(422, "step 6 is unlucky"))  # type: ignore[arg-type] # a plain function
    ran = cli("sync")
    assert ran.code == exits.DEAD_LETTERS
    assert "step 6 is unlucky" in ran.out
    assert "livestream queue ls --dead" in ran.out
    assert [step for step, _ in studio.ledger.experiment("one").values("loss")] == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    again = cli("sync", "--json")
    assert again.code == exits.DEAD_LETTERS
    assert again.json["spools"][0]["bad_records"] == []
    assert again.json["spools"][0]["dead_letters"] == 1


def test_ctrl_c_ends_it_in_good_order(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    studio.stop()
    process = cli.start("sync")
    assert process.stderr is not None
    eventually(lambda: "waiting: " in process.stderr.readline(), "it waits")  # type: ignore[union-attr]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == exits.INTERRUPTED, err
    assert "Traceback" not in err
    assert "everything is safe" in out
    assert not is_served(cli.spool)


def test_several_spools_are_synced_and_the_worst_code_is_given(cli: Cli, studio: FakeStudio, tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    cli.record("held", LIVESTREAM_SPOOL=first, DVC_STUDIO_URL="http://127.0.0.1:9")
    cli.goes_to(studio)
    cli.record("one", LIVESTREAM_SPOOL=second)
    ran = cli("sync", first, "--spool", second, "--json")
    assert ran.code == exits.HELD
    assert [result["exit_code"] for result in ran.json["spools"]] == [exits.HELD, exits.OK]
    assert studio.ledger.experiment("one").status == "done"


def test_a_spool_that_cannot_be_used_keeps_no_other_waiting(cli: Cli, studio: FakeStudio, tmp_path: Path) -> None:
    newer, good = str(tmp_path / "newer"), str(tmp_path / "good")
    cli.goes_to(studio)
    cli.record("newer", LIVESTREAM_SPOOL=newer)
    connection = sqlite3.connect(Path(newer) / "daemon.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    cli.record("one", LIVESTREAM_SPOOL=good)
    ran = cli("sync", newer, good)
    assert ran.code == exits.TROUBLE
    assert "upgrade livestream" in ran.out
    assert studio.ledger.experiment("one").status == "done"
    assert "upgrade livestream" in cli("status", newer).out


def test_nonsense_in_a_variable_ends_it_before_anything_is_done(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    assert cli("sync", LIVESTREAM_RETENTION_S="soon").code == exits.USAGE
    assert studio.ledger.requests == ()


def test_verbose_logs_key_value_lines_without_the_token(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    ran = cli("sync", "-v")
    assert ran.code == exits.OK
    assert "event=livestream.daemon_started" in ran.err
    assert cli.environ["DVC_STUDIO_TOKEN"] not in ran.err + ran.out


def test_beside_a_daemon_it_asks_for_everything_and_follows(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", DVC_STUDIO_OFFLINE="1")
    daemon = cli.start("daemon")
    eventually(lambda: cli("status", "--json").json["experiments"][0]["held"] is not None, "the daemon holds it")
    ran = cli("sync", "--json")
    assert ran.code == exits.OK
    assert ran.json["spools"][0]["delivered"] == 7
    assert studio.ledger.experiment("one").status == "done"
    assert daemon.poll() is None


def test_beside_a_daemon_the_codes_are_the_same(cli: Cli, studio: FakeStudio) -> None:
    cli.record("held", DVC_STUDIO_URL="http://127.0.0.1:9")
    cli.start("daemon")
    eventually(lambda: is_served(cli.spool), "the daemon serves")
    ran = cli("sync")
    assert ran.code == exits.HELD
    assert "no token" in ran.out
    cli.goes_to(studio)
    studio.stop()
    cli.record("late")
    assert cli("sync", "--timeout", "0.5").code == exits.TIMED_OUT


def test_it_takes_over_when_the_daemon_dies(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", steps=20)
    studio.script(Answer.hang())
    daemon = cli.start("daemon")
    studio.ledger.wait_for(lambda ledger: len(ledger.requests) == 1)
    sync = cli.start("sync", "--json", "--timeout", "20")
    os.kill(daemon.pid, signal.SIGKILL)
    out, err = sync.communicate(timeout=25)
    assert sync.returncode == exits.OK, err
    assert json.loads(out)["spools"][0]["queued"] == 0
    assert [step for step, _ in studio.ledger.experiment("one").values("loss")] == list(range(20))
    assert studio.ledger.duplicates == 0


@pytest.mark.parametrize("then", ["kill", "end"])
def test_a_writer_that_was_killed_is_delivered_to_its_last_event(cli: Cli, studio: FakeStudio, then: str) -> None:
    cli.goes_to(studio)
    cli.record("one", steps=25, then=then)
    assert cli("sync").code == exits.OK
    experiment = studio.ledger.experiment("one")
    assert len(experiment.values("loss")) == 25
    assert bool(experiment.errors) is (then == "kill")

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import msgspec
from cli_cases import Cli, alive, eventually

from livestream import config
from livestream.cli import exits
from livestream.cli.daemon import unit_command
from livestream.spool.launch import Handover, ask_daemon, is_served
from livestream.spool.layout import spool_key
from livestream.testing import FakeStudio


def test_once_delivers_what_there_is_and_ends(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    ran = cli("daemon", "--once")
    assert ran.code == exits.OK
    assert studio.ledger.experiment("one").status == "done"
    assert "event=livestream.daemon_ended" in ran.err


def test_once_tells_by_its_exit_code_that_events_are_held(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_URL="http://127.0.0.1:9")
    assert cli("daemon", "--once").code == exits.HELD


def test_once_sends_no_offline_run(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one", DVC_STUDIO_OFFLINE="1")
    assert cli("daemon", "--once").code == exits.HELD
    assert studio.ledger.requests == ()


def test_it_delivers_as_it_comes_until_sigterm(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    daemon = cli.start("daemon")
    training = cli.record("one", then="wait")
    studio.ledger.wait_for(lambda ledger: ledger.rows == 5)
    cli.release(training)
    studio.ledger.wait_for(lambda ledger: ledger.experiment("one").status == "done")
    daemon.send_signal(signal.SIGTERM)
    _, err = daemon.communicate(timeout=10)
    assert daemon.returncode == 0
    assert "Traceback" not in err
    assert not is_served(cli.spool)


def test_idle_exit_ends_it_when_there_is_nothing_to_do(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    assert cli("daemon", "--idle-exit", "0.2").code == 0
    assert studio.ledger.experiment("one").status == "done"


def test_a_second_one_says_that_the_spool_is_served(cli: Cli) -> None:
    cli.start("daemon")
    eventually(lambda: is_served(cli.spool), "the first one serves")
    ran = cli("daemon")
    assert ran.code == exits.BUSY
    assert "another daemon" in ran.err
    assert cli("daemon", "--started").code == exits.OK  # a training's: the work is in good hands


def test_started_by_a_training_it_takes_the_token_and_logs_to_its_private_file(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    token = cli.environ.pop("DVC_STUDIO_TOKEN")
    handover = Handover(url=studio.url, token=token, fingerprint=config.fingerprint(token, spool_key(cli.spool)))
    line = msgspec.json.encode(handover).decode() + "\n"
    ran = cli("daemon", str(cli.spool), "--idle-exit", "0.2", "--started", stdin=line)
    assert ran.code == 0
    assert ran.out + ran.err == ""
    assert studio.ledger.experiment("one").status == "done"
    log = cli.spool / "daemon.log"
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text()
    assert re.match(r"time=\S+Z level=info event=livestream\.daemon_started spool=\S+ pid=\d+$", text.splitlines()[0])
    assert token not in text


def test_an_empty_first_line_is_no_token(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_URL="http://127.0.0.1:9")
    assert cli("daemon", "--idle-exit", "0.1", "--started", stdin="\n").code == 0


def test_it_can_be_told_to_stop_over_its_socket(cli: Cli) -> None:
    daemon = cli.start("daemon")
    eventually(lambda: ask_daemon(cli.spool, {"op": "ping"}) is not None, "it answers")
    ask_daemon(cli.spool, {"op": "stop"})
    daemon.communicate(timeout=10)
    assert daemon.returncode == 0
    assert not alive(daemon.pid)


def test_the_systemd_unit_names_a_command_that_works(cli: Cli, tmp_path: Path) -> None:
    ran = cli("daemon", str(tmp_path / "a spool"), "--print-systemd-unit")
    assert ran.code == 0
    assert not (tmp_path / "a spool").exists()
    (line,) = [line for line in ran.out.splitlines() if line.startswith("ExecStart=")]
    command = shlex.split(line.removeprefix("ExecStart="))
    assert Path(command[0]).is_absolute()
    done = subprocess.run([*command, "--once"], env=cli.environ, cwd="/", capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
    assert (tmp_path / "a spool" / "daemon.db").exists()


def test_a_path_is_quoted_for_systemd() -> None:
    assert unit_command(Path("/a b/50%/$x")).endswith(' daemon "/a b/50%%/$$x"')
    assert os.path.isabs(unit_command(Path("/x")).split(" ")[0])

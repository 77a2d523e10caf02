from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli_cases import Cli, Ran, alive, eventually
from msgspec.structs import replace

from livestream.cli.demo import SHORT, has_display
from livestream.cli.demo_ledger import Account, Arrived, compare, print_ledger
from livestream.cli.demo_play import PATIENCE_S
from livestream.cli.demo_studio import Judgement, Missing, Requests, Seen
from livestream.demo.record import Emitted, Event
from livestream.spool.rows import Books


def processes_of(folder: Path) -> list[str]:
    """Find processes that were started for something in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdigit() else ""
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def play_once(cli: Cli, **more: str) -> Ran:
    """Play the short demo to its end: on a busy machine it takes longer than other commands."""
    process = cli.start("demo", "--once", **more)
    out, err = process.communicate(timeout=PATIENCE_S + 30.0)
    return Ran(process.returncode, out, err)


def test_it_ends_with_a_ledger_that_balances_and_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "t"
    place.mkdir()
    ran = play_once(cli, TMPDIR=str(place))
    assert ran.code == 0, ran.out + ran.err
    place_in_story = 0
    for told in (
        "THE NETWORK BREAKS",
        "silent (no beat for",
        "THE NETWORK IS BACK",
        "catching up (",
        "everything that waited is delivered",
        "SIGKILL for iris-hasty",
        "the Studio: iris-hasty failed (livestream.WriterDied: ",
        "emitted = delivered, duplicates 0, lost 0",
    ):
        place_in_story = ran.out.find(told, place_in_story)
        assert place_in_story >= 0, f"{told}: {ran.out}"
    waited = re.search(r"THE NETWORK IS BACK; ([\d,]+) events? waited", ran.out)
    assert waited is not None
    assert int(waited[1].replace(",", "")) > 30
    rows = re.findall(r"^ +([a-z ]+?) {2,}(\S+) +(\S+) +(\S+)$", ran.out, re.MULTILINE)
    columns = {label: cells for label, *cells in rows}
    assert columns["events emitted"][:2] == ["162", "162"]
    assert columns["events delivered"] == columns["events emitted"]
    assert columns["points"][:2] == ["848", "848"]
    assert columns["images"][:2] == ["41", "41"]
    assert columns["parameters"] == ["7"] * 3
    assert columns["plots"] == ["2"] * 3
    assert columns["status"] == ["completed", "completed", "failed"]
    killed = int(columns["events emitted"][2].replace(",", "")) - 1
    assert killed > SHORT.kill_at
    assert f"iris-hasty was killed after {killed} epochs" in ran.out or "one more was in flight" in ran.out
    assert "\x1b" not in ran.out
    assert list(place.iterdir()) == []
    assert processes_of(place) == []
    assert not cli.spool.exists()
    assert "sign-in" not in ran.out
    assert not (cli.spool.parent / "config").exists()


EVENTS = [
    Event(step=0, metrics={"loss": 1.5}, params={"sgd": {"lr": 0.5}}, images={"a.png": "aa"}),
    Event(step=1, metrics={"loss": 1.25}, plots={"curve": [{"x": 1}]}),
]
SEEN = Seen(1, "run", Judgement("completed", ""), Missing(0, {}), 1, {}, {"params.yaml": {"sgd": {"lr": 0.5}}})
ARRIVED = Arrived(
    seen=SEEN,
    points=[("loss", 0, 1.5), ("loss", 1, 1.25)],
    pictures=[("a.png", 0, "aa")],
    plots={"curve": [{"x": 1}]},
)
ACCOUNT = Account(name="run", emitted=Emitted(accepted=EVENTS), books=Books(accepted=4, delivered=4), arrived=ARRIVED)


def test_a_ledger_that_does_not_balance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_ledger([ACCOUNT, ACCOUNT], Requests(9, 1))
    assert "emitted = delivered, duplicates 0, lost 0" in capsys.readouterr().out
    for wrong, told in (
        (replace(ARRIVED, points=ARRIVED.points[:1]), {"lost": 1}),
        (replace(ARRIVED, points=[*ARRIVED.points, ("loss", 1, 1.25)]), {"duplicates": 1}),
        (replace(ARRIVED, points=[("loss", 0, 1.5), ("loss", 1, 1.26)]), {"lost": 1, "duplicates": 1}),
        (replace(ARRIVED, pictures=[("a.png", 0, "ab")]), {"lost": 1, "duplicates": 1}),
        (replace(ARRIVED, plots={"curve": [{"x": 2}]}), {"lost": 1}),
        (replace(ARRIVED, seen=replace(SEEN, params={})), {"lost": 1}),
        (replace(ARRIVED, seen=replace(SEEN, delivery=Missing(2, {"quota": 3}))), {"gaps": 5}),
        (replace(ARRIVED, seen=replace(SEEN, status=Judgement("failed", ""))), {"status": "failed"}),
        (Arrived(), {"lost": 5, "status": "unknown"}),
    ):
        finding = compare(replace(ACCOUNT, arrived=wrong))
        assert {name: getattr(finding, name) for name in told} == told
        assert not finding.is_right
        assert not print_ledger([ACCOUNT, replace(ACCOUNT, arrived=wrong)], Requests(9, 0))
        assert "SOMETHING IS WRONG" in capsys.readouterr().out
    for emitted, books in (
        (ACCOUNT.emitted, Books(accepted=4, delivered=3, queued=1)),
        (ACCOUNT.emitted, Books(accepted=4, delivered=3, dead=1)),
        (ACCOUNT.emitted, Books(accepted=5, delivered=5)),
        (replace(ACCOUNT.emitted, refused=1), ACCOUNT.books),
    ):
        assert not compare(replace(ACCOUNT, emitted=emitted, books=books)).is_right


def test_of_a_killed_run_the_event_in_flight_may_be_there_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    flying = Emitted(accepted=EVENTS[:1], in_flight=EVENTS[1])
    failed = replace(ARRIVED, seen=replace(SEEN, status=Judgement("failed", "")))
    without = replace(failed, points=ARRIVED.points[:1], plots={})
    killed = Account(name="run", was_killed=True, emitted=flying, books=Books(accepted=3, delivered=3), arrived=failed)
    assert print_ledger([killed], Requests(9, 0))
    assert "killed after 1 epoch whose emit() had returned; one more was in flight, and got" in capsys.readouterr().out
    on_disk = Books(accepted=2, delivered=2)
    assert compare(replace(killed, books=on_disk, arrived=without)).is_right
    assert compare(replace(killed, arrived=without)).lost == 2  # it was safe, so it has to be there
    assert compare(replace(killed, books=on_disk)).duplicates == 1  # it was not, so where does it come from
    assert not compare(replace(killed, arrived=ARRIVED)).is_right  # a killed run is not complete


def test_the_users_own_settings_have_no_part_in_it(cli: Cli) -> None:
    ran = play_once(
        cli,
        DVC_STUDIO_OFFLINE="1",
        DVC_STUDIO_URL="http://127.0.0.1:9",
        LIVESTREAM_DAEMON="off",
        RANK="1",
        HTTP_PROXY="http://127.0.0.1:9",
    )
    assert ran.code == 0, ran.out + ran.err


def test_ctrl_c_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "t"
    place.mkdir()
    process = cli.start("demo", TMPDIR=str(place))
    assert process.stdout is not None
    eventually(lambda: "delivered" in process.stdout.readline(), "it is under way")  # type: ignore[union-attr]
    eventually(lambda: bool(list(place.glob("*/spool/daemon.json"))), "its daemon runs")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode != 0
    assert not alive(process.pid)
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def test_killed_it_leaves_no_process_running(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "t"
    place.mkdir()
    process = cli.start("demo", TMPDIR=str(place))

    def all_run() -> bool:
        words = "\n".join(processes_of(place))
        return all(one in words for one in ("livestream\0studio", "livestream\0daemon", "livestream.demo.training"))

    eventually(all_run, "its Studio, its daemon and its trainings run", 60.0)
    eventually(lambda: bool(list(place.glob("*/spool/daemon.db"))), "its daemon is at work")
    process.kill()
    process.communicate()
    eventually(lambda: processes_of(place) == [], "all of them have ended", 60.0)


def sign_in(link: str) -> int:
    """Follow a sign-in link; give the answer's status."""
    parts = urlsplit(link)
    with closing(HTTPConnection(parts.netloc)) as browser:
        browser.request("GET", f"{parts.path}?{parts.query}")
        return browser.getresponse().status


def test_on_a_terminal_one_display_is_redrawn_and_the_page_opens(cli: Cli, tmp_path: Path) -> None:
    opened = tmp_path / "opened.html"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o700)
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "livestream", "demo"],
        env=cli.environ | {"TERM": "xterm", "DISPLAY": ":99", "BROWSER": f"{browser} %s"},
        cwd=cli.work,
        stdout=slave,
        stderr=slave,
        stdin=slave,
    ) as process:
        os.close(slave)
        text = b""
        while b"watch it here" not in text or b"the Studio says" not in text.partition(b"watch it here")[2]:
            text += os.read(master, 65536)
        assert b"\x1b[" in text
        printed = re.search(r"watch it here: (http://127\.0\.0\.1:\S+)", text.decode())
        assert printed is not None, text
        assert sign_in(printed[1]) == 303
        eventually(opened.exists, "the browser was started")
        led = re.search(r"url=(http://127\.0\.0\.1:\S+?)\"", opened.read_text())
        assert led is not None
        assert led[1] != printed[1]  # each works once
        assert sign_in(led[1]) == 303
        process.send_signal(signal.SIGINT)
        while True:
            try:
                if not os.read(master, 65536):
                    break
            except OSError:
                break
    os.close(master)


def test_a_browser_is_opened_only_where_it_can_be_seen() -> None:
    assert has_display({"DISPLAY": ":0"})
    assert has_display({"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_display({"DISPLAY": "", "TERM": "xterm"})


STAY = """
import sys
from pathlib import Path
from livestream.cli.demo import wait_for_enter
from livestream.cli.demo_studio import DemoStudio
wait_for_enter(DemoStudio(Path(sys.argv[1])))
print("over")
"""


@pytest.mark.parametrize("does", ["presses Enter", "presses Ctrl-C"])
def test_the_studio_stays_until_somebody_has_looked(cli: Cli, tmp_path: Path, does: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STAY, str(tmp_path)],
        env=cli.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    assert "stays up until you press Enter: " in process.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    if does == "presses Ctrl-C":
        process.send_signal(signal.SIGINT)
    out, _ = process.communicate("\n" if does == "presses Enter" else None, timeout=20)
    assert out == "over\n"
    assert process.returncode == 0

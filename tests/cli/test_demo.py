from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cli_cases import Cli, alive, eventually
from msgspec.structs import replace

from livestream.cli.demo_ledger import Arrived, print_ledger
from livestream.cli.demo_studio import Judgement, Missing, Seen
from livestream.demo.iris import CREDIT, FEATURES, SPECIES, flowers, split, standardised
from livestream.demo.network import Network
from livestream.demo.training import Emitted
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


def test_it_ends_with_a_ledger_that_balances_and_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "t"
    place.mkdir()
    ran = cli("demo", "--once", TMPDIR=str(place))
    assert ran.code == 0, ran.out + ran.err
    for expected in (
        "the network breaks",
        "the network is back",
        "600  in the Studio, of 600 in 5 series",
        "6  of 6, compared by their SHA-256",
        "4  of 4; plots 1 of 1",
        "0  the Studio calls the run completed",
        "emitted = delivered, duplicates 0, lost 0",
    ):
        assert expected in ran.out
    waited = re.search(r"the network is back; ([\d,]+) events? waited", ran.out)
    assert waited is not None
    assert int(waited[1]) > 10
    assert "\x1b" not in ran.out
    assert list(place.iterdir()) == []
    assert processes_of(place) == []
    assert not cli.spool.exists()
    assert "sign-in" not in ran.out
    assert not (cli.spool.parent / "config").exists()


def test_a_ledger_that_does_not_balance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    books = Books(accepted=4, delivered=4)
    seen = Seen(1, Judgement("completed", ""), Missing(0, {}), 1, {}, {"params.yaml": {"lr": 0.5}})
    emitted = Emitted(accepted=2, points={"loss": [(0, 1.5), (1, 1.25)]}, pictures=[(0, "aa")], params={"lr": 0.5})
    whole = Arrived(seen=seen, points=[("loss", 0, 1.5), ("loss", 1, 1.25)], pictures=[(0, "aa")])
    assert print_ledger(emitted, books, whole)
    assert "emitted = delivered, duplicates 0, lost 0" in capsys.readouterr().out
    for wrong, expected in (
        (replace(whole, points=whole.points[:1]), "lost             1"),
        (replace(whole, points=[*whole.points, ("loss", 1, 1.25)]), "duplicates       1"),
        (replace(whole, points=[("loss", 0, 1.5), ("loss", 1, 1.26)]), "lost             1"),
        (replace(whole, pictures=[(0, "ab")]), "lost             1"),
        (replace(whole, seen=replace(seen, params={})), "lost             1"),
        (replace(whole, seen=replace(seen, delivery=Missing(2, {"quota": 3}))), "gaps             5"),
        (replace(whole, seen=replace(seen, status=Judgement("failed", ""))), "calls the run failed"),
        (Arrived(), "unknown to the Studio"),
    ):
        assert not print_ledger(emitted, books, wrong)
        said = capsys.readouterr().out
        assert expected in said
        assert "SOMETHING IS WRONG" in said


def test_the_users_own_settings_have_no_part_in_it(cli: Cli) -> None:
    ran = cli(
        "demo",
        "--once",
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


def test_killed_it_leaves_no_studio_running(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "t"
    place.mkdir()
    process = cli.start("demo", TMPDIR=str(place))
    eventually(lambda: any("studio" in words for words in processes_of(place)), "its Studio runs")
    process.kill()
    process.communicate()
    eventually(lambda: processes_of(place) == [], "its Studio has ended")


def test_on_a_terminal_one_display_is_redrawn(cli: Cli) -> None:
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "livestream", "demo"],
        env=cli.environ | {"TERM": "xterm"},
        cwd=cli.work,
        stdout=slave,
        stderr=slave,
        stdin=slave,
    ) as process:
        os.close(slave)
        text = b""
        while b"emitted" not in text or b"\x1b[" not in text:
            text += os.read(master, 65536)
        link = re.search(rb"look at it while it lasts: http://(127.0.0.1:[0-9]+)(/sign-in\?code=\S+)", text)
        assert link is not None, text
        browser = HTTPConnection(link[1].decode())
        browser.request("GET", link[2].decode())
        assert browser.getresponse().status == 303
        browser.close()
        process.send_signal(signal.SIGINT)
        while True:
            try:
                if not os.read(master, 65536):
                    break
            except OSError:
                break
    os.close(master)


def test_the_data_are_fishers_150_flowers() -> None:
    every = flowers()
    assert [sum(flower.species == species for flower in every) for species in range(len(SPECIES))] == [50, 50, 50]
    columns = list(zip(*(flower.lengths_cm for flower in every), strict=True))
    means = [round(sum(column) / len(column), 3) for column in columns]
    assert means == [5.843, 3.054, 3.759, 1.199]  # iris.names: 5.84, 3.05, 3.76, 1.20
    assert [(min(column), max(column)) for column in columns] == [(4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5)]
    assert "CC BY 4.0" in CREDIT


def test_the_gradient_is_the_losss_own_slope() -> None:
    train, _ = split(flowers())
    inputs, species = standardised(train, train), [flower.species for flower in train]
    network = Network(len(FEATURES), 3, len(SPECIES), seed=1)
    before = network.score(inputs, species).loss
    rate = 1e-4
    slope = network.descend(inputs, species, rate, 0.0)
    fallen = before - network.score(inputs, species).loss
    assert fallen == pytest.approx(rate * slope * slope, rel=1e-2)


def test_training_learns() -> None:
    train, test = split(flowers())
    inputs, species = standardised(train, train), [flower.species for flower in train]
    network = Network(len(FEATURES), 8, len(SPECIES), seed=1936)
    for _ in range(60):
        network.descend(inputs, species, 0.1, 0.9)
    score = network.score(standardised(train, test), [flower.species for flower in test])
    assert len(test) == 30
    assert score.accuracy > 0.9
    assert network.picture().startswith(b"\x89PNG")

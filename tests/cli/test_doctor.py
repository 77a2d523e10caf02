from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path

import pytest
from cli_cases import Cli, eventually

from livestream.cli import exits
from livestream.cli.checks import Check, version_checks
from livestream.events import JsonObject
from livestream.spool.launch import ask_daemon
from livestream.testing import Answer, FakeStudio


def checks(cli: Cli, *words: str, **more: str) -> dict[str, JsonObject]:
    return {check["name"]: check for check in cli("doctor", "--json", *words, **more).json["checks"]}


def test_all_is_in_place(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    cli.record("one")
    ran = cli("doctor", "--json")
    assert ran.code == exits.OK, ran.out
    assert ran.json["ok"] is True
    verdicts = {check["name"]: check["verdict"] for check in ran.json["checks"]}
    wanted = ["token", "url", "reachable", "studio", "clock", "filesystem", "spool", "locks", "disk", "quota", "daemon"]
    assert {name: verdicts[name] for name in wanted} == dict.fromkeys(wanted, "ok")
    assert {"livestream", "python", "sqlite"} <= verdicts.keys()


def test_every_line_that_is_not_ok_says_what_to_do(cli: Cli) -> None:
    for check in checks(cli, "--offline").values():
        assert check["verdict"] == "ok" or check["advice"], check


def test_no_token_is_a_failure_with_advice(cli: Cli, studio: FakeStudio) -> None:
    ran = cli("doctor", DVC_STUDIO_URL=studio.url)
    assert ran.code == exits.TROUBLE
    assert "DVC_STUDIO_TOKEN" in ran.out
    assert "reachable" in ran.out


def test_the_token_is_never_shown(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    token = cli.environ["DVC_STUDIO_TOKEN"]
    for words in (["doctor"], ["doctor", "--json"]):
        ran = cli(*words, HTTPS_PROXY="http://user:password@proxy:1", DVC_STUDIO_REPO_URL="https://u:hidden@host/r.git")
        assert token not in ran.out + ran.err
        assert "password" not in ran.out
        assert "hidden" not in ran.out
        assert "DVC_STUDIO_TOKEN" in ran.out


def test_it_says_where_the_token_comes_from(cli: Cli, studio: FakeStudio) -> None:
    dvc = cli.work / ".dvc"
    dvc.mkdir()
    (dvc / "config.local").write_text(f"[studio]\n    token = isat_from_config\n    url = {studio.url}\n")
    found = checks(cli)
    assert "DVC's config" in found["token"]["fact"]
    assert found["studio"]["verdict"] == "fail"  # and it is a wrong one
    assert "401" in found["studio"]["fact"]


def test_an_unreachable_studio_is_a_failure(cli: Cli) -> None:
    found = checks(cli, DVC_STUDIO_URL="http://127.0.0.1:9", DVC_STUDIO_TOKEN="isat_some_token")
    assert found["reachable"]["verdict"] == "fail"
    assert "refused" in found["reachable"]["fact"]
    assert "studio" not in found


def test_a_url_that_cannot_be_used_is_a_failure(cli: Cli) -> None:
    assert checks(cli, DVC_STUDIO_URL="studio.example", DVC_STUDIO_TOKEN="isat_some_token")["url"]["verdict"] == "fail"


@pytest.mark.parametrize(("ahead_s", "verdict"), [(-600, "warn"), (7200, "fail"), (3, "ok")])
def test_a_clock_that_is_off_is_noticed(cli: Cli, studio: FakeStudio, ahead_s: int, verdict: str) -> None:
    cli.goes_to(studio)
    studio.script_capabilities(Answer(status=401, headers={"Date": formatdate(time.time() + ahead_s, usegmt=True)}))
    found = checks(cli)["clock"]
    assert found["verdict"] == verdict
    assert ("ahead of" in found["fact"]) is (ahead_s < 0)


def test_offline_asks_no_server(cli: Cli, studio: FakeStudio) -> None:
    cli.goes_to(studio)
    assert "reachable" not in checks(cli, "--offline")
    assert studio.ledger.others == ()


def test_nonsense_in_a_variable_is_a_failure(cli: Cli) -> None:
    found = checks(cli, "--offline", LIVESTREAM_DAEMON="perhaps")
    assert found["settings"]["verdict"] == "fail"
    assert "LIVESTREAM_DAEMON" in found["settings"]["fact"]


def test_a_spool_that_others_can_enter_is_a_warning(cli: Cli) -> None:
    cli.record("one")
    cli.spool.chmod(0o755)
    found = checks(cli, "--offline")["spool"]
    assert found["verdict"] == "warn"
    assert "chmod 700" in found["advice"]


def test_shared_mode_is_told_with_its_reason(cli: Cli) -> None:
    assert (
        "LIVESTREAM_SPOOL_MODE=shared" in checks(cli, "--offline", LIVESTREAM_SPOOL_MODE="shared")["filesystem"]["fact"]
    )


def test_a_full_quota_is_a_warning_or_a_failure(cli: Cli) -> None:
    cli.record("one", image_bytes=100_000)
    assert checks(cli, "--offline", LIVESTREAM_QUOTA_BYTES="1")["quota"]["verdict"] == "fail"


def test_a_hold_and_dead_letters_are_told(cli: Cli) -> None:
    cli.record("one", DVC_STUDIO_URL="http://127.0.0.1:9")
    cli("sync")
    assert "no token" in checks(cli, "--offline")["held"]["fact"]


def test_a_running_daemon_is_told(cli: Cli) -> None:
    daemon = cli.start("daemon")
    eventually(lambda: ask_daemon(cli.spool, {"op": "ping"}) is not None, "it answers")
    found = checks(cli, "--offline")["daemon"]
    assert found["verdict"] == "ok"
    assert f"pid {daemon.pid}" in found["fact"]


def test_the_wal_reset_bug_is_explained_where_sqlite_is_in_its_range() -> None:
    (found,) = [check for check in version_checks() if check.name == "sqlite"]
    assert isinstance(found, Check)
    assert found.verdict == "ok"
    assert ("3.7.0-3.51.2" in found.fact) is (found.fact < "3.51.3")


def test_nothing_is_left_in_the_spools_folder(cli: Cli, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    cli("doctor", "--offline")
    assert sorted(tmp_path.iterdir()) == before

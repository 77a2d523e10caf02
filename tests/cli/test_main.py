from __future__ import annotations

import re
import subprocess
import sys

import pytest
from cli_cases import ROOT, Cli

from livestream import __version__
from livestream.cli import exits

COMMANDS = ["daemon", "sync", "status", "queue", "studio", "token", "doctor", "demo"]
NOUNS = {
    "queue": ["ls", "show", "verify", "export", "retry", "drop", "gc"],
    "studio": ["backup", "link"],
    "token": ["create", "list", "regenerate", "delete", "revoke"],
}


def test_help_names_every_command_and_every_exit_code(cli: Cli) -> None:
    ran = cli("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", ran.out, re.MULTILINE)
    for code, _ in exits.MEANINGS:
        assert re.search(rf"^  {code} ", ran.out, re.MULTILINE)


@pytest.mark.parametrize(
    "words",
    [[command] for command in COMMANDS] + [[group, noun] for group, nouns in NOUNS.items() for noun in nouns],
    ids=" ".join,
)
def test_each_command_teaches_itself_with_an_example(cli: Cli, words: list[str]) -> None:
    ran = cli(*words, "--help")
    assert ran.code == 0
    assert re.search(rf"Examples?:\n +livestream {' '.join(words)}", ran.out), ran.out


def test_exit_codes_are_told_apart() -> None:
    codes = [code for code, _ in exits.MEANINGS]
    assert len(set(codes)) == len(codes)
    assert set(codes) - {exits.USAGE} == set(exits.WORST_FIRST)


def test_the_version_is_printed(cli: Cli) -> None:
    assert __version__ in cli("--version").out


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    assert cli("fly").code == exits.USAGE


def test_nonsense_in_a_variable_is_a_usage_error_that_names_it_and_not_its_value(cli: Cli) -> None:
    ran = cli("daemon", "--once", LIVESTREAM_RETENTION_S="hunter2hunter2")
    assert ran.code == exits.USAGE
    assert "LIVESTREAM_RETENTION_S" in ran.err
    assert "hunter2" not in ran.err


def test_help_imports_no_command(python: str) -> None:
    script = (
        "import sys; from livestream.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([python, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "livestream.cli" in modules
    assert not modules & {"aiohttp", "rich", "asyncio", "sqlite3"}


def test_the_daemon_draws_nothing_and_so_imports_no_rich() -> None:
    script = "import sys, livestream.cli.daemon; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "rich" not in done.stdout.split()


def test_a_file_that_cannot_be_read_is_named_in_one_line(cli: Cli, tmp_path: object) -> None:
    ran = cli("queue", "export", "-o", "/nowhere/at/all")
    assert ran.code == exits.NO_SPOOL
    cli.record("one")
    ran = cli("queue", "export", "-o", "/nowhere/at/all")
    assert ran.code == exits.TROUBLE
    assert "/nowhere/at/all" in ran.err

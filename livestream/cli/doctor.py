"""``livestream doctor``: check that everything delivery needs is in place, and say what to do where it is not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import click
import msgspec

from livestream import config
from livestream.cli.checks import (
    Check,
    daemon_checks,
    environment_checks,
    network_checks,
    settings_checks,
    spool_checks,
    studio_checks,
    version_checks,
)
from livestream.cli.exits import OK, TROUBLE
from livestream.cli.output import counted, print_json
from livestream.cli.spools import chosen, json_option, spool_option

_HELP = """Check that everything delivery needs is in place.

Settings are read as a training in the current folder would read them. Each line is ok, warn or fail, with what to
do next. Exit code 1 where something fails. No token is shown, so the output can go into a bug report.

\b
Examples:
    livestream doctor
    livestream doctor --json | jq '.checks[] | select(.verdict != "ok")'
"""

_MARKS: Final = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command(help=_HELP)
@spool_option
@click.option("--offline", is_flag=True, help="Ask no server.")
@json_option
def doctor(spool: Path | None, *, offline: bool, as_json: bool) -> None:
    """Check that everything delivery needs is in place."""
    checks = _all_checks(spool, offline=offline)
    variables = list(environment_checks(os.environ))
    failed = [check for check in checks if check.verdict == "fail"]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "checks": msgspec.to_builtins(checks),
                "environment": {check.name: check.fact for check in variables},
            }
        )
    else:
        _show(checks, variables)
    raise SystemExit(TROUBLE if failed else OK)


def _all_checks(spool: Path | None, *, offline: bool) -> list[Check]:
    settings, checks = settings_checks(os.environ)
    folder = Path.cwd()
    studio = config.resolve_studio(os.environ, config.read_dvc_config(folder, os.environ))
    local, problem = config.read_local_studio(os.environ)
    if problem is not None:
        checks.append(Check("local studio", "warn", problem))
    studio = config.with_local_studio(studio, local)
    checks += studio_checks(studio)
    if not offline:
        checks += asyncio.run(network_checks(studio, os.environ))
    if settings is not None:
        path = chosen(spool)
        checks += [*spool_checks(path, settings), *daemon_checks(path)]
    return [*checks, *version_checks()]


def _show(checks: list[Check], variables: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark, colour = _MARKS[check.verdict]
        click.echo(f"{click.style(mark, fg=colour)}  {check.name:<{width}}  {check.fact}")
        if check.advice:
            click.echo(f"{'':<{width + 8}}-> {check.advice}")
    if variables:
        click.echo("\nVariables in force:")
        for variable in variables:
            click.echo(f"  {variable.name}={variable.fact}")
    failed = sum(check.verdict == "fail" for check in checks)
    warned = sum(check.verdict == "warn" for check in checks)
    if failed or warned:
        click.echo(f"\n{counted(failed, 'failure')}, {counted(warned, 'warning')}.")
    else:
        click.echo("\nAll is in place.")

"""``livestream daemon``: deliver what trainings record, as it comes; also its systemd unit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from livestream import config
from livestream.cli.exits import BUSY, OK, CommandError
from livestream.cli.logs import log_to_file, log_to_stderr, secrets_of
from livestream.cli.outcome import exit_code, remains
from livestream.cli.spools import chosen, spool_argument
from livestream.daemon.daemon import Daemon, DaemonOptions, Summary
from livestream.errors import SpoolBusyError
from livestream.spool.launch import Handover
from livestream.spool.layout import DAEMON_LOG, private_folder

MAX_HANDOVER_BYTES: Final = 1 << 20

_HELP = """Deliver what trainings record, as it comes.

Trainings start a daemon by themselves where none runs; it ends when there is nothing left to do. Run it by hand, or
from systemd, where it should always be there. SIGTERM and Ctrl-C end it within seconds, and lose nothing.

\b
Examples:
    livestream daemon
    livestream daemon /scratch/spool --once
    livestream daemon --print-systemd-unit > ~/.config/systemd/user/livestream.service
    systemctl --user enable --now livestream

With --once the exit code tells what is left (see `livestream --help`).
"""

_UNIT = """\
# livestream daemon --print-systemd-unit > ~/.config/systemd/user/livestream.service
# systemctl --user enable --now livestream        (loginctl enable-linger: also while you are not logged in)
[Unit]
Description=livestream: deliver what trainings recorded

[Service]
Type=exec
ExecStart={command}
# The Studio's token, as DVC_STUDIO_TOKEN=... (chmod 600); not needed for what DVC config or a training provides.
EnvironmentFile=-%E/livestream/environment
UMask=0077
# Another daemon may serve the spool now; it ends when it is idle, and then this one takes over.
Restart=on-failure
RestartSec=30
TimeoutStopSec=15

[Install]
WantedBy=default.target
"""


@click.command(help=_HELP)
@spool_argument
@click.option("--once", is_flag=True, help="End when nothing more can be delivered now.")
@click.option("--idle-exit", type=click.FloatRange(min=0), metavar="S", help="End after S idle seconds; else never.")
@click.option(
    "--orphan-after",
    type=click.FloatRange(min=1),
    metavar="S",
    help="A writer on another host is dead after S silent seconds; else LIVESTREAM_ORPHAN_AFTER_S, else 300.",
)
@click.option(
    "--retention",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Keep delivered events for S seconds; else LIVESTREAM_RETENTION_S, else not at all.",
)
@click.option("--print-systemd-unit", is_flag=True, help="Print a systemd user unit for this spool, and end.")
@click.option("--started", is_flag=True, hidden=True, help="A training started this: its token comes by stdin.")
def daemon(  # noqa: PLR0913 - one parameter an option
    named: Path | None,
    spool: Path | None,
    *,
    once: bool,
    idle_exit: float | None,
    orphan_after: float | None,
    retention: float | None,
    print_systemd_unit: bool,
    started: bool,
) -> None:
    """Deliver what trainings record, as it comes."""
    path = chosen(named, spool)
    if print_systemd_unit:
        click.echo(_UNIT.format(command=unit_command(path)), nl=False)
        return
    settings = config.read_settings(os.environ)
    options = DaemonOptions(
        idle_exit_s=idle_exit,
        once=once,
        orphan_after_s=settings.orphan_after_s if orphan_after is None else orphan_after,
        retention_s=settings.retention_s if retention is None else retention,
        handover=_read_handover() if started else None,
    )
    _log(path, options.handover, to_file=started)
    try:
        summary = asyncio.run(serve(path, options))
    except SpoolBusyError as error:
        if started:
            raise SystemExit(OK) from error  # another training was quicker: its daemon serves this one, too
        raise CommandError(str(error), BUSY) from error
    raise SystemExit(exit_code(summary, remains(path)) if once else OK)


async def serve(path: Path, options: DaemonOptions) -> Summary:
    """Run a daemon that ends in good order on SIGTERM and SIGINT."""
    server = Daemon(path, options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.request_stop)
    return await server.run()


def _log(path: Path, handover: Handover | None, *, to_file: bool) -> None:
    secrets = secrets_of(os.environ) + ([handover.token] if handover is not None else [])
    if to_file:
        log_to_file(private_folder(path) / DAEMON_LOG, secrets)
    else:
        log_to_stderr(secrets)


def _read_handover() -> Handover | None:
    """Read what the training that started us says, one line; anything else than a token for a URL is no news."""
    line = sys.stdin.buffer.readline(MAX_HANDOVER_BYTES).strip()
    try:
        return msgspec.json.decode(line, type=Handover) if line else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def unit_command(spool: Path) -> str:
    """Write the command that serves a spool as systemd reads it: absolute, quoted, without specifiers."""
    words = [sys.executable, "-m", "livestream", "daemon", str(spool)]
    return " ".join(_unit_word(word) for word in words)


def _unit_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if word and not any(character in word for character in " \t\"'\\;") else f'"{escaped}"'

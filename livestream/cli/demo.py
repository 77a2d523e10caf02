"""``livestream demo``: an outage and a SIGKILL in the middle of real trainings, and a ledger of what became of it."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import click
import msgspec

from livestream.cli.demo_ledger import Account, print_ledger, read_back
from livestream.cli.demo_play import Play, Script
from livestream.cli.demo_stage import Stage
from livestream.cli.demo_studio import DemoStudio
from livestream.cli.demo_view import Display, Lines
from livestream.cli.exits import OK, TROUBLE
from livestream.cli.survey import survey
from livestream.demo.iris import CREDIT
from livestream.demo.training import Plan
from livestream.spool.rows import Books

_HELP = f"""See an outage and a SIGKILL that lose nothing, on your own machine.

It starts `livestream studio` on 127.0.0.1, a daemon, and three trainings (gradient descent on Fisher's irises, in plain
Python), opens the Studio's page in your browser, breaks the network in the middle and mends it, kills one training,
and compares what each emitted with what the Studio has. It takes about 30 s, uses nothing of yours, and leaves nothing
behind: the Studio stays up until you press Enter, then all of it is removed.

\b
Examples:
    livestream demo
    livestream demo --no-open     print the link to the page, open no browser
    livestream demo --once        short, in plain lines, ends by itself: for CI

Exit code 0 only if everything arrived, once.

{CREDIT}.
"""

SMALL: Final = Plan(
    name="iris-small",
    message="3 hidden units, learning rate 0.03: slow and sure",
    learning_rate=0.03,
    hidden_units=3,
    epochs=560,
    epoch_s=0.05,
)
STEADY: Final = Plan(
    name="iris-steady",
    message="8 hidden units, learning rate 0.1: about right",
    learning_rate=0.1,
    hidden_units=8,
    epochs=560,
    epoch_s=0.05,
)
HASTY: Final = Plan(
    name="iris-hasty",
    message="12 hidden units, learning rate 0.5: learns by heart",
    learning_rate=0.5,
    hidden_units=12,
    epochs=100_000,  # it is to be killed, and must not end before
    epoch_s=0.05,
)

PLANS: Final = (SMALL, STEADY, HASTY)
LONG: Final = Script(doomed=HASTY.name, break_at=120, outage_s=6.0, kill_at=400)

SHORT_PLANS: Final = (
    msgspec.structs.replace(SMALL, epochs=160),
    msgspec.structs.replace(STEADY, epochs=160),
    HASTY,
)
SHORT: Final = Script(doomed=HASTY.name, break_at=30, outage_s=3.0, kill_at=110)


@click.command(help=_HELP)
@click.option("--once", is_flag=True, help="A short pass in plain lines, which ends by itself.")
@click.option(
    "--open/--no-open",
    "do_open",
    default=None,
    help="Open the page in a browser; else only where there is a terminal and a display.",
)
def demo(*, once: bool, do_open: bool | None) -> None:
    """See an outage and a SIGKILL that lose nothing, on your own machine."""
    is_watched = sys.stdout.isatty() and not once
    if do_open is None:
        do_open = is_watched and has_display(os.environ)
    view = Display() if is_watched else Lines()
    script, plans = (SHORT, SHORT_PLANS) if once else (LONG, PLANS)

    try:
        with Stage(plans) as stage:
            play = Play(stage, script, view)

            def invite() -> None:
                if is_watched:
                    play.say(f"watch it here: {stage.studio.new_link()}")
                if do_open:
                    open_page(stage.studio)

            play.run(on_data=invite)
            view.close()
            is_right = print_ledger(_accounts(stage, script), stage.studio.requests())
            if is_watched and sys.stdin.isatty():
                wait_for_enter(stage.studio)
    finally:
        view.close()
    raise SystemExit(OK if is_right else TROUBLE)


def _accounts(stage: Stage, script: Script) -> list[Account]:
    books = {one.experiment.name: one.books for one in survey(stage.spool).experiments}
    return [
        Account(
            name=name,
            was_killed=name == script.doomed,
            emitted=stage.what_was_emitted(name),
            books=books.get(name, Books()),
            arrived=read_back(stage.studio, name),
        )
        for name in stage.plans
    ]


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a browser would have somewhere to show itself."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_page(studio: DemoStudio) -> None:
    """Open the Studio's page in a browser, signed in; the link that was printed does the same where that fails."""
    page = studio.new_link_page().as_uri()

    def browse() -> None:
        with suppress(Exception):
            webbrowser.open(page)

    threading.Thread(target=browse, name="browser", daemon=True).start()  # some browsers return when they are closed


def wait_for_enter(studio: DemoStudio) -> None:
    """Leave time to look at the page."""
    click.echo(f"\nThe Studio stays up until you press Enter: {studio.new_link()}")
    with suppress(KeyboardInterrupt):
        sys.stdin.readline()

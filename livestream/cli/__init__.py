"""The ``livestream`` command: one module a noun, each imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from livestream._version import __version__
from livestream.cli.exits import BUSY, MEANINGS, TROUBLE, CommandError
from livestream.errors import ConfigError, LivestreamError, SpoolBusyError
from livestream.events import Json

_COMMANDS = {
    "daemon": "Deliver what trainings record, as it comes.",
    "sync": "Deliver everything now, in the foreground.",
    "status": "Show how far each experiment's delivery is.",
    "queue": "Look into the spool, verify it, clean it up.",
    "studio": "Run your own Studio: what trainings send is kept, judged and shown.",
    "token": "Make and revoke the tokens of your Studio.",
    "doctor": "Check that everything delivery needs is in place.",
    "demo": "See an outage that loses nothing, on your own machine.",
}
"""Names and first words of the commands, so that ``--help`` need not import them all."""


class _Commands(click.Group):
    """A group whose commands are modules of this package; livestream's errors become messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order in which people meet them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"livestream.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Add the table of exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS])

    def invoke(self, ctx: click.Context) -> Json:
        """Run a command; what livestream raises is said in one line."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.UsageError(str(error)) from error
        except SpoolBusyError as error:
            raise CommandError(str(error), BUSY) from error
        except LivestreamError as error:
            raise CommandError(str(error), TROUBLE) from error
        except OSError as error:
            if error.filename is None:  # a closed pipe is click's to deal with
                raise
            raise CommandError(f"{error.filename}: {error.strerror}", TROUBLE) from error


_HELP = """Carry what a training measures to a Studio, live, and lose none of it.

\b
Record in your training:
    run = livestream.init("my-experiment")
    run.emit({"train/loss": 0.4}, step=10)
Then ask how it is going:
    livestream status
"""


@click.group(
    cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="livestream")
def main() -> None:
    """Run a command (see ``_HELP``)."""

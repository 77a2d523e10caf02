"""``livestream studio``: the open, self-hosted Studio; also its backup, and links to sign in to it."""

from __future__ import annotations

import asyncio
import os
import webbrowser
from contextlib import closing
from pathlib import Path

import click

from livestream.cli.exits import BUSY, TROUBLE, CommandError
from livestream.cli.logs import log_to_stderr, secrets_of
from livestream.cli.output import counted, human_bytes, tell
from livestream.cli.studios import data_folder, data_option, sign_in_page
from livestream.studio.auth.keeper import Keeper, sign_in_link
from livestream.studio.backup import back_up
from livestream.studio.clock import now_us
from livestream.studio.server import Studio, StudioBusyError, read_state, serve
from livestream.studio.settings import DEFAULT_PORT, StudioSettings, adjust
from livestream.studio.store.sqlite.database import NAME as STUDIO_DATABASE

_HELP = f"""Run a Studio: what trainings send is kept, judged and shown. One process, one folder, no other service.

It listens on 127.0.0.1:{DEFAULT_PORT} and prints a link that signs your browser in. Trainings of yours on this machine
find it by themselves; others, and stock DVC and DVCLive, are told by DVC_STUDIO_URL and DVC_STUDIO_TOKEN. SIGTERM and
Ctrl-C end it within seconds; what it answered with 200 is on disk whatever happens to it.

\b
Examples:
    livestream studio
    livestream studio --data /srv/studio --port 9000 --repo ~/project
    livestream studio --host 0.0.0.0 --public-url https://studio.example.com
    livestream studio backup /backup/studio-monday
"""

_BACKUP_HELP = """Copy everything that a Studio holds to a new folder, while it runs or not.

The copy is whole: `livestream studio --data COPY` serves it. Images are hard links where the file system has them.
Clones of attached repositories are not in it; they are fetched anew.

\b
Example:
    livestream studio backup /backup/studio-monday
"""

_LINK_HELP = """Print a new link that signs one browser in to a Studio that runs, good for a day.

\b
Example:
    livestream studio link --data /srv/studio
"""


@click.group(help=_HELP, invoke_without_command=True)
@data_option
@click.option("--host", default="127.0.0.1", metavar="HOST", help="Where to listen; 127.0.0.1 unless told otherwise.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    metavar="PORT",
    help=f"Else {DEFAULT_PORT}; 0: any that is free.",
)
@click.option(
    "--repo",
    "repositories",
    multiple=True,
    metavar="PATH_OR_URL",
    help="Attach a Git repository, so that experiments stand under their commits; may be given several times.",
)
@click.option(
    "--public-url", metavar="URL", help="How browsers reach it behind a proxy, with the path if there is one."
)
@click.option(
    "--set",
    "adjustments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a bound of the statuses or a limit, for example silent_s=90; docs/studio.md lists them all.",
)
@click.option("--no-announce", is_flag=True, help="Do not tell this user's trainings where it is.")
@click.option("--open", "do_open", is_flag=True, help="Open the browser, signed in.")
@click.pass_context
def studio(  # noqa: PLR0913 - one parameter an option
    context: click.Context,
    data: Path | None,
    host: str,
    port: int,
    repositories: tuple[str, ...],
    public_url: str | None,
    adjustments: tuple[str, ...],
    *,
    no_announce: bool,
    do_open: bool,
) -> None:
    """Run a Studio."""
    context.obj = data
    if context.invoked_subcommand is not None:
        return
    settings = StudioSettings(
        data=data_folder(data),
        host=host,
        port=port,
        public_url=_checked_url(public_url),
        repositories=repositories,
    )
    settings = adjust(settings, adjustments)
    log_to_stderr(secrets_of(os.environ))

    def ready(running: Studio) -> None:
        link = running.new_sign_in_link()
        _greet(running, link)
        if do_open:
            webbrowser.open(sign_in_page(settings.data, link).as_uri())

    try:
        asyncio.run(serve(settings, os.environ, ready, announce=not no_announce))
    except StudioBusyError as error:
        raise CommandError(str(error), BUSY) from error


@studio.command(help=_BACKUP_HELP)
@click.argument("target", type=click.Path(path_type=Path), metavar="DIR")
@data_option
@click.pass_obj
def backup(outer: Path | None, target: Path, data: Path | None) -> None:
    """Copy everything that a Studio holds to a new folder."""
    made = back_up(data_folder(data or outer), target.absolute())
    tell(
        f"{made.target}: databases {human_bytes(made.database_bytes)}, {counted(made.blobs, 'image')}"
        f" ({made.linked:,} linked), {counted(made.logged_bodies, 'update')} not yet applied"
    )


@studio.command(help=_LINK_HELP)
@data_option
@click.pass_obj
def link(outer: Path | None, data: Path | None) -> None:
    """Print a new link that signs one browser in."""
    folder = data_folder(data or outer)
    state = read_state(folder)
    if state is None or not (folder / STUDIO_DATABASE).is_file():
        raise CommandError(f"no Studio serves {folder}: start one by `livestream studio`", TROUBLE)
    with closing(Keeper(folder, now_us)) as keeper:
        click.echo(sign_in_link(state.page_url, keeper.new_sign_in_code()))


def _greet(running: Studio, link: str) -> None:
    """Say all that is needed to begin; the token and the link are shown here and never again."""
    lines = [
        f"livestream studio listens on {running.url}, data in {running.services.settings.data}",
        f"  sign in       {link}   (once, within a day; `livestream studio link` makes another)",
    ]
    if running.first_token is not None:
        lines += [
            f"  ingest token  {running.first_token}   (shown this once; `livestream token create` makes others)",
            f"  elsewhere     export DVC_STUDIO_URL={running.page_url} DVC_STUDIO_TOKEN=<ingest token>",
        ]
    if running.announced is not None:
        lines.append(f"  trainings     of yours on this machine find it by {running.announced}")
    click.echo("\n".join([*lines, "Ctrl-C ends it; what it has is on disk"]))


def _checked_url(url: str | None) -> str | None:
    if url is None or (url.startswith(("http://", "https://")) and not set(url) & set(" ?#@")):
        return url
    raise click.UsageError("--public-url: accepted: http(s)://host[:port][/path], without a user, query or fragment")

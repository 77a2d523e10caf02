"""``livestream token``: make, list, renew and revoke the tokens of a Studio, while it runs or not.

The commands change the Studio's own file; a running one sees it at its next request. A secret goes to standard output
and nowhere else, so that ``TOKEN=$(livestream token create ...)`` is all that a script needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from livestream.cli.exits import CommandError
from livestream.cli.output import counted, human_moment, human_s, print_json, tell
from livestream.cli.spools import json_option
from livestream.cli.studios import data_folder, data_option
from livestream.cli.tables import print_table
from livestream.events import JsonObject
from livestream.files import private_folder
from livestream.studio.auth.base import SCOPES, Token
from livestream.studio.auth.errors import TokenFieldError
from livestream.studio.auth.keeper import Keeper, sign_in_link
from livestream.studio.clock import now_us
from livestream.studio.settings import DEFAULT_PORT

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_HELP = """Make and revoke the tokens of your Studio.

A Studio keeps of a token its hash only: the secret is printed once, when it is made.

\b
Examples:
    livestream token create cluster-a
    livestream token create dashboards --scope read --expires 90d
    livestream token list
"""


def _span_s(value: str) -> float:
    """Read a length of time such as ``90m``, ``12h``, ``30d`` or ``2w``, or seconds."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", value.strip().lower())
    if found is None:
        raise click.BadParameter(f"{value!r} is no time; accepted: for example 90m, 12h, 30d or 2w")
    return float(int(found[1]) * _UNIT_S[found[2] or "s"])


@click.group(help=_HELP)
def token() -> None:
    """Make and revoke the tokens of your Studio."""


_CREATE_HELP = """Make a token, and print its secret: this once.

\b
Scopes:
    ingest   send experiments, as trainings do
    read     see experiments
    admin    everything, tokens too

\b
Examples:
    livestream token create cluster-a
    export DVC_STUDIO_TOKEN=$(livestream token create ci --expires 30d)
"""


@token.command(help=_CREATE_HELP)
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=("ingest",), show_default=True,
    help="What it may do; give it again for more.",
)  # fmt: skip
@click.option("--project", help="Only this project, by its name or number.")
@click.option(
    "--expires", "expires_s", type=_span_s, metavar="TIME", help="When it ends, such as 12h or 30d; never if not given."
)
@data_option
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    project: str | None,
    expires_s: float | None,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a token."""
    folder = data_folder(data)
    with _opened(folder) as keeper:
        expires_us = now_us() + int(expires_s * 1e6) if expires_s is not None else None
        made, secret = keeper.create(name, scopes, _project(folder, project), expires_us)
    _print_secret(made, secret, as_json=as_json)


_LIST_HELP = """List the tokens, without their secrets.

\b
Example:
    livestream token list --json | jq -r '.tokens[] | select(.last_used == null) | .name'
"""


@token.command(name="list", help=_LIST_HELP)
@data_option
@json_option
def list_tokens(data: Path | None, *, as_json: bool) -> None:
    """List the tokens."""
    with _opened(data_folder(data)) as keeper:
        tokens = keeper.list()
    if as_json:
        print_json({"tokens": [_document(each) for each in tokens]})
    elif tokens:
        print_table(("NAME", "MAY", "SECRET", "PROJECT", "LAST USED", "EXPIRES"), [_row(each) for each in tokens])
    else:
        click.echo("There is no token yet: `livestream token create NAME` makes one.")


_REGENERATE_HELP = """Give a token a new secret, and print it: this once.

The old secret is refused at once, or after --overlap, in which you carry the new one to where it is used.

\b
Example:
    livestream token regenerate cluster-a --overlap 1h
"""


@token.command(help=_REGENERATE_HELP)
@click.argument("name")
@click.option(
    "--overlap",
    "overlap_s",
    type=_span_s,
    default="0",
    metavar="TIME",
    help="How long the old secret lives on, such as 1h.",
)
@data_option
@json_option
def regenerate(name: str, overlap_s: float, data: Path | None, *, as_json: bool) -> None:
    """Give a token a new secret."""
    with _opened(data_folder(data)) as keeper:
        made, secret = keeper.regenerate(name, overlap_s)
    _print_secret(made, secret, as_json=as_json)


_DELETE_HELP = """Delete a token: its next request is refused.

\b
Example:
    livestream token delete cluster-a
"""


@token.command(help=_DELETE_HELP)
@click.argument("name")
@data_option
def delete(name: str, data: Path | None) -> None:
    """Delete a token."""
    with _opened(data_folder(data)) as keeper:
        keeper.delete(name)
    click.echo(f"Deleted {name}.")


_REVOKE_HELP = """End every token and every sign-in at once, and print a new sign-in link.

Trainings keep their data and wait for a new token; a Studio that runs and announces itself gives those of your own on
this machine one within seconds.

\b
Example:
    livestream token revoke --all
"""


@token.command(help=_REVOKE_HELP)
@click.option("--all", "every", is_flag=True, help="Really all; one token is ended by `livestream token delete`.")
@data_option
@json_option
def revoke(data: Path | None, *, every: bool, as_json: bool) -> None:
    """End every token and every sign-in."""
    if not every:
        raise click.UsageError("Give --all: it ends every token and sign-in. One: `livestream token delete NAME`.")
    folder = data_folder(data)
    with _opened(folder) as keeper:
        count = keeper.revoke_all()
        link = sign_in_link(_url(folder), keeper.new_sign_in_code())
    if as_json:
        print_json({"revoked": count, "sign_in_url": link})
        return
    click.echo(f"{counted(count, 'token')} and every sign-in ended. Sign in anew, once, within a day:")
    click.echo(f"    {link}")


# -- inside


class _Running(msgspec.Struct):
    """studio.json in the data folder, as far as it matters here."""

    page_url: str


@contextmanager
def _opened(folder: Path) -> Iterator[Keeper]:
    """Open the keeper; a token can be made before the Studio first starts, as it must be for one on a network."""
    keeper = Keeper(private_folder(folder), now_us)
    try:
        yield keeper
    except TokenFieldError as error:
        raise click.UsageError(str(error)) from error
    finally:
        keeper.close()


def _url(folder: Path) -> str:
    """Give the address that the Studio last served at."""
    try:
        return msgspec.json.decode((folder / "studio.json").read_bytes(), type=_Running).page_url
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return f"http://127.0.0.1:{DEFAULT_PORT}"


def _project(folder: Path, wanted: str | None) -> int | None:
    """Find a project by its number or its name."""
    if wanted is None:
        return None
    from livestream.studio.store.sqlite.reader import SqliteReader  # noqa: PLC0415 - few tokens have one

    if not (folder / "studio.db").exists():
        raise CommandError(f"there is no project yet: no Studio has kept anything in {folder}")
    reader = SqliteReader(folder)
    try:
        projects = reader.projects()
    finally:
        reader.close()
    for project in projects:
        if wanted in {str(project.id), project.name}:
            return project.id
    names = ", ".join(f"{project.name} ({project.id})" for project in projects) or "none"
    raise CommandError(f"there is no project {wanted!r}; there are: {names}")


def _print_secret(made: Token, secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"token": _document(made), "secret": secret})
        return
    tell(f"{made.name} may {' and '.join(made.scopes)}; expires {_expires(made)}. It is not shown again:")
    click.echo(secret)


def _row(each: Token) -> tuple[str, ...]:
    overlap = f" (old one until {human_moment(each.overlap_until_us / 1e6)})" if each.overlap_until_us else ""
    used = "never" if each.last_used_us is None else f"{human_s((now_us() - each.last_used_us) / 1e6)} ago"
    project = "all" if each.project is None else str(each.project)
    return each.name, " ".join(each.scopes), each.hint + overlap, project, used, _expires(each)


def _expires(each: Token) -> str:
    if each.expires_us is None:
        return "never"
    return "expired" if each.expires_us <= now_us() else human_moment(each.expires_us / 1e6)


def _document(each: Token) -> JsonObject:
    """Say a token as the API does: times are seconds since the epoch."""
    fields: JsonObject = msgspec.to_builtins(each)
    return {
        name.removesuffix("_us"): _seconds(value) if name.endswith("_us") else value for name, value in fields.items()
    }


def _seconds(time_us: int | None) -> float | None:
    return None if time_us is None else time_us / 1e6

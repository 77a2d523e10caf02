"""Where a repository is fetched from, with its credentials apart.

A URL with a password in it would stand in the command lines of git and of its helpers, which every user of the machine
can read, in the clone's configuration and in error messages. So the URL that git gets has none, and the password goes
as a header in a setting of the environment, which nobody else can read.
"""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import unquote

import msgspec

from livestream.errors import ConfigError
from livestream.git import strip_credentials

_SCHEMES: Final = ("http", "https", "ssh", "git", "file", "git+ssh", "ssh+git")


class Remote(msgspec.Struct, frozen=True):
    """What git is told: ``url`` may be shown to anybody, ``settings`` to nobody."""

    url: str
    settings: dict[str, str] = {}


def parse_remote(url: str) -> Remote:
    """Take a URL apart.

    Raises:
        ConfigError: It is none that can be fetched from; the message holds no credentials.
    """
    url = url.strip()
    shown = strip_credentials(url)
    if url.startswith("-") or any(not character.isprintable() for character in url):
        raise ConfigError(f"repository {shown!r}: neither a folder nor a URL that git can fetch from")
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        return _with_header(scheme.lower(), rest, shown)
    if separator and scheme.lower() in _SCHEMES and "::" not in scheme:
        return Remote(_without_password(f"{scheme.lower()}://", rest))
    if not separator and re.fullmatch(r"(?:[^/:@]+@)?(?:[^/:@]+|\[[^\]/]*\]):(?!:)(?![^/]*@[^/@]*:).+", url):
        return Remote(url)
    if not separator and url.startswith(("/", "./", "../")):
        return Remote(url)
    accepted = "a folder, https://, ssh://, git://, file:// or user@host:path"
    raise ConfigError(f"repository {shown!r}: neither a folder nor a URL that git can fetch from; accepted: {accepted}")


def _with_header(scheme: str, rest: str, shown: str) -> Remote:
    origin = shown.partition("://")[2]
    url = f"{scheme}://{origin}"
    userinfo = _userinfo(rest)
    if not userinfo:
        return Remote(url)
    user, _, password = userinfo.partition(":")
    encoded = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    host = re.split("[/?#]", origin, maxsplit=1)[0]
    return Remote(url, {f"http.{scheme}://{host}/.extraHeader": f"Authorization: Basic {encoded}"})


def _userinfo(rest: str) -> str:
    """What stands before the host; a password may hold a slash that nobody escaped."""
    stripped = strip_credentials(f"https://{rest}").partition("://")[2]
    host = re.split("[/?#]", stripped, maxsplit=1)[0]
    end = rest.find(f"@{host}") if host else -1
    return rest[:end] if end >= 0 else ""


def _without_password(scheme: str, rest: str) -> str:
    """Of ssh a user is part of the address; a password could not be given to it anyway."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    userinfo, at, host = authority.rpartition("@")
    return f"{scheme}{userinfo.partition(':')[0]}{at}{host}{rest[len(authority) :]}"

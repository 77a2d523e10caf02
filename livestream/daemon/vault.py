"""Which Studio a writer's events go to, and with whose token.

Tried in this order, at each delivery, so that a token that the user changes is used at once:

1. what the training handed over for the URL that ``writer.json`` names (its fingerprint says which of several);
2. the DVC config of the run's folder;
3. this daemon's own environment, where it names the same Studio or the run (its DVC config included) named none;
4. the Studio on this machine that announced itself, under the same condition.

A token is kept in memory only, and goes only to the URL that it was given for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from livestream import config
from livestream.sinks.base import Target
from livestream.spool.launch import Handover
from livestream.spool.layout import WriterInfo

LOCAL_SCHEME: Final = "local://"


class Destination(msgspec.Struct, frozen=True):
    """A Studio as one token sees it; ``fingerprint`` names the token without telling it."""

    target: Target
    fingerprint: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells destinations apart."""
        return self.target.url, self.target.endpoint, self.fingerprint


class NoDestination(msgspec.Struct, frozen=True):
    """Why there is nowhere to send to yet, and what to do."""

    url: str
    reason: str


class Vault:
    """The tokens this daemon was handed, and where else it may look."""

    def __init__(self, environ: Mapping[str, str], key: bytes) -> None:
        self._environ = environ
        self._key = key
        self._handed: dict[tuple[str, str], config.Secret] = {}
        self._configs: dict[str, config.DvcConfig] = {}

    def accept(self, handover: Handover) -> None:
        """Keep a token for its URL.

        Raises:
            ValueError: The fingerprint is not the token's: it was made for another spool.
        """
        if config.fingerprint(handover.token, self._key) != handover.fingerprint:
            raise ValueError("the token's fingerprint was made with another spool's key")
        self._handed[handover.url, handover.fingerprint] = config.Secret(handover.token)

    def resolve(self, info: WriterInfo) -> Destination | NoDestination:
        """Say where a writer's events go."""
        return self._destination(info, next(self._find(info), None))

    def resolve_all(self, info: WriterInfo) -> list[Destination]:
        """Say where they could go, the best first: where one token is refused the next may not be."""
        found = [self._destination(info, one) for one in self._find(info)]
        return [one for one in found if isinstance(one, Destination)]

    def _destination(self, info: WriterInfo, found: tuple[str, config.Secret] | None) -> Destination | NoDestination:
        url = found[0] if found else (self._named(info) or config.DEFAULT_STUDIO_URL)
        if info.experiment.repo_url.startswith(LOCAL_SCHEME) and _is_hosted(url):
            return NoDestination(
                url,
                "the hosted Studio knows experiments by their Git repository, and this run has none:"
                " set DVC_STUDIO_REPO_URL and run it again" + ("" if found else self._or_here()),
            )
        if found is None:
            return NoDestination(
                url,
                f"no token for {url}: set DVC_STUDIO_TOKEN{_with_url(url)} and run `livestream sync`,"
                " or `dvc config --global studio.token ...`" + (self._or_here() if self._named(info) is None else ""),
            )
        secret = found[1]
        target = Target(url=url, token=secret.reveal(), endpoint=info.endpoint)
        return Destination(target, config.fingerprint(secret, self._key))

    def _find(self, info: WriterInfo) -> Iterator[tuple[str, config.Secret]]:
        if info.url is not None and info.token_fingerprint is not None:
            handed = self._handed.get((info.url, info.token_fingerprint))
            if handed is not None:
                yield info.url, handed
        for look in (self._from_dvc, self._from_environment, self._from_local_studio):
            if (found := look(info)) is not None:
                yield found

    def _or_here(self) -> str:
        """Tell a run that asked for no Studio how it gets one on this machine, or why it does not get that one."""
        _, problem = config.read_local_studio(self._environ)
        return f"; {problem}" if problem else ", or start `livestream studio` on this machine"

    def _named(self, info: WriterInfo) -> str | None:
        """Tell which Studio the run asked for, in its environment or by its DVC config."""
        return info.url or self._dvc(info).url

    def _dvc(self, info: WriterInfo) -> config.DvcConfig:
        if info.config_folder is None:
            return config.DvcConfig()
        folder = Path(info.config_folder)
        known = self._configs.get(info.config_folder)
        if known is None or known.stamp != config.dvc_stamp(folder, self._environ):
            known = self._configs[info.config_folder] = config.read_dvc_config(folder, self._environ)
        return known

    def _from_dvc(self, info: WriterInfo) -> tuple[str, config.Secret] | None:
        token = self._dvc(info).token
        return None if token is None else (self._named(info) or config.DEFAULT_STUDIO_URL, token)

    def _from_environment(self, info: WriterInfo) -> tuple[str, config.Secret] | None:
        studio = config.resolve_studio(self._environ)
        named = self._named(info)
        same = named is None or _same(named, studio.url)
        return (studio.url, studio.token) if studio.token is not None and same else None

    def _from_local_studio(self, info: WriterInfo) -> tuple[str, config.Secret] | None:
        local, _ = config.read_local_studio(self._environ)
        named = self._named(info)
        if local is None or not (named is None or _same(named, local.url)):
            return None
        return local.url, local.token


def _is_hosted(url: str) -> bool:
    return urlsplit(url).hostname == urlsplit(config.DEFAULT_STUDIO_URL).hostname


def _with_url(url: str) -> str:
    return "" if _same(url, config.DEFAULT_STUDIO_URL) else f" and DVC_STUDIO_URL={url}"


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")

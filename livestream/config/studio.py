"""Where updates go and with whose token: arguments, then the environment, then DVC's config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from livestream.config.dvc import DvcConfig
from livestream.config.secret import Secret
from livestream.config.variables import DEFAULT_ENDPOINT, DEFAULT_STUDIO_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

Source: TypeAlias = Literal["argument", "environment", "dvc-config", "local-studio", "default"]


class StudioArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller's code says about the Studio; it wins over everything."""

    token: Secret | None = None
    url: str | None = None
    repo_url: str | None = None
    offline: bool = False


class StudioConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where updates go and with whose token; each ``*_source`` says who decided that.

    Attributes:
        repo_url: As configured, so it may hold credentials; None: to be taken from Git.
        git_remote: Name or URL of the remote that wins over ``repo_url``; None also where an argument gave that one.
        endpoint: Path at the Studio, or an absolute URL.
        problems: What was skipped, in sentences for a log; no values in them.
    """

    token: Secret | None
    token_source: Source | None
    url: str
    url_source: Source
    repo_url: str | None
    repo_url_source: Source | None
    git_remote: str | None
    endpoint: str
    offline: bool
    offline_source: Source
    problems: tuple[str, ...] = ()


def resolve_studio(
    environ: Mapping[str, str], dvc: DvcConfig | None = None, arguments: StudioArguments | None = None
) -> StudioConfig:
    """Decide as the stock client's ``get_studio_config`` does: arguments, then environment, then DVC's config.

    Unlike there, whitespace around a value is cut (a token with a newline fits no header), an empty value counts as
    none, and user and password in the Studio's URL are left out, because the spool holds that URL.
    """
    dvc, arguments = dvc or DvcConfig(), arguments or StudioArguments()
    env = environ.get
    token, token_source = _first(
        (arguments.token.reveal() if arguments.token else None, env("DVC_STUDIO_TOKEN"), env("STUDIO_TOKEN")),
        dvc.token.reveal() if dvc.token else None,
    )
    repo_url, repo_url_source = _first(
        (arguments.repo_url, env("DVC_STUDIO_REPO_URL"), env("STUDIO_REPO_URL")), dvc.repo_url
    )
    url, url_source = _first((arguments.url, env("DVC_STUDIO_URL")), dvc.url)
    git_remote, _ = _first((None, env("DVC_EXP_GIT_REMOTE")), dvc.git_remote)
    offline: tuple[tuple[Source, bool], ...] = (
        ("argument", arguments.offline),
        ("environment", to_bool(env("DVC_STUDIO_OFFLINE"))),
        ("dvc-config", to_bool(dvc.offline)),
        ("default", True),
    )
    offline_source = next(source for source, said in offline if said)
    bare_url = re.sub(r"^([A-Za-z][\w+.-]*://)[^/?#]*@", r"\1", url or DEFAULT_STUDIO_URL)
    problem = "user and password in the Studio's URL are not used"
    return StudioConfig(
        token=Secret(token) if token else None,
        token_source=token_source,
        url=bare_url,
        url_source=url_source or "default",
        repo_url=repo_url,
        repo_url_source=repo_url_source,
        git_remote=None if repo_url_source == "argument" else git_remote,
        endpoint=env("STUDIO_ENDPOINT") or DEFAULT_ENDPOINT,
        offline=offline_source != "default",
        offline_source=offline_source,
        problems=(*dvc.problems, problem) if url and bare_url != url else dvc.problems,
    )


def to_bool(value: str | None) -> bool:
    """The stock client's loose truth: anything with a 1, a y or "true" in it, so "any" and "10" too."""
    text = (value or "").lower()
    return "1" in text or "y" in text or "true" in text


def _first(said: tuple[str | None, ...], configured: str | None) -> tuple[str | None, Source | None]:
    """The first text that is not blank, of the argument, the environment's and the DVC config's, and whose it was."""
    for place, value in enumerate((*said, configured)):
        text = (value or "").strip()
        if text:
            return text, "argument" if place == 0 else "dvc-config" if place == len(said) else "environment"
    return None, None

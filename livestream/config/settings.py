"""The LIVESTREAM_* variables, and the place of the spool."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import msgspec

from livestream.config.files import named_folder, xdg_folder
from livestream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

CI_END_WAIT_S = 60.0
"""A CI job's disk is gone when it ends, so there the exit waits for delivery; nowhere else."""
DEFAULT_ORPHAN_AFTER_S = 300.0
"""Thirty missed heartbeats of 10 s: a stalled network filesystem must not look like a dead writer."""

SpoolMode: TypeAlias = Literal["auto", "local", "shared"]
Durability: TypeAlias = Literal["process", "power"]
_T = TypeVar("_T", bound=str)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the LIVESTREAM_* variables say (see ``VARIABLES``). ``quota_bytes`` of None: by the free space."""

    spool: Path
    spool_mode: SpoolMode = "auto"
    durability: Durability = "process"
    daemon: Literal["auto", "off"] = "auto"
    quota_bytes: int | None = None
    end_wait_s: float = 0.0
    signals: bool = True
    retention_s: float = 0.0
    orphan_after_s: float = DEFAULT_ORPHAN_AFTER_S
    ranks: Literal["first", "own"] = "first"


def read_settings(environ: Mapping[str, str], cwd: Path | None = None) -> Settings:
    """Read the LIVESTREAM_* variables; an empty one counts as not set.

    Raises:
        ConfigError: A value cannot be used, or there is no home for the spool.
    """
    under_ci = environ.get("CI", "").strip().lower() not in {"", "0", "false", "no", "off"}
    return Settings(
        spool=spool_folder(environ, cwd),
        spool_mode=_choice(environ, "LIVESTREAM_SPOOL_MODE", ("auto", "local", "shared")),
        durability=_choice(environ, "LIVESTREAM_DURABILITY", ("process", "power")),
        daemon=_choice(environ, "LIVESTREAM_DAEMON", ("auto", "off")),
        quota_bytes=_bytes(environ, "LIVESTREAM_QUOTA_BYTES"),
        end_wait_s=_seconds(environ, "LIVESTREAM_END_WAIT_S", CI_END_WAIT_S if under_ci else 0.0),
        signals=_choice(environ, "LIVESTREAM_SIGNALS", ("on", "off")) == "on",
        retention_s=_seconds(environ, "LIVESTREAM_RETENTION_S", 0.0),
        orphan_after_s=_seconds(environ, "LIVESTREAM_ORPHAN_AFTER_S", DEFAULT_ORPHAN_AFTER_S, minimum=1.0),
        ranks=_choice(environ, "LIVESTREAM_RANKS", ("first", "own")),
    )


def spool_folder(environ: Mapping[str, str], cwd: Path | None = None) -> Path:
    """The spool's absolute path: LIVESTREAM_SPOOL (a relative one starts at ``cwd``), else in the user's state folder.

    Raises:
        ConfigError: There is neither LIVESTREAM_SPOOL nor a home folder.
    """
    state = xdg_folder(environ, "XDG_STATE_HOME", ".local/state")
    return named_folder("LIVESTREAM_SPOOL", environ, cwd, state / "livestream" / "spool" if state else None)


def _choice(environ: Mapping[str, str], name: str, accepted: tuple[_T, ...]) -> _T:
    """The accepted word that the variable holds; the first one is the default."""
    text = environ.get(name, "").strip().lower()
    for word in accepted:
        if text in ("", word):
            return word
    raise ConfigError(f"{name} is {_shape(text)}; accepted: {', '.join(accepted)}")


def _seconds(environ: Mapping[str, str], name: str, default: float, minimum: float = 0.0) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if minimum <= seconds < math.inf:
        return seconds
    raise ConfigError(f"{name} is {_shape(text)}; accepted: a number of seconds, {minimum:g} or more")


def _bytes(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if re.fullmatch(r"0*[1-9][0-9]{0,17}", text, re.ASCII):
        return int(text)
    raise ConfigError(f"{name} is {_shape(text)}; accepted: a whole number of bytes, 1 or more")


def _shape(text: str) -> str:
    """Describe a value without repeating it: what was pasted into the wrong variable may be a token."""
    try:
        number = float(text)
    except ValueError:
        return f"a text of {len(text)} characters"
    if not math.isfinite(number):
        return "not a finite number"
    kind = "whole number" if number.is_integer() else "number with a fraction"
    return f"a {'negative ' * (number < 0)}{kind}"

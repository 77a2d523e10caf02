"""What `doctor` looks at: each check is a fact, a verdict, and what to do about it."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import aiohttp
import msgspec
from yarl import URL

from livestream import config
from livestream._version import __version__
from livestream.cli.output import counted, human_bytes, human_s
from livestream.cli.spools import is_spool
from livestream.cli.survey import survey
from livestream.errors import LivestreamError, SpoolError
from livestream.git import strip_credentials
from livestream.pipeline.decide import Misdirected, Outcome, Throttled, Unauthorized, Unavailable
from livestream.sinks.base import Capabilities, Target
from livestream.sinks.failures import describe
from livestream.sinks.network import SettingError, address_of, authorities, proxy_for
from livestream.sinks.studio import StudioSink, Timeouts
from livestream.spool import filesystem
from livestream.spool.launch import ask_daemon, is_served, read_published
from livestream.spool.layout import FileLock, folder_bytes
from livestream.spool.quota import Weight, allowance, default_quota_bytes, free_bytes

Verdict: TypeAlias = Literal["ok", "warn", "fail"]

ASK_S: Final = 10.0
CLOCK_WARN_S: Final = 60.0
"""Charts by time, and a Retry-After that is a date, are off by as much."""

CLOCK_FAIL_S: Final = 3600.0
LOW_DISK_BYTES: Final = 500_000_000
WAL_BUG: Final = ((3, 7, 0), (3, 51, 2))
"""SQLite's WAL-reset bug (sqlite.org: fixed in 3.51.3): two connections that write and checkpoint may lose a commit."""

_LONG_VALUE: Final = 60


class Check(msgspec.Struct, frozen=True):
    """One line of the doctor's."""

    name: str
    verdict: Verdict
    fact: str
    advice: str = ""


# -- the Studio


def studio_checks(studio: config.StudioConfig) -> Iterator[Check]:
    """Where updates go, and as whom."""
    for problem in studio.problems:
        yield Check("settings", "warn", problem, "mend it, or remove the file")
    source = {
        "argument": "an argument",
        "environment": "the environment",
        "dvc-config": "DVC's config",
        "local-studio": "the Studio on this machine",
        "default": "the default",
    }
    if studio.token is None:
        yield Check(
            "token",
            "fail",
            "none found in the environment, DVC's config or a Studio on this machine",
            "set DVC_STUDIO_TOKEN, or run `dvc config --global studio.token <token>`; events are kept until then",
        )
    else:
        yield Check("token", "ok", f"present, from {source[studio.token_source or 'default']} (never shown)")
    address = address_of(Target(url=studio.url, token="", endpoint=studio.endpoint))
    if isinstance(address, Misdirected):
        yield Check("url", "fail", address.detail, "correct DVC_STUDIO_URL (or studio.url in DVC's config)")
    else:
        yield Check("url", "ok", f"{address}, from {source[studio.url_source]}")
    if studio.offline:
        yield Check(
            "offline",
            "warn",
            f"set by {source[studio.offline_source]}: runs are recorded, not sent",
            "run `livestream sync` when they may go, or unset DVC_STUDIO_OFFLINE",
        )


class _Heard(msgspec.Struct, frozen=True):
    """How a server answered a question without a token: its status, and how far its clock is from ours."""

    status: int
    ahead_s: float | None


async def network_checks(studio: config.StudioConfig, environ: Mapping[str, str]) -> list[Check]:
    """Whether the Studio can be reached, takes the token, and agrees about the time."""
    target = Target(url=studio.url, token=studio.token.reveal() if studio.token else "", endpoint=studio.endpoint)
    address = address_of(target)
    if isinstance(address, Misdirected):
        return []
    heard = await _hear(address, environ)
    if isinstance(heard, str):
        advice = "check the URL, DNS, HTTPS_PROXY and SSL_CERT_FILE; events are kept and sent when it answers"
        return [Check("reachable", "fail", heard, advice)]
    checks = [Check("reachable", "ok", f"it answered with status {heard.status}")]
    if studio.token is not None:
        async with StudioSink(Timeouts(connect_s=ASK_S, silence_s=ASK_S), environ=environ) as sink:
            checks.append(_capabilities_check(await sink.capabilities(target)))
    checks.append(_clock_check(heard.ahead_s))
    return checks


async def _hear(address: URL, environ: Mapping[str, str]) -> _Heard | str:
    """Ask without a token: this is about the way there. A text says what is in it."""
    try:
        proxy = proxy_for(address, environ)
        trust = authorities(environ) if address.scheme == "https" else True
        timeout = aiohttp.ClientTimeout(total=ASK_S)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(address / "capabilities", allow_redirects=False, proxy=proxy, ssl=trust) as response,
        ):
            return _Heard(response.status, _ahead_s(response.headers.get("Date"), time.time()))
    except SettingError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {ASK_S:.0f} s"
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        return describe(error, f"{address.host}:{address.port}")


def _ahead_s(date: str | None, now: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now if date else None
    except ValueError:
        return None


def _capabilities_check(answer: Capabilities | Outcome) -> Check:
    match answer:
        case Capabilities(advertised=True):
            return Check(
                "studio",
                "ok",
                f"speaks livestream's extension, {human_bytes(answer.limits.max_request_bytes)} a request",
            )
        case Capabilities():
            return Check(
                "studio", "ok", "speaks the stock protocol; whether it takes the token shows at the first update"
            )
        case Unauthorized():
            return Check(
                "studio",
                "fail",
                f"it refuses the token ({answer.status}: {answer.detail})",
                "get a new token from the Studio's settings",
            )
        case Throttled():
            return Check("studio", "warn", "it asks to wait", "nothing to do: delivery waits as told")
        case Unavailable():
            return Check(
                "studio",
                "fail",
                f"it does not work now: {answer.detail}",
                "nothing is lost: delivery goes on when it does",
            )
    return Check("studio", "warn", f"it answered strangely: {answer}", "check the URL")


def _clock_check(ahead_s: float | None) -> Check:
    if ahead_s is None:
        return Check("clock", "warn", "the Studio does not tell the time", "nothing to do")
    fact = f"{human_s(abs(ahead_s))} {'behind' if ahead_s > 0 else 'ahead of'} the Studio's"
    if abs(ahead_s) < CLOCK_WARN_S:
        return Check("clock", "ok", fact)
    verdict: Verdict = "warn" if abs(ahead_s) < CLOCK_FAIL_S else "fail"
    return Check("clock", verdict, fact, "set this machine's clock (chrony, timedatectl): times in charts are off")


# -- the spool


def spool_checks(spool: Path, settings: config.Settings) -> Iterator[Check]:
    """Whether the spool's folder can be used, and how."""
    below = filesystem.of_folder(spool)
    shared, reason = filesystem.choose_mode(settings.spool_mode, below)
    kind = f"{below.kind or 'unknown filesystem'} at {below.mount_point or '?'}"
    if shared:
        yield Check(
            "filesystem", "ok", f"{kind}: shared mode, because {reason} (live delivery lags by the seal interval)"
        )
    else:
        yield Check("filesystem", "ok", f"{kind}: local mode")
    folder = _folder_check(spool)
    yield folder
    if folder.verdict != "fail":
        yield _lock_check(spool)
    yield from _space_checks(spool, settings)


def _folder_check(spool: Path) -> Check:
    if not is_spool(spool):
        nearest = next((folder for folder in (spool, *spool.parents) if folder.exists()), Path("/"))
        if os.access(nearest, os.W_OK | os.X_OK):
            return Check("spool", "ok", f"{spool}: nothing was recorded yet; it is made at the first event")
        return Check("spool", "fail", f"{spool} cannot be made", "set LIVESTREAM_SPOOL to a folder of yours")
    status = spool.stat()
    if status.st_uid != os.getuid():
        return Check(
            "spool", "fail", f"{spool} belongs to uid {status.st_uid}", "set LIVESTREAM_SPOOL to a folder of yours"
        )
    if not os.access(spool, os.W_OK | os.X_OK):
        return Check("spool", "fail", f"{spool} is read-only", "remount it, or set LIVESTREAM_SPOOL to another folder")
    if status.st_mode & 0o077:
        return Check("spool", "warn", f"others may enter {spool}", f"run `chmod 700 {spool}`")
    return Check("spool", "ok", str(spool))


def _lock_check(spool: Path) -> Check:
    folder = next((folder for folder in (spool, *spool.parents) if folder.exists()), Path("/"))
    path = folder / f".livestream-doctor-{os.getpid()}"
    lock = FileLock(path)
    try:
        lock.take()
    except SpoolError as error:
        advice = "set LIVESTREAM_SPOOL to a local disk, or have the filesystem mounted with locks"
        return Check("locks", "fail", str(error), advice)
    finally:
        lock.release()
        path.unlink(missing_ok=True)
    return Check("locks", "ok", "record locks work there")


def _space_checks(spool: Path, settings: config.Settings) -> Iterator[Check]:
    folder = next((folder for folder in (spool, *spool.parents) if folder.exists()), Path("/"))
    free = free_bytes(folder)
    low = free < LOW_DISK_BYTES
    yield Check(
        "disk",
        "warn" if low else "ok",
        f"{human_bytes(free)} free",
        "free some space: a full disk refuses events" if low else "",
    )
    quota = settings.quota_bytes or default_quota_bytes(free)
    used = folder_bytes(spool)
    origin = "LIVESTREAM_QUOTA_BYTES" if settings.quota_bytes else "a tenth of the free space, 10 GiB at most"
    fact = f"{human_bytes(used)} of {human_bytes(quota)} used ({origin})"
    allowed = allowance(used, quota)
    if allowed is Weight.IMAGES:
        yield Check("quota", "ok", fact)
        return
    verdict: Verdict = "warn" if allowed >= Weight.SCALARS else "fail"
    dropped = "images are left out" if allowed is Weight.PLOTS else "events are refused"
    advice = "deliver with `livestream sync`, or set LIVESTREAM_QUOTA_BYTES higher"
    yield Check("quota", verdict, f"{fact}: {dropped}", advice)


# -- the daemon, and what waits


def daemon_checks(spool: Path) -> Iterator[Check]:
    """Whether a daemon serves the spool, and what it left."""
    if not is_served(spool):
        yield Check("daemon", "ok", "not running: a training starts one; `livestream sync` delivers without it")
    else:
        yield _served_check(spool)
    if is_spool(spool):
        yield from _backlog_checks(spool)


def _served_check(spool: Path) -> Check:
    published = read_published(spool)
    if published is None:
        return Check("daemon", "warn", "running, and it has not said anything yet", "ask again in a few seconds")
    fact = f"running, pid {published.pid} on {published.host}, livestream {published.version}"
    if published.version != __version__:
        return Check("daemon", "warn", f"{fact}; this is {__version__}", "it ends by itself when newer trainings run")
    if published.host == platform.node() and ask_daemon(spool, {"op": "ping"}, timeout_s=ASK_S) is None:
        return Check(
            "daemon",
            "fail",
            f"{fact}, but it does not answer",
            f"see {spool / 'daemon.log'}; end it with kill {published.pid}",
        )
    return Check("daemon", "ok", fact)


def _backlog_checks(spool: Path) -> Iterator[Check]:
    facts = survey(spool)
    for problem in facts.problems:
        yield Check("books", "fail", problem, "run `livestream queue verify`")
    for one in facts.experiments:
        if one.held is not None and one.state == "held":
            yield Check("held", "warn", f"{one.experiment.name}: {one.held}", "mend that, then run `livestream sync`")
    letters = sum(sum(one.letters.values()) for one in facts.experiments)
    if letters:
        yield Check("dead letters", "warn", counted(letters, "dead letter"), "see `livestream queue ls --dead`")
    refused = sum(facts.books.refused.values())
    if refused:
        yield Check("losses", "warn", f"{counted(refused, 'event')} refused so far", "see `livestream status`")


# -- the machine


def version_checks() -> Iterator[Check]:
    """Versions that matter in a bug report."""
    found = sqlite3.sqlite_version_info
    fact = f"{sqlite3.sqlite_version}"
    if WAL_BUG[0] <= found <= WAL_BUG[1]:
        fact += (
            " (in the range of SQLite's WAL-reset bug, 3.7.0-3.51.2, which cannot be met here: it needs two connections"
            " that write one file, and each segment has a single writer)"
        )
    yield Check("livestream", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    yield Check("sqlite", "ok", fact)


def environment_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    """The variables in force that livestream reads; secret ones only by name."""
    for variable in config.VARIABLES:
        for spelling in dict.fromkeys(
            (variable.name, variable.name.lower() if "PROXY" in variable.name else variable.name)
        ):
            value = environ.get(spelling)
            if value:
                yield Check(spelling, "ok", "set (not shown)" if variable.secret else _shown(value))


def _shown(value: str) -> str:
    bare = strip_credentials(value) if "://" in value or "@" in value else value
    return bare if len(bare) <= _LONG_VALUE else f"{bare[: _LONG_VALUE - 3]}..."


def settings_checks(environ: Mapping[str, str]) -> tuple[config.Settings | None, list[Check]]:
    """Read the LIVESTREAM_* variables."""
    try:
        return config.read_settings(environ), []
    except LivestreamError as error:
        return None, [Check("settings", "fail", str(error), "correct the variable, or unset it")]

"""What a user can set, where it is read from, and which source wins.

Nothing is read at import: the environment is a ``Mapping`` and folders are ``Path`` arguments, so that the daemon can
resolve the settings of another process's run, and a test needs no patching. A LIVESTREAM_* variable that holds nonsense
is an error, because silently running with another value loses data later. Everything about the Studio is forgiving as
its stock client is: a broken DVC config must not stop a training, so it is skipped and reported in ``problems``.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar

import msgspec

from livestream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_STUDIO_URL = "https://studio.datachain.ai"
"""Where the stock client posts when nothing else is said (dvc-studio-client 0.22 and later)."""
DEFAULT_ENDPOINT = "api/live"
CI_END_WAIT_S = 60.0
"""A CI job's disk is gone when it ends, so there the exit waits for delivery; nowhere else."""
DEFAULT_ORPHAN_AFTER_S = 300.0
"""Thirty missed heartbeats of 10 s: a stalled network filesystem must not look like a dead writer."""
QUOTES = "\"'"
MAX_CONFIG_BYTES = 1 << 20
"""DVC's and our own files are a few hundred bytes; more is not a config."""

Source: TypeAlias = Literal["argument", "environment", "dvc-config", "local-studio", "default"]
SpoolMode: TypeAlias = Literal["auto", "local", "shared"]
Durability: TypeAlias = Literal["process", "power"]
Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Path, mtime in ns, size and inode of each config file; -1 where there is none."""
_T = TypeVar("_T", bound=str)


class Variable(msgspec.Struct, frozen=True):
    """An environment variable that livestream reads; ``default`` says what happens without it."""

    name: str
    meaning: str
    default: str = "none"
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("LIVESTREAM_SPOOL", "Folder of the spool.", "livestream/spool in the user's state folder"),
    Variable("LIVESTREAM_SPOOL_MODE", "local or shared (NFS, Lustre, ...); auto asks the filesystem.", "auto"),
    Variable("LIVESTREAM_DURABILITY", "process survives any kill, power also a power cut, event by event.", "process"),
    Variable("LIVESTREAM_DAEMON", "off: nobody starts a daemon; run `livestream sync` or a daemon yourself.", "auto"),
    Variable("LIVESTREAM_QUOTA_BYTES", "Most bytes the spool may hold.", "10 GiB or 10 % of the free space, the less"),
    Variable("LIVESTREAM_END_WAIT_S", "Longest wait for delivery when a training exits, in s.", "60 under CI, else 0"),
    Variable("LIVESTREAM_SIGNALS", "off leaves SIGTERM alone.", "on"),
    Variable("LIVESTREAM_RETENTION_S", "How long delivered segments are kept, in s.", "0"),
    Variable("LIVESTREAM_ORPHAN_AFTER_S", "Silence after which a writer on another host is dead, in s.", "300"),
    Variable("DVC_STUDIO_TOKEN", "Access token of the Studio.", secret=True),
    Variable("STUDIO_TOKEN", "The same; DVC_STUDIO_TOKEN wins.", secret=True),
    Variable("DVC_STUDIO_URL", "The Studio's base URL.", DEFAULT_STUDIO_URL),
    Variable("DVC_STUDIO_REPO_URL", "The Git repository as the Studio knows it.", "the Git remote"),
    Variable("STUDIO_REPO_URL", "The same; DVC_STUDIO_REPO_URL wins.", "the Git remote"),
    Variable("DVC_STUDIO_OFFLINE", "Anything with 1, y or true in it: record, but send only by `livestream sync`."),
    Variable("STUDIO_ENDPOINT", "Path of live updates at the Studio.", DEFAULT_ENDPOINT),
    Variable("DVC_EXP_BASELINE_REV", "Commit that the experiment belongs to.", "Git's HEAD"),
    Variable("DVC_EXP_NAME", "Name of the experiment.", "the Slurm or torchrun job, else a random name"),
    Variable("DVC_EXP_GIT_REMOTE", "Name or URL of the Git remote to report; wins over DVC_STUDIO_REPO_URL."),
    Variable("DVC_GLOBAL_CONFIG_DIR", "Folder of DVC's global config.", "dvc in XDG_CONFIG_HOME"),
    Variable("DVC_SYSTEM_CONFIG_DIR", "Folder of DVC's system config.", "dvc in the first of XDG_CONFIG_DIRS"),
    Variable("RANK", "Rank of this process (torchrun).", "0"),
    Variable("SLURM_PROCID", "Rank of this process (srun).", "0"),
    Variable("OMPI_COMM_WORLD_RANK", "Rank of this process (Open MPI).", "0"),
    Variable("PMI_RANK", "Rank of this process (MPICH, Intel MPI).", "0"),
    Variable("PMIX_RANK", "Rank of this process (PMIx).", "0"),
    Variable("SLURM_JOB_ID", "Names the experiment, so that ranks and requeued jobs are one."),
    Variable("SLURM_ARRAY_JOB_ID", "As SLURM_JOB_ID, in a job array."),
    Variable("SLURM_ARRAY_TASK_ID", "As SLURM_JOB_ID, in a job array."),
    Variable("SLURM_STEP_ID", "As SLURM_JOB_ID, for each srun of a job."),
    Variable("TORCHELASTIC_RUN_ID", "Names the experiment outside Slurm."),
    Variable("GIT_DIR", "The Git folder.", "the nearest parent that has one"),
    Variable("GIT_WORK_TREE", "The working tree that belongs to GIT_DIR.", "the current folder"),
    Variable("PATH", "Where git is looked for, only for repositories that keep references in a reftable."),
    Variable("CI", "A truthy value means that this machine is gone when the job ends."),
    Variable("HOME", "The user's folder.", "the user database"),
    Variable("XDG_CONFIG_HOME", "Holds livestream/ and dvc/.", "~/.config"),
    Variable("XDG_CONFIG_DIRS", "Holds dvc/ for the whole machine.", "/etc/xdg"),
    Variable("XDG_STATE_HOME", "Holds livestream/spool.", "~/.local/state"),
    Variable("XDG_RUNTIME_DIR", "Holds the socket over which a training hands its token to the daemon."),
    Variable("HTTPS_PROXY", "Proxy for the Studio; HTTP_PROXY, ALL_PROXY and lower case too.", secret=True),
    Variable("NO_PROXY", "Hosts that are reached without the proxy."),
    Variable("SSL_CERT_FILE", "Certificates to trust, as REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.", "the system's"),
)


class Secret:
    """A token that shows itself only to who asks: printing, formatting, pickling and encoding it all fail to leak."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: a token never leaves memory")


def fingerprint(token: Secret | str, key: bytes) -> str:
    """Name a token without telling it: 16 hex digits of HMAC-SHA256 under the spool's ``key`` (32 random bytes)."""
    import hmac  # noqa: PLC0415 - loads OpenSSL, and most trainings have no token to name at import

    text = token.reveal() if isinstance(token, Secret) else token
    return hmac.digest(key, text.encode(errors="surrogateescape"), "sha256").hex()[:16]


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
    )


def spool_folder(environ: Mapping[str, str], cwd: Path | None = None) -> Path:
    """The spool's absolute path: LIVESTREAM_SPOOL (a relative one starts at ``cwd``), else in the user's state folder.

    Raises:
        ConfigError: There is neither LIVESTREAM_SPOOL nor a home folder.
    """
    named = environ.get("LIVESTREAM_SPOOL", "").strip()
    if named:
        home = _home(environ) if named == "~" or named.startswith("~/") else None
        return home / named[2:] if home else (cwd or Path.cwd()) / named
    if not sys.platform.startswith("linux"):
        import platformdirs  # noqa: PLC0415 - 10 ms, and on Linux it is no more than the rule below

        return platformdirs.user_state_path("livestream", appauthor=False) / "spool"
    state = _xdg_folder(environ, "XDG_STATE_HOME", ".local/state")
    if state is None:
        raise ConfigError("LIVESTREAM_SPOOL is not set and the user has no home; accepted: a folder to write to")
    return state / "livestream" / "spool"


def livestream_config_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder of livestream's own files of the user; None where the user has no home."""
    folder = _xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder / "livestream" if folder else None


def _home(environ: Mapping[str, str]) -> Path | None:
    if environ.get("HOME"):
        return Path(environ["HOME"])
    import pwd  # noqa: PLC0415 - only containers without HOME come here

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def _xdg_folder(environ: Mapping[str, str], name: str, below_home: str) -> Path | None:
    value = environ.get(name, "").strip()
    if value.startswith("/"):  # the XDG specification has relative paths ignored
        return Path(value)
    home = _home(environ)
    return home / below_home if home else None


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


# DVC's config files: INI as configobj writes it. They could stand in a module of their own.


class DvcConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What DVC's config files say about the Studio: ``offline`` as written, ``stamp`` their state when read."""

    token: Secret | None = None
    url: str | None = None
    repo_url: str | None = None
    offline: str | None = None
    git_remote: str | None = None
    problems: tuple[str, ...] = ()
    stamp: Stamp = ()


def find_dvc_root(folder: Path) -> Path | None:
    """The nearest of ``folder`` and its parents that holds ``.dvc``, not above the Git repository that it is in."""
    for parent in (folder, *folder.parents):
        if (parent / ".dvc").is_dir():
            return parent
        if (parent / ".git").exists():
            return None
    return None


def dvc_config_files(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """DVC's config files for ``folder``, whether or not they exist; a later one wins."""
    system = environ.get("DVC_SYSTEM_CONFIG_DIR")
    whole_machine = environ.get("XDG_CONFIG_DIRS", "").partition(":")[0].strip() or "/etc/xdg"
    levels = [Path(system) if system else Path(whole_machine) / "dvc"]
    user = environ.get("DVC_GLOBAL_CONFIG_DIR")
    below = _xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    if user:
        levels.append(Path(user))
    elif below:
        levels.append(below / "dvc")
    root = find_dvc_root(folder)
    own = (root / ".dvc" / "config", root / ".dvc" / "config.local") if root else ()
    return (*(level / "config" for level in levels), *own)


def dvc_stamp(folder: Path, environ: Mapping[str, str]) -> Stamp:
    """The state of DVC's config files; once it differs from ``DvcConfig.stamp`` they have to be read again."""
    return tuple(_stamp(file) for file in dvc_config_files(folder, environ))


def read_dvc_config(folder: Path, environ: Mapping[str, str]) -> DvcConfig:
    """Read what DVC's config files say as they apply in ``folder``.

    A file that cannot be read or parsed is left out and named in ``problems``; nothing is raised.
    """
    found: dict[str, str] = {}
    problems = []
    stamp = dvc_stamp(folder, environ)  # before reading: a change in between is then seen later
    for file, *_ in stamp:
        try:
            content = _read_file(Path(file))
            found.update(_parse_configobj(content[0].decode("utf-8-sig")) if content else {})
        except UnicodeDecodeError:
            problems.append(f"{file}: not UTF-8")
        except (OSError, ValueError) as error:
            problems.append(f"{file}: {getattr(error, 'strerror', None) or error}")
    token = found.get("studio.token")
    return DvcConfig(
        token=Secret(token) if token else None,
        url=found.get("studio.url"),
        repo_url=found.get("studio.repo_url"),
        offline=found.get("studio.offline"),
        git_remote=found.get("exp.git_remote"),
        problems=tuple(problems),
        stamp=stamp,
    )


def _stamp(file: Path) -> tuple[str, int, int, int]:
    try:
        facts = file.stat()
    except OSError:
        return (str(file), -1, -1, -1)
    return (str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino)


def _read_file(path: Path) -> tuple[bytes, os.stat_result] | None:
    """A small regular file and its facts, or None where there is none. O_NONBLOCK: a FIFO would wait for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_CONFIG_BYTES:
            raise OSError(errno.EINVAL, f"not a regular file of at most {MAX_CONFIG_BYTES} bytes")
        return os.read(descriptor, MAX_CONFIG_BYTES), facts
    finally:
        os.close(descriptor)


def _parse_configobj(text: str) -> dict[str, str]:
    """Flatten the file to ``section.key``, in lower case as DVC does.

    Raises:
        ValueError: A line fits no rule; the message has its number and nothing of its content.
    """
    found: dict[str, str] = {}
    section = ""
    lines = enumerate(text.split("\n"), start=1)
    for number, raw in lines:
        line = raw.strip()
        header = re.match(r"""(\[+)\s*(?:"([^"]*)"|'([^']*)'|([^'"\[\]]*?))\s*\]+\s*(?:#.*)?$""", line)
        key, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if header:  # a [[nested]] section keeps a bracket, so that it cannot pass for a [section] of that name
            section = header[1][1:] + (header[2] or header[3] or header[4] or "")
        elif equals and not line.startswith("["):
            name = f"{section}.{key.strip().strip(QUOTES)}".lower()
            found[name] = _parse_value(value.strip(), lines, number)
        else:
            raise ValueError(f"line {number} is neither `[section]` nor `key = value`")
    return found


def _parse_value(text: str, lines: Iterator[tuple[int, str]], number: int) -> str:
    fence = text[:3]
    if fence in ('"""', "'''"):
        body = text[3:]
        while fence not in body:
            _, more = next(lines, (0, None))
            if more is None:
                raise ValueError(f"the quotes opened in line {number} are never closed")
            body += "\n" + more.rstrip("\r")
        return body.partition(fence)[0]
    quoted = re.match(r"""(["'])(.*?)\1\s*(?:#.*)?$""", text)
    return quoted[2] if quoted else text.partition("#")[0].rstrip()


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


class LocalStudio(msgspec.Struct, frozen=True):
    """A Studio on this machine, as it announces itself to its user's trainings."""

    url: str
    token: Secret


class _Announcement(msgspec.Struct):
    url: str
    token: str


def read_local_studio(environ: Mapping[str, str], uid: int | None = None) -> tuple[LocalStudio | None, str | None]:
    """Read ``studio.json`` in ``livestream_config_folder``; None, and what is wrong with it, unless it can be trusted.

    Whoever can write it gets our metrics and whoever can read it could post in our name, so it has to be ours
    (``uid``, the effective user unless given) and closed to everybody else.
    """
    folder = livestream_config_folder(environ)
    file = folder / "studio.json" if folder else None
    try:
        content = _read_file(file) if file else None
        if content is None:
            return None, None
        text, facts = content
        if facts.st_uid != (os.geteuid() if uid is None else uid):
            return None, f"{file}: belongs to another user, so it is not used"
        if facts.st_mode & 0o077:
            return None, f"{file}: others have access to it, so it is not used; run `chmod 600` on it"
        found = msgspec.json.decode(text, type=_Announcement)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, f"{file}: {getattr(error, 'strerror', None) or error}"
    if not found.url.startswith(("http://", "https://")) or not found.token.strip():
        return None, f"{file}: needs an http(s) url and a token"
    return LocalStudio(found.url, Secret(found.token.strip())), None


def with_local_studio(studio: StudioConfig, local: LocalStudio | None) -> StudioConfig:
    """Fall back on the local Studio where no token is known: its token goes to its own URL, or to no other."""
    elsewhere = local and studio.url_source != "default" and studio.url.rstrip("/") != local.url.rstrip("/")
    if local is None or studio.token is not None or elsewhere:
        return studio
    source: Source = "local-studio"
    return msgspec.structs.replace(studio, token=local.token, token_source=source, url=local.url, url_source=source)

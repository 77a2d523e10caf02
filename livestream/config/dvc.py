"""DVC's config files, INI as configobj writes it: what they say about the Studio and Git."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from livestream.config.files import read_small_file, xdg_folder
from livestream.config.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUOTES = "\"'"
Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Path, mtime in ns, size and inode of each config file; -1 where there is none."""


class DvcConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What DVC's config files say: ``offline`` and ``no_scm`` as written, ``stamp`` their state when read."""

    token: Secret | None = None
    url: str | None = None
    repo_url: str | None = None
    offline: str | None = None
    git_remote: str | None = None
    no_scm: str | None = None
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
    below = xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
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
            content = read_small_file(Path(file))
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
        no_scm=found.get("core.no_scm"),
        problems=tuple(problems),
        stamp=stamp,
    )


def _stamp(file: Path) -> tuple[str, int, int, int]:
    try:
        facts = file.stat()
    except OSError:
        return (str(file), -1, -1, -1)
    return (str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino)


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
        key, equals, value = raw.partition("=")
        if not line or line.startswith("#"):
            continue
        if header:  # a [[nested]] section keeps a bracket, so that it cannot pass for a [section] of that name
            section = header[1][1:] + (header[2] or header[3] or header[4] or "")
        elif equals and not line.startswith("["):
            name = f"{section}.{key.strip().strip(QUOTES)}".lower()
            found[name] = _parse_value(value.lstrip(), lines, number)
        else:
            raise ValueError(f"line {number} is neither `[section]` nor `key = value`")
    return found


def _parse_value(text: str, lines: Iterator[tuple[int, str]], number: int) -> str:
    fence = text[:3]
    if fence in ('"""', "'''"):  # what has a newline, or both kinds of quotes
        ending = re.compile(rf"(.*?){fence}\s*(?:#.*)?$")
        body, last = [], text[3:]
        while not (closed := ending.match(last)):
            body.append(last.removesuffix("\r"))
            _, more = next(lines, (0, None))
            if more is None:
                raise ValueError(f"the quotes opened in line {number} are never closed")
            last = more
        return "\n".join([*body, closed[1]])
    quoted = re.match(r"""(["'])(.*?)\1\s*(?:#.*)?$""", text)
    return quoted[2] if quoted else text.partition("#")[0].rstrip()

"""Which commit and which remote a training belongs to, read from Git's own files.

No git binary is run, because there may be none in a training's container, it refuses repositories of other users
(``safe.directory``), and a process costs milliseconds. Git's layout, as gitrepository-layout(5) has it: ``.git`` is a
folder, or a file ``gitdir: <path>`` in linked worktrees and submodules; HEAD is a worktree's own, while branches,
packed-refs and config are in the folder that ``commondir`` names. Only a repository that keeps its references in a
reftable, a binary format, is asked through one git process.

Nothing here raises because of what a repository holds: what cannot be read is None, and the run goes without it.
Credentials are stripped from every URL before anybody sees it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SYMBOLIC_DEPTH = 5
"""Git's own bound on references to references."""
GIT_TIMEOUT_S = 2.0
"""Longest wait for the git process of a reftable repository; a training's start is waiting."""
ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}
"""What Git's config means by a backslash and a letter."""
SECRET_PARAMETER = re.compile(r"token|passw|secret|auth|jwt|signature|credential|key|sig$", re.IGNORECASE)
"""Names of URL parameters whose values may be credentials (private_token, access_token, X-Amz-Signature, ...)."""


class GitInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a run wants to know of its repository.

    Attributes:
        root: Top of the working tree (of a bare repository: its folder).
        head: The commit checked out, 40 hex digits; None before the first commit, and in SHA-256 repositories,
            whose 64 digits the wire has no room for.
        remote_url: Where the active branch is tracked, else ``origin``, else the only remote.
        branch: None where HEAD is detached.
        remotes: URLs by name. All URLs here are without credentials.
    """

    root: Path
    head: str | None = None
    remote_url: str | None = None
    branch: str | None = None
    remotes: dict[str, str] = {}


def read_git(folder: Path, environ: Mapping[str, str]) -> GitInfo | None:
    """Read the repository that ``folder`` is in, or that GIT_DIR names; None outside Git."""
    repository = _discover(Path(os.path.realpath(folder)), environ)
    if repository is None:
        return None
    config = _read_config(repository)
    if _uses_reftable(config):
        head, _, reference = _ask_git(repository, environ, "HEAD", "--symbolic-full-name", "HEAD").partition("\n")
    else:
        head, reference = _resolve_head(repository)
    branch = reference.removeprefix("refs/heads/") if reference.startswith("refs/heads/") else None
    names = {key: key[len("remote.") : -len(".url")] for key in config if re.fullmatch(r"remote\..+\.url", key)}
    remotes = {name: strip_credentials(config[key][0]) for key, name in names.items() if config[key][0]}
    return GitInfo(
        root=repository.root,
        head=head if re.fullmatch("[0-9a-f]{40}", head) else None,
        remote_url=_choose_remote(remotes, config.get(f"branch.{branch}.remote", [""])[-1]),
        branch=_printable(branch) if branch else None,
        remotes=remotes,
    )


def has_reference(folder: Path, environ: Mapping[str, str], name: str) -> bool:
    """Tell whether the repository that ``folder`` is in has a reference, ``refs/heads/main`` for example."""
    repository = _discover(Path(os.path.realpath(folder)), environ)
    if repository is None:
        return False
    if _uses_reftable(_read_config(repository)):
        return bool(_ask_git(repository, environ, "--verify", "--quiet", name))
    return bool(_read_reference(repository, name))


def resolve_remote(remotes: Mapping[str, str], name_or_url: str) -> str | None:
    """The URL that DVC_EXP_GIT_REMOTE or DVC's ``exp.git_remote`` means; None for a name that no remote has."""
    if name_or_url in remotes:
        return remotes[name_or_url]
    return strip_credentials(name_or_url) if re.search("[:/]", name_or_url) else None


def repo_url(git: GitInfo | None, configured: str | None, git_remote: str | None, *, host: str, folder: Path) -> str:
    """Decide on the repository that an experiment belongs to; the answer holds no credentials.

    Args:
        git: What ``read_git`` found.
        configured: ``StudioConfig.repo_url``.
        git_remote: ``StudioConfig.git_remote``, which wins over ``configured``.
        host: This machine's name; with ``folder`` it stands in for a remote where there is none.
        folder: Top of the project, absolute.
    """
    named = resolve_remote(git.remotes if git else {}, git_remote) if git_remote else None
    if named:
        return named
    if configured:
        return strip_credentials(configured)
    return (git.remote_url if git else None) or local_url(host, folder)


def local_url(host: str, folder: Path) -> str:
    """Name a project that has no remote: ``local://<host>/<folder>``."""
    return f"local://{host}/{_printable(folder.as_posix().lstrip('/'))}"


def strip_credentials(url: str) -> str:
    """Remove user, password and tokens from a Git URL; the ``git`` of ssh stays, paths and file:// are left alone.

    >>> strip_credentials("https://me:secret@github.com/o/r.git?private_token=x")
    'https://github.com/o/r.git'
    """
    url = url.strip()
    scheme, separator, rest = url.partition("://")
    if not separator:
        stripped = _strip_scp(url)
        return stripped if stripped == url else strip_credentials(stripped)
    if scheme.lower() == "file" or scheme.startswith(("/", ".", "~")):
        return url
    authority, tail = _split_authority(rest)
    userinfo, _, host = authority.rpartition("@")
    user = _harmless_user(userinfo) if "ssh" in scheme.lower() else ""
    location, mark, fragment = tail.partition("#")
    path, _, query = location.partition("?")
    parts = re.split("[&;]", query)
    kept = [part for part in parts if not SECRET_PARAMETER.search(part.partition("=")[0])]
    query = query if kept == parts else "&".join(kept)
    fragment = "" if SECRET_PARAMETER.search(fragment) else mark + fragment
    return f"{scheme}://{user}{host}{path}{'?' * bool(query)}{query}{fragment}"


def _split_authority(rest: str) -> tuple[str, str]:
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    healthy = re.fullmatch(r"(.*@)?(\[[^\]]*\]|[^:@]*)(:[0-9]*)?", authority)
    if not healthy and "@" in tail:  # a password with an unescaped slash: what looks like a port is its beginning
        return _split_authority(tail.partition("@")[2])
    return authority, tail


def _strip_scp(url: str) -> str:
    """Strip ``user@host:path``. As for Git, it is a path unless a colon comes before the first slash."""
    head, colon, path = url.partition(":")
    if not colon or "/" in head or path.startswith(":"):
        return url
    userinfo, _, host = head.rpartition("@")
    if not userinfo and re.match("[^/]*@[^/@]*:", path):  # user:password@host:path
        userinfo = head
        host, _, path = path.partition("@")[2].rpartition("@")[2].partition(":")
    return f"{_harmless_user(userinfo)}{host}:{path}"


def _harmless_user(userinfo: str) -> str:
    return "git@" if userinfo.partition(":")[0] == "git" else ""


def _choose_remote(remotes: Mapping[str, str], tracked: str) -> str | None:
    only = next(iter(remotes.values())) if len(remotes) == 1 else None
    return resolve_remote(remotes, tracked) or remotes.get("origin") or only


class _Repository(msgspec.Struct, frozen=True):
    root: Path
    git_dir: Path
    common_dir: Path


def _discover(folder: Path, environ: Mapping[str, str]) -> _Repository | None:
    named = environ.get("GIT_DIR")
    if named:
        return _open(folder / environ.get("GIT_WORK_TREE", ""), folder / named)
    for parent in (folder, *folder.parents):
        git_dir = parent / ".git"
        pointer = _read_text(git_dir)
        if pointer is not None:  # a worktree or submodule; where it points nowhere, Git does not look further up
            return _open(parent, parent / pointer.removeprefix("gitdir:").strip())
        found = _open(parent, git_dir) or _open(parent, parent)
        if found:
            return found
    return None


def _open(root: Path, git_dir: Path) -> _Repository | None:
    if not os.path.lexists(git_dir / "HEAD"):
        return None
    common_dir = git_dir / (_read_text(git_dir / "commondir") or "").strip()
    if (common_dir / "objects").is_dir() and (common_dir / "refs").is_dir():
        return _Repository(root, git_dir, common_dir)
    return None


def _read_text(path: Path) -> str | None:
    """The file as text; bytes that are not UTF-8 become surrogates, so that they still name the same file."""
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def _printable(text: str) -> str:
    """Replace what JSON cannot carry."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _resolve_head(repository: _Repository) -> tuple[str, str]:
    """The commit of HEAD ("" if there is none), and the last reference on the way to it."""
    name = "HEAD"
    for _ in range(MAX_SYMBOLIC_DEPTH + 1):
        content = _read_reference(repository, name)
        if not content.startswith("ref:"):
            return content.lower(), name
        name = content.removeprefix("ref:").strip()
    return "", name


def _read_reference(repository: _Repository, name: str) -> str:
    if name != "HEAD" and (not name.startswith("refs/") or ".." in name):
        return ""
    if name.startswith(("HEAD", "refs/bisect/", "refs/worktree/", "refs/rewritten/")):
        path = repository.git_dir / name
    else:
        path = repository.common_dir / name
    if name == "HEAD" and path.is_symlink():  # core.preferSymlinkRefs
        return f"ref: {path.readlink()}"
    content = _read_text(path)
    return _read_packed(repository, name) if content is None else content.strip()


def _read_packed(repository: _Repository, name: str) -> str:
    """Search packed-refs, lines of ``<commit> <name>``, as one block: splitting 100,000 lines would take 20 ms."""
    try:
        content = (repository.common_dir / "packed-refs").read_bytes()
    except OSError:
        return ""
    end = content.find(f" {name}\n".encode(errors="surrogateescape"))
    return content[content.rfind(b"\n", 0, end) + 1 : end].decode(errors="replace") if end > 0 else ""


def _uses_reftable(config: Mapping[str, list[str]]) -> bool:
    return config.get("extensions.refstorage", [""])[-1].lower() == "reftable"


def _ask_git(repository: _Repository, environ: Mapping[str, str], *question: str) -> str:
    """Ask ``git rev-parse``; "" where it has no answer."""
    import subprocess  # noqa: PLC0415 - 7 ms that only reftable repositories pay

    command = ["git", f"--git-dir={repository.git_dir}", "rev-parse", *question]
    try:
        answer = subprocess.run(
            command, capture_output=True, check=True, env=dict(environ), stdin=subprocess.DEVNULL, timeout=GIT_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace").strip()


def _read_config(repository: _Repository) -> dict[str, list[str]]:
    """All values by ``section.key`` or ``section.subsection.key``; includes are not followed."""
    values: dict[str, list[str]] = {}
    _parse_config(_read_text(repository.common_dir / "config") or "", values)
    if values.get("extensions.worktreeconfig", ["false"])[-1].lower() in {"true", "yes", "on", "1"}:
        _parse_config(_read_text(repository.git_dir / "config.worktree") or "", values)
    return values


def _parse_config(text: str, values: dict[str, list[str]]) -> None:
    section = ""
    for raw in _printable(text).replace("\\\n", "").split("\n"):
        line = raw.strip()
        header = re.match(r'\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]\s*', line)
        if header:
            subsection = re.sub(r"\\(.)", r"\1", header[2]) + "." if header[2] is not None else ""
            section = f"{header[1].lower()}.{subsection}"
            line = line[header.end() :]  # a key may follow in the same line
        entry = re.match(r"([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$", line)
        if entry:
            value = "true" if entry[2] is None else _parse_value(entry[2])
            values.setdefault(section + entry[1].lower(), []).append(value)


def _parse_value(text: str) -> str:
    """Undo the quotes and escapes of a value of Git's config, and cut the comment behind it."""
    value = ""
    for quoted, escaped, comment, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|\\(.)|([#;].*)|([^"\\#;]+)', text):
        if comment:
            break
        value += re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), quoted)
        value += plain + ESCAPES.get(escaped, escaped)
    return value.strip()

"""Which repository a URL means, whatever its spelling, so that every client's runs meet in one project.

Two clones of one repository rarely agree on its URL: one goes by ssh, one by https, one carries a token, one ends in
``.git``. What they share is the host and the path, so the normal form is ``host/path``: the scheme, the user, the port
and the parameters say how to get in, not where. It is a key to compare by, never an address to fetch from, and holds
no credentials. A normal form is its own normal form.

    git@github.com:Owner/Repo.git            github.com/owner/repo
    https://token@github.com/owner/repo      github.com/owner/repo
    ssh://git@git.lab.org:2222/g/s/r.git/    git.lab.org/g/s/r
    file:///srv/git/r.git  and  /srv/git/r   /srv/git/r
    local://node7/home/me/iris               local://node7/home/me/iris
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_CASELESS_HOSTS: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
"""Forges where Owner/Repo and owner/repo are one repository."""
_OTHER_NAMES: Final = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "www.gitlab.com": "gitlab.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Hosts by which a forge goes too, mostly for ssh over port 443."""
_EDGES: Final = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace() or sign == ".")
"""Of a host's name, to be left off. Not by a pattern, whose time grows with the square of what a stranger sends."""
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.\d+){3}|\[::1\]", re.IGNORECASE)
"""Here, and only here, another port is likely to be another server: a tunnel, a forge under test."""
_DEFAULT_PORTS: Final = frozenset({"", "22", "80", "443", "9418"})
_MAX_NAME: Final = 100


class _Place(msgspec.Struct, frozen=True):
    """Where a URL points. ``host`` is empty for a folder, and ``local://<host>`` for a project without a remote."""

    host: str
    path: str


def normalise(url: str) -> str:
    """The normal form of a repository's URL; empty where there is none in it.

    >>> normalise("ssh://git@github.com:22/Owner/Repo.git")
    'github.com/owner/repo'
    """
    place = _locate(url)
    return f"{place.host}/{place.path}" if place.host or place.path else ""


def project_name(url: str) -> str:
    """What to call the project of a repository: owner and repository, or the folder's name.

    >>> project_name("git@github.com:Owner/Repo.git")
    'Owner/Repo'
    """
    place = _locate(url, keep_case=True)
    hosted = place.host and "://" not in place.host
    parts = [part for part in place.path.split("/") if part not in {"", "_git"}]
    name = "/".join(parts[-2 if hosted else -1 :]) or place.host.partition("://")[2] or place.host
    printable = "".join(character if character.isprintable() else " " for character in name).strip()
    return printable[-_MAX_NAME:] or "unnamed"


def normalise_subdir(subdir: str | None) -> str:
    """The folder of a project inside its repository, ``""`` for all of it: ``./a//b/`` is ``a/b``."""
    return "/".join(part for part in (subdir or "").split("/") if part not in {"", "."})


def shows(project_subdir: str, experiment_subdir: str) -> bool:
    """Whether a project shows an experiment of its repository: unless both name a folder, and not the same one."""
    project, experiment = normalise_subdir(project_subdir), normalise_subdir(experiment_subdir)
    return not project or not experiment or project == experiment


def _locate(url: str, *, keep_case: bool = False) -> _Place:
    text = url.strip()
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if separator and scheme == "local":
        host, _, path = rest.partition("/")
        return _Place(f"local://{host}", path.rstrip("/"))
    if separator and scheme == "file":
        return _Place("", _tidy(rest[rest.find("/") :] if "/" in rest else ""))
    if not separator and text.startswith(("/", ".", "~")):
        return _Place("", _tidy(text))
    host, path = _split_url(rest) if separator else _split_scp(text)
    return _hosted(host, path, keep_case=keep_case)


def _split_url(rest: str) -> tuple[str, str]:
    """Host (with a port) and path of what stands behind ``://``."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    while "@" in tail and not re.fullmatch(r"(.*@)?(\[[^\]]*\]|[^:@]*)(:[0-9]*)?", authority):
        rest = tail.partition("@")[2]  # a password with an unescaped slash: what looked like a port was its beginning
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        tail = rest[len(authority) :]
    return authority.rpartition("@")[2], re.split("[?#]", tail, maxsplit=1)[0]


def _split_scp(text: str) -> tuple[str, str]:
    """Host and path of ``user@host:path``, and of a normal form, ``host/path``."""
    text = re.split("[?#]", text, maxsplit=1)[0]
    match = re.fullmatch(r"(?s)(?:[^/]*@)?(\[[^\]]*\]|[^/:@]*)(?::(?!//)|(/))(.*)", text)
    if match is None:
        return text.rpartition("@")[2], ""
    host, slash, path = match.groups()
    port = re.match(r"\d+(?=/)", path)
    if not slash and port and _LOOPBACK.fullmatch(host):
        return f"{host}:{port[0]}", path[port.end() :]
    return host, path


def _hosted(host: str, path: str, *, keep_case: bool) -> _Place:
    name, port = re.fullmatch(r"(?s)(\[[^\]]*\]|[^:]*):?(.*)", host).groups()  # type: ignore[union-attr] # matches all
    name = name.lower().lstrip(f"{_EDGES}~").rstrip(_EDGES)  # no host begins as a path does
    name = _OTHER_NAMES.get(name, name)
    if name == "ssh.dev.azure.com":  # Azure's ssh paths have another shape: v3/organisation/project/repository
        name, path = "dev.azure.com", re.sub(r"^/*v3/(.*)/([^/]+)$", r"\1/_git/\2", path)
    if name in _CASELESS_HOSTS and not keep_case:
        path = path.lower()
    kept_port = f":{port}" if _LOOPBACK.fullmatch(name) and port not in _DEFAULT_PORTS else ""
    return _Place(name + kept_port, _tidy(path))


def _tidy(path: str) -> str:
    """A path without ``.git``, repeated and outer slashes; undone are the escapes that can be undone only once."""
    path = re.sub("%20", " ", re.sub("%7e", "~", path, flags=re.IGNORECASE))
    parts = [part for part in path.split("/") if part not in {"", "."}]
    while parts:
        name = parts[-1].strip()
        while name.endswith(".git"):
            name = name[: -len(".git")].strip()
        if name not in {"", "."}:
            return "/".join([*parts[:-1], name])
        parts.pop()
    return ""

"""The package's static files: one version over all of them, kept for good by browsers under it, compressed once.

A page names ``static/<version>/<file>``, and modules import each other relatively, so that everything a page loads is
of one version. That address is immutable. Without a version a file is asked for anew each time. A version that is not
this one is what a tab from before an upgrade still asks for: a module of today among those of yesterday may do
anything, so as a module it is told to load its page again; what is no script comes as it is now.

Of our own modules what is served has no comments: they are a quarter of what would be sent.

Files are read once, when first needed. In a Git checkout, where they are edited, every page looks whether they changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import re
import zlib
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Literal

import msgspec
from aiohttp import hdrs, web

from livestream.studio.http.compressing import accepts_gzip, gzipped
from livestream.studio.http.problems import ProblemError
from livestream.studio.http.routes import Route

FOLDER: Final = Path(__file__).parent.parent / "static"
MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
"""What is served; other files, such as the lock of the libraries, are not."""
RELOAD: Final = b"location.reload();\n"

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_MIN_GZIP_BYTES: Final = 512
_PACKED: Final = frozenset({".woff2"})
_VERSION: Final = re.compile(r"[0-9a-f]{16}")
_IMPORT: Final = re.compile(r"""\b(?:import|from)\s*["'](\.[^"'\s]+)["']""")
"""What a module needs before it runs; an ``import()`` comes later, and has a parenthesis."""
_COMMENT: Final = re.compile(rb"^[ \t]*(?://.*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*)$", re.MULTILINE)
"""A comment on lines of its own; no text of the modules has such lines, which a test looks after."""


class Asset:
    """A file as it is served."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.content = content
        self.media_type = MEDIA_TYPES[posixpath.splitext(name)[1]]
        self.etag = hashlib.sha256(content).hexdigest()[:32]
        self._gzip: bytes | None = None

    async def gzip(self) -> bytes | None:
        """Give it compressed, made at the first time; None where that saves nothing."""
        if len(self.content) < _MIN_GZIP_BYTES or posixpath.splitext(self.name)[1] in _PACKED:
            return None
        if self._gzip is None:
            self._gzip = await asyncio.to_thread(gzipped, self.content, zlib.Z_BEST_COMPRESSION)
        return self._gzip

    @cached_property
    def imports(self) -> list[str]:
        """The names of the modules that a module imports statically."""
        folder = posixpath.dirname(self.name)
        found = _IMPORT.findall(self.content.decode("utf-8", "replace"))
        return [posixpath.normpath(posixpath.join(folder, path)) for path in found]


def lean(name: str, content: bytes) -> bytes:
    """Leave out the comments of a module of ours; lines stay where they are, so that an error names the file's line."""
    if not (name.startswith("app/") and name.endswith(".js")):
        return content
    return _COMMENT.sub(lambda found: b"\n" * found[0].count(b"\n"), content)


class Assets:
    """All files of a folder. ``is_edited``: look for changes each time a page is made."""

    def __init__(self, folder: Path, *, is_edited: bool = False) -> None:
        self._folder = folder
        self._is_edited = is_edited
        self._seen = self._look()
        self._read()

    def refresh(self) -> None:
        """Read anew what was edited."""
        if self._is_edited and (seen := self._look()) != self._seen:
            self._seen = seen
            self._read()

    def find(self, name: str) -> Asset | None:
        """Give a file."""
        return self._files.get(name)

    def names(self, folder: str, suffix: str) -> list[str]:
        """Give the names of the files in a folder, sorted."""
        return [name for name in self._files if name.startswith(f"{folder}/") and name.endswith(suffix)]

    def needed(self, modules: Iterable[str]) -> list[str]:
        """Give modules with all that they import, in the order in which they are met; those that are not there: not."""
        found: dict[str, None] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop(0)
            asset = self._files.get(name)
            if asset is not None and name not in found:
                found[name] = None
                waiting += asset.imports
        return list(found)

    def _look(self) -> dict[str, tuple[int, int]]:
        paths = (path for path in sorted(self._folder.rglob("*")) if path.suffix in MEDIA_TYPES)
        return {
            path.relative_to(self._folder).as_posix(): (status.st_mtime_ns, status.st_size)
            for path in paths
            for status in [path.stat()]
        }

    def _read(self) -> None:
        self._files = {name: Asset(name, lean(name, (self._folder / name).read_bytes())) for name in self._seen}
        whole = hashlib.sha256()
        for name, asset in self._files.items():
            whole.update(f"{name}\0{asset.etag}\0".encode())
        self.version = whole.hexdigest()[:16]


@cache
def assets() -> Assets:
    """Give the package's own."""
    return Assets(FOLDER, is_edited=(FOLDER.parents[2] / ".git").exists())


def address_of(name: str) -> str:
    """Give the immutable address of a file, from the Studio's first page."""
    return f"static/{assets().version}/{name}"


class Asked(msgspec.Struct, frozen=True):
    """What an address means: a file, and whether its version is this one, another one, or not told."""

    name: str
    version: Literal["this", "other", "none"]


def read_address(path: str, version: str) -> Asked:
    """Read what stands behind ``static/``."""
    first, _, rest = path.partition("/")
    if rest and _VERSION.fullmatch(first):
        return Asked(rest, "this" if first == version else "other")
    return Asked(path, "none")


async def serve_static(request: web.Request) -> web.Response:
    """Serve a file of the package."""
    asked = read_address(request.match_info["name"], assets().version)
    if asked.version == "other" and asked.name.endswith(".js"):
        headers = {hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(body=RELOAD, content_type="text/javascript", charset="utf-8", headers=headers)
    asset = assets().find(asked.name)
    if asset is None:
        raise ProblemError(404, "there is no such file")
    packed = await asset.gzip()
    is_packed = packed is not None and accepts_gzip(request)
    etag = f"{asset.etag}-gzip" if is_packed else asset.etag
    headers = {
        hdrs.CACHE_CONTROL: _IMMUTABLE if asked.version == "this" else "no-cache",
        hdrs.ETAG: f'"{etag}"',
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if any(tag.value in {etag, "*"} for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if is_packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    body = packed if is_packed else asset.content
    return web.Response(body=body, content_type=asset.media_type, charset="utf-8", headers=headers)


ROUTES: Final = (
    Route(
        method="GET",
        path="/static/{name}",
        handler=serve_static,
        summary="Serve a file of the package.",
        scope=None,
        listed=False,
        texts=("name",),
    ),
)

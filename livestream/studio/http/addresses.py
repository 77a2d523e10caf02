"""Addresses: what a browser calls this Studio, who is at the other end, and whether a request came from our own page.

Links inside pages and redirects are relative, so they hold under any prefix that a reverse proxy takes off.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from livestream.studio.http.context import services_of
from livestream.studio.settings import LOOPBACK_HOSTS

_PORTS: Final = {"http": 80, "https": 443}


def base_url(request: web.Request) -> str:
    """Give the address under which the client reaches this Studio, without a slash at its end."""
    public = services_of(request).settings.public_url
    return public.rstrip("/") if public else f"{request.scheme}://{request.host}"


def root_of(request: web.Request) -> str:
    """Give the way from the page asked for to the Studio's first page: ``./`` or ``../`` and so on."""
    return "../" * (request.rel_url.raw_path.count("/") - 1) or "./"


def is_loopback(host: str) -> bool:
    """Whether a host names this machine only."""
    host = host.strip("[]").lower()
    if host in LOOPBACK_HOSTS:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(netloc: str) -> str:
    """Give the host of a ``host:port``, in small letters, without brackets; "" for what is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def client_address(request: web.Request) -> str:
    """Give the address that rates count by.

    Behind a reverse proxy on this machine (a public URL is set, and the peer is loopback) that is what the proxy put
    last into ``X-Forwarded-For``; everywhere else that header is anybody's to write.
    """
    peer = request.remote or ""
    if services_of(request).settings.public_url and is_loopback(peer):
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", [])).rpartition(",")[2].strip()
        return forwarded[:64] or peer
    return peer


def comes_from_elsewhere(request: web.Request) -> bool:
    """Whether another site's link led here: then the browser keeps the cookie to itself, signed in or not."""
    return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}


def is_from_own_page(request: web.Request) -> bool | None:
    """Whether a browser says that a page of ours sent this; None where nothing says anything.

    Plain HTTP between machines brings no ``Sec-Fetch-Site``, and old browsers neither, so ``Origin`` speaks too; where
    both do, both must agree.
    """
    said: list[bool] = []
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        said.append(site == "same-origin")
    origin = request.headers.get("Origin")
    if origin is not None:
        said.append(_is_own(request, origin))
    return all(said) if said else None


def _is_own(request: web.Request, origin: str) -> bool:
    public = services_of(request).settings.public_url
    if public and _origin(origin) == _origin(public):
        return True
    # A proxy may end TLS without our knowing: the scheme is the browser's word, the host is what counts.
    scheme = origin.partition("://")[0]
    return _origin(origin) is not None and _origin(origin) == _origin(f"{scheme}://{request.host}")


def _origin(url: str) -> tuple[str, str, int] | None:
    """Give scheme, host and port; None for what has none, such as ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.scheme in _PORTS and parts.hostname else None

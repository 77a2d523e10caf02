"""Which address, proxy and certificate authorities a request uses: the answers that come from settings.

The URL is joined as dvc-studio-client joins it, so that one environment means one address for both. What that client
does not do: it is refused when the join ends on another host, because the token was given for this one.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

from yarl import URL

from livestream.pipeline.decide import Misdirected
from livestream.sinks.base import Target

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the first that is set counts
NOT_ASKED = 0  # the status of an outcome that no server had a part in


class SettingError(Exception):
    """A proxy or certificate variable cannot be used; trying again helps only once it is mended."""


def address_of(target: Target) -> URL | Misdirected:
    """Give the full URL for posts, or say why nothing may be sent there."""
    try:
        base, address = URL(target.url), URL(urljoin(target.url, target.endpoint or "api/live"))
    except ValueError:
        return _refuse("it cannot be read as a URL")
    if base.scheme not in ("http", "https") or not base.host:
        return _refuse("it has to begin with http:// or https:// and name a host")
    if base.user is not None or base.password is not None:
        return _refuse("it holds a user name or a password, which exclude a token; remove them")
    same_host = (address.scheme, address.host, address.port) == (base.scheme, base.host, base.port)
    if not same_host or address.user is not None or address.password is not None:
        return _refuse("the endpoint names another host, and the token was given for this one only")
    return address


def proxy_for(address: URL, environ: Mapping[str, str]) -> URL | None:
    """Find the proxy that the usual variables name: ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``.

    Raises:
        SettingError: The proxy's URL cannot be used.
    """
    name, value = _variable(environ, f"{address.scheme}_proxy", "all_proxy")
    if not value or _goes_direct(address, _variable(environ, "no_proxy")[1]):
        return None
    try:
        proxy = URL(value if "://" in value else f"http://{value}")
    except ValueError:
        raise SettingError(f"{name} cannot be read as a URL") from None
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise SettingError(f"{name} names a {proxy.scheme} proxy; only http and https ones can be used")
    return proxy


def authorities(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Load the certificate authorities that the environment names, else the system's.

    Raises:
        SettingError: The file or folder is not there, or holds no certificates.
    """
    name, path = _variable(environ, *CA_VARIABLES)
    if not path:
        return ssl.create_default_context()
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise SettingError(f"{name} names {path}, which holds no usable certificates: {error}") from error


def _goes_direct(address: URL, no_proxy: str) -> bool:
    host = (address.host or "").lower()
    spellings = (host, f"{host}:{address.port}")
    for item in no_proxy.lower().split(","):
        name = item.strip().removeprefix("*.").lstrip(".")
        if name == "*" or (name and any(text == name or text.endswith("." + name) for text in spellings)):
            return True
        if _contains(name, host):
            return True
    return False


def _contains(network: str, host: str) -> bool:
    # Clusters write 10.0.0.0/8, which requests and curl understand.
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _variable(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    for name in names:
        for spelling in (name, name.lower(), name.upper()):
            if environ.get(spelling):
                return spelling, environ[spelling]
    return names[0], ""


def _refuse(problem: str) -> Misdirected:
    return Misdirected(NOT_ASKED, None, f"the Studio URL cannot be used: {problem}")

"""Says in one line why a request failed, for a person who reads ``livestream status``; it never quotes a header."""

from __future__ import annotations

import os

import aiohttp


def describe(error: Exception, server: str) -> str:
    """Name the failure.

    Args:
        error: What aiohttp or a socket raised.
        server: Host and port, for the text.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
        return f"{server}: its certificate is not trusted ({reason}); name your authority's file in SSL_CERT_FILE"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"{server}: the proxy {error.host}:{error.port} cannot be reached ({_system_words(error.os_error)})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{server}: cannot connect ({_system_words(error.os_error)})"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{server}: the proxy refused the connection ({error.status})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return f"{server}: closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"{server}: its answer was cut off, or came before it had read the request"
    if isinstance(error, OSError):
        return f"{server}: {_system_words(error)}"
    return f"{server}: {type(error).__name__}"


def _system_words(error: OSError) -> str:
    # asyncio puts addresses into strerror; the number is what counts. Negative ones are getaddrinfo's own.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or type(error).__name__).lower()

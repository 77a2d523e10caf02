"""Errors as clients see them: JSON ``{"detail": "..."}`` that says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web


class ProblemError(Exception):
    """Ends a request with a status and a detail; raised by handlers, answered by the middleware.

    Attributes:
        status: 400 and up.
        detail: For people; starts with the path of the bad field where there is one. Holds no secret.
        headers: For example ``Retry-After``.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def encoded_response(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with JSON that is encoded already."""
    return web.Response(status=status, body=content, content_type="application/json", headers=dict(headers or {}))


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with the JSON of a value (msgspec's encoding)."""
    return encoded_response(msgspec.json.encode(value), status, headers)


def problem_response(problem: ProblemError) -> web.Response:
    """Answer with a problem."""
    return json_response({"detail": problem.detail}, problem.status, problem.headers)

"""A client of a few lines for the fake Studio's own tests: it posts what it is told, sound or not."""

from __future__ import annotations

import http.client
from typing import Any

import orjson

from livestream.testing import DEFAULT_TOKEN, FakeStudio

SERIES = "dvclive/plots/metrics/train/loss.tsv"


def body(kind: str = "data", **fields: Any) -> dict[str, Any]:
    base = {"type": kind, "repo_url": "git@host:o/r.git", "baseline_sha": "a" * 40, "name": "run", "client": "dvclive"}
    return {**base, **({"step": 1} if kind == "data" else {}), **fields}


def beat(**fields: Any) -> dict[str, Any]:
    base = {"repo_url": "r", "baseline_sha": "a" * 40, "name": "run", "writer": "w1"}
    return {**base, "rows": 0, "bytes": 0, "oldest_s": 0.0, "losses": {}, **fields}


def loss(*rows: tuple[int, float]) -> dict[str, Any]:
    return {SERIES: {"data": [{"step": step, "loss": value} for step, value in rows]}}


def ask(studio: FakeStudio, method: str, path: str, payload: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=10)
    sent = {"Authorization": f"token {DEFAULT_TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, payload, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(studio: FakeStudio, content: Any, **headers: str) -> tuple[int, bytes]:
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return ask(studio, "POST", "/api/live", payload, **headers)

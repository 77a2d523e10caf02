from __future__ import annotations

import base64
import json
from typing import Any

SHA = "a1" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
LOSS = "dvclive/plots/metrics/train/loss.tsv"


def body(**fields: Any) -> dict[str, Any]:
    """A sound body of kind data; fields given as None are left out."""
    whole = {
        "type": "data",
        "repo_url": "https://github.com/team/iris.git",
        "baseline_sha": SHA,
        "name": "brave-otter",
        "client": "dvclive",
        "step": 3,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def encoded(**fields: Any) -> bytes:
    return json.dumps(body(**fields)).encode()


def rows(count: int, *, column: str = "loss", first: int = 0) -> list[dict[str, Any]]:
    return [{"step": first + index, column: index / 7 + 0.5} for index in range(count)]


def large_body(count: int, **fields: Any) -> bytes:
    """A body with one plot of so many rows, some 40 bytes each."""
    return encoded(plots={LOSS: {"data": rows(count)}}, **fields)


def picture(content: bytes = PNG) -> str:
    return base64.b64encode(content).decode()

"""Runs for the tests of the read API, posted as clients post them, and how to ask about them."""

from __future__ import annotations

import base64
from typing import Final

from studio_stage import Client, body, scalars

from livestream.events import Json, JsonObject

PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
METRICS: Final = "dvclive/metrics.json"
PARAMS: Final = "dvclive/params.yaml"
OTHER_REPO: Final = "git@gitlab.com:team/other.git"
HOSTILE: Final = (
    "'; DROP TABLE experiment; --",
    '" OR 1=1 --',
    "1); DELETE FROM point; --",
    "%00",
    "\x00",
    "nan",
    "NaN",
    "-inf",
    "1e999",
    "9" * 30,
    "9" * 900,
    "-9223372036854775809",
    "18446744073709551616",
    "true",
    "null",
    "\\u0000",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\u202e\U0001f600",
    "%",
    "_",
    "[",
    '"',
    " ",
    "",
)
"""Texts that break what is not careful; every parameter of every route must survive each."""


async def add_run(client: Client, name: str, *, step: int = 1, acc: Json = 0.5, **more: Json) -> int:
    """Post one step of a run; gives its id."""
    sent: JsonObject = {
        "params": {PARAMS: {"lr": 0.1, "opt": "adam", "a.b": {'q"c]': 7}}},
        "metrics": {METRICS: {"data": {"step": step, "train": {"acc": acc}}}},
    }
    answer = await client.post(body(name=name, step=step, **{**sent, **more}))
    experiment: int = answer["experiment"]
    return experiment


def image(content: bytes, name: str = "images/a.png") -> JsonObject:
    """Give ``plots`` with an image."""
    return {f"dvclive/plots/{name}": {"image": base64.b64encode(content).decode()}}


async def names(client: Client, **query: str) -> list[str]:
    """Give the names of the experiments that a query lists, in its order."""
    answer = await client.get("/api/experiments", **query)
    return [experiment["name"] for experiment in answer["experiments"]]


async def refused(client: Client, path: str, **query: str) -> str:
    """Ask something that must be a 400, and give what it says."""
    status, answer = await client("GET", path, params=query)
    assert status == 400, (status, answer)
    detail: str = answer["detail"]
    return detail


async def add_rows(client: Client, name: str, count: int) -> int:
    """Post a run of one series with ``count`` rows, in bodies that are applied at once; gives its id."""
    number = 0
    for start in range(0, count, 2000):
        rows = [(step, step / 7) for step in range(start, min(start + 2000, count))]
        number = await add_run(client, name, step=start, plots=scalars(rows))
    return number

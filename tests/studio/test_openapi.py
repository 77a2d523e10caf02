from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
import schemathesis
from api_cases import METRICS, PNG, image
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from studio_stage import Client, RunningStudio, body, open_studio, scalars

from livestream.events import Json
from livestream.studio.app import ROUTES
from livestream.studio.http.openapi import document
from livestream.studio.query import parse_condition, parse_sort

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
UNSAFE: Final = r"^/api/(feed|tokens|alerts/\{id\}/test)"
"""One never ends; by others the test would end its own token; the last posts to whatever address a rule has."""

_schema = schemathesis.openapi.from_dict(json.loads(msgspec.json.encode(document(ROUTES))))
schema: Final = _schema.exclude(path_regex=UNSAFE)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    with RunningStudio(tmp_path_factory.mktemp("openapi") / "data") as running:
        asyncio.run(_fill(running))
        yield running


async def _fill(studio: RunningStudio) -> None:
    async with aiohttp.ClientSession() as session:
        client = Client(session, studio.url, studio.token)
        for name in ("a", "b", "c"):
            plots = scalars([(step, 1 / (step + 1)) for step in range(2000)]) | image(PNG)
            plots |= {"dvclive/plots/custom/c.json": {"data": [{"x": 1}]}}
            metrics = {METRICS: {"data": {"acc": "nan", "loss": 0.5}}}
            await client.post(body(name=name, step=1, plots=plots, metrics=metrics))
        await client.post(body("done", "a", errors=[{"cls": "E", "text": "t"}]))


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: schemathesis.Case[Json], studio: RunningStudio) -> None:
    if isinstance(case.query, dict):
        case.query.pop("wait_s", None)  # it would wait
    for name, value in (case.path_parameters or {}).items():
        if str(value).isdecimal():
            case.path_parameters[name] = str(int(value) % 6)  # else hardly any would be there
    query = [text for value in (case.query or {}).values() for text in (value if isinstance(value, list) else [value])]
    assume(sum(len(quote(str(text))) + 20 for text in query) < 7_000)  # aiohttp refuses longer lines by itself
    headers = {"Authorization": f"token {studio.token}"}
    case.call_and_validate(base_url=studio.url, headers=headers, checks=CHECKS, timeout=30)


async def test_the_document_is_served_to_anybody(tmp_path: Path) -> None:
    async with open_studio(tmp_path / "data") as running:
        anybody = running.with_token(None)
        first = await anybody.get("/api/openapi.json")
        assert first == json.loads(msgspec.json.encode(document(ROUTES)))
        assert await anybody.get("/api/openapi.json") == first
        assert first["openapi"] == "3.1.0"


def test_every_route_of_the_api_is_in_the_document() -> None:
    told = document(ROUTES)["paths"]
    for route in ROUTES:
        if route.listed:
            assert route.method.lower() in told[route.path], route.path
            operation = told[route.path][route.method.lower()]
            assert operation["summary"]
            assert {name["name"] for name in operation["parameters"] if name["in"] == "path"} == set(
                re.findall(r"\{(\w+)\}", route.path)
            )


def test_operations_have_names_of_their_own_and_references_lead_somewhere() -> None:
    made = document(ROUTES)
    names = [one["operationId"] for path in made["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    text = msgspec.json.encode(made).decode()
    for name in set(re.findall(r"#/components/schemas/([^\"]+)", text)):
        assert name in made["components"]["schemas"], name


def test_the_examples_of_filters_and_sorts_can_be_read() -> None:
    operation = document(ROUTES)["paths"]["/api/experiments"]["get"]
    examples: dict[str, list[Json]] = {
        one["name"]: one["schema"].get("examples", []) for one in operation["parameters"] if one["in"] == "query"
    }
    assert [parse_condition(text) for example in examples["filter"] for text in example]
    assert [parse_sort(text) for example in examples["sort"] for text in example]

"""The OpenAPI document: what the routes say of themselves, and the schemas of their msgspec types.

It is made from the routes that are served, when it is first asked for, so that there is no second place to keep right.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from aiohttp import web

from livestream._version import __version__
from livestream.events import Json, JsonObject
from livestream.studio import query as language
from livestream.studio.http.problems import encoded_response
from livestream.studio.http.routes import Route
from livestream.studio.http.security import GUARD

_INTRODUCTION: Final = """\
The HTTP interface of a livestream Studio.

Send `Authorization: token <token>` (or `Bearer`); a browser that is signed in sends its cookie, and may change things
from pages of the Studio only. The scope `admin` includes `read` and `ingest`. A token for one project sees nothing of
the others.

Times are seconds since the epoch, as floats. A number that JSON cannot hold is the text "nan", "inf" or "-inf".
Errors are `{"detail": "..."}` and begin with the path of the bad field where there is one. Ids are whole numbers.

## Filters and sorts

"""


class Detail(msgspec.Struct, frozen=True):
    """What went wrong, where, and what to do about it."""

    detail: str


_EVERYWHERE: Final[Mapping[int, str]] = {
    400: "A parameter or field is wrong; the detail begins with its name.",
    500: "The Studio failed; its log says why.",
    503: "Too much at once, or the disk is full: again after Retry-After.",
}
_WITH_BODY: Final[Mapping[int, str]] = {
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is no JSON, or says that it is none.",
}
_WITH_TOKEN: Final[Mapping[int, str]] = {
    401: "No token came, or an unknown one.",
    403: "The token lacks the scope, or the request comes from another site's page.",
    429: "Too many requests with this token: again after Retry-After.",
}


class _Made:
    """The document of the routes that were asked for last: making it takes milliseconds, and anybody may ask."""

    def __init__(self) -> None:
        self._routes: Mapping[tuple[str, str], Route] = {}
        self._content = b""

    def of(self, routes: Mapping[tuple[str, str], Route]) -> bytes:
        """Give the document as JSON."""
        if routes is not self._routes:
            self._content = msgspec.json.encode(document(routes.values()))
            self._routes = routes
        return self._content


_made: Final = _Made()


async def get_document(request: web.Request) -> web.Response:
    """Answer the document."""
    return encoded_response(_made.of(request.app[GUARD].routes))


def document(routes: Iterable[Route]) -> JsonObject:
    """Describe routes."""
    listed = sorted((route for route in routes if route.listed), key=lambda route: (route.path, route.method))
    schemas, components = _schemas(listed)
    paths: dict[str, JsonObject] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, components)
    queries = {_name(schemas[id(route.query)]) for route in listed if route.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "livestream Studio",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": _INTRODUCTION + inspect.cleandoc(language.__doc__ or ""),
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token with the scope that is asked."}
            },
        },
    }


def _schemas(routes: Sequence[Route]) -> tuple[dict[int, JsonObject], dict[str, JsonObject]]:
    """Give the schema of every type by its `id`, and the components that they refer to."""
    types: list[object] = [Detail]
    for route in routes:
        types += [one for one in (route.query, route.body, route.answer) if one is not None and not _is_media(one)]
    found, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    named = {id(one): schema for one, schema in zip(types, found, strict=True)}
    return named, {name: _tidy(schema) for name, schema in components.items()}


def _is_media(answer: object) -> bool:
    return isinstance(answer, str)


def _name(schema: Mapping[str, Json]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _tidy(schema: Json) -> Json:
    """Take the indentation of docstrings out of descriptions."""
    if isinstance(schema, dict):
        return {
            name: inspect.cleandoc(value) if name == "description" and isinstance(value, str) else _tidy(value)
            for name, value in schema.items()
        }
    return [_tidy(one) for one in schema] if isinstance(schema, list) else schema


def _operation(route: Route, schemas: Mapping[int, JsonObject], components: Mapping[str, JsonObject]) -> JsonObject:
    operation: JsonObject = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": _parameters(route, schemas, components),
        "responses": _responses(route, schemas),
        "security": [{"token": []}] if route.scope is not None else [],
    }
    if route.scope is not None:
        operation["description"] = f"Needs the scope `{route.scope}`."
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[id(route.body)]}},
        }
    return operation


def _parameters(
    route: Route, schemas: Mapping[int, JsonObject], components: Mapping[str, JsonObject]
) -> list[JsonObject]:
    found: list[JsonObject] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name, route)}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    if route.query is None:
        return found
    shape = components[_name(schemas[id(route.query)])]
    required = set(shape.get("required", ()))
    for name, described in shape["properties"].items():
        schema = {key: value for key, value in described.items() if key != "description"}
        parameter: JsonObject = {"name": name, "in": "query", "required": name in required, "schema": _given(schema)}
        if "description" in described:
            parameter["description"] = described["description"]
        found.append(parameter)
    return found


def _path_schema(name: str, route: Route) -> JsonObject:
    return {"type": "string", "minLength": 1} if name in route.texts else {"type": "integer", "minimum": 0}


def _given(schema: JsonObject) -> JsonObject:
    """A parameter that is left out is not null: it is not given."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    if len(kinds) == 1:
        return {**kinds[0], **rest}
    return {**rest, "anyOf": kinds} if kinds else rest


def _responses(route: Route, schemas: Mapping[int, JsonObject]) -> JsonObject:
    problems = {
        **_EVERYWHERE,
        **(_WITH_TOKEN if route.scope is not None else {}),
        **(_WITH_BODY if route.body is not None else {}),
        **_absences(route),
        **route.problems,
    }
    problem = {"application/json": {"schema": schemas[id(Detail)]}}
    answers: JsonObject = {"200": {"description": "Done.", **_content(route, schemas)}}
    for status, when in sorted(problems.items()):
        answers[str(status)] = {"description": when, "content": problem} if status >= 400 else {"description": when}
    return answers


def _absences(route: Route) -> Mapping[int, str]:
    return {404: "There is none, or the token's project does not show it."} if "{" in route.path else {}


def _content(route: Route, schemas: Mapping[int, JsonObject]) -> JsonObject:
    if route.answer is None:
        return {}
    if isinstance(route.answer, str):
        kinds = [kind.strip() for kind in route.answer.split(",")]
        return {"content": {kind: {"schema": {"type": "string"}} for kind in kinds}}
    return {"content": {"application/json": {"schema": schemas[id(route.answer)]}}}


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/openapi.json",
        handler=get_document,
        summary="This document.",
        scope=None,
        answer=JsonObject,
    ),
)

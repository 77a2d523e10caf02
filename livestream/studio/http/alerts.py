"""Alerts over HTTP: rules are made, changed, tried and deleted here.

By admins only: whoever makes a rule decides where the Studio posts to.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio.alerts.desk import Desk, NoRuleError, TooManyRulesError, Wish
from livestream.studio.alerts.keeper import MAX_RULES, Result
from livestream.studio.alerts.message import host_shown, problem_of
from livestream.studio.alerts.rules import Format, On, Rule, checked
from livestream.studio.http.context import Services, services_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route, body_of, id_of
from livestream.studio.http.shown import seconds
from livestream.studio.query import QueryError
from livestream.studio.store.errors import StoreError

T = TypeVar("T")

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Url = Annotated[str, Meta(min_length=1, max_length=2_000)]


class NewAlert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to be made.

    Attributes:
        project: Only this project's experiments; null: all.
        on: What is to be told.
        url: Where it is posted to, http or https; nobody is shown more of it than its host.
        format: ``slack`` is ``{"text": ...}``.
    """

    name: Name
    on: On
    url: Url
    project: int | None = None
    enabled: bool = True
    format: Format = "json"


class ChangedAlert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a rule as it is to be, as in `NewAlert`; ``url`` null: as it was."""

    name: Name
    on: On
    url: Url | None = None
    project: int | None = None
    enabled: bool = True
    format: Format = "json"


class AlertResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last message; ``time`` in seconds since the epoch."""

    time: float
    ok: bool
    detail: str


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule.

    Attributes:
        host: Of the address that it posts to.
        holds: Of how many experiments it holds now; each is told once.
        waiting: Messages that are not sent yet.
        last: Null where none was.
    """

    id: int
    name: str
    project: int | None
    on: On
    enabled: bool
    host: str
    format: Format
    created: float
    holds: int
    waiting: int
    last: AlertResult | None


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """All rules, in the order in which they were made."""

    alerts: list[AlertView]


class DeletedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """``deleted``: its id."""

    deleted: int


async def list_alerts(request: web.Request) -> web.Response:
    """List the rules."""
    desk = services_of(request).alerts
    rules = sorted(desk.state.rules.values(), key=lambda rule: rule.id)
    return json_response(AlertList(alerts=[_view(desk, rule) for rule in rules]))


async def create_alert(request: web.Request) -> web.Response:
    """Make a rule."""
    services, wanted = services_of(request), await body_of(request, NewAlert)
    wish = await _checked(services, wanted)
    try:
        rule = await _kept(services.alerts.add(wish, wanted.url))
    except TooManyRulesError:
        raise ProblemError(409, f"there are {MAX_RULES} rules; delete one first") from None
    return json_response(_view(services.alerts, rule))


async def change_alert(request: web.Request) -> web.Response:
    """Change a rule."""
    services, wanted = services_of(request), await body_of(request, ChangedAlert)
    _known(services, id_of(request))
    wish = await _checked(services, wanted)
    rule = await _kept(services.alerts.change(id_of(request), wish))
    return json_response(_view(services.alerts, rule))


async def delete_alert(request: web.Request) -> web.Response:
    """Delete a rule."""
    await _kept(services_of(request).alerts.drop(id_of(request)))
    return json_response(DeletedAlert(deleted=id_of(request)))


async def try_alert(request: web.Request) -> web.Response:
    """Send a test message."""
    return json_response(_shown(await _kept(services_of(request).alerts.test(id_of(request)))))


# -- inside


async def _checked(services: Services, wanted: NewAlert | ChangedAlert) -> Wish:
    """Check what a type cannot say.

    Raises:
        ProblemError: 400 with the bad field.
    """
    name = wanted.name.strip()
    if not name or not name.isprintable():
        raise ProblemError(400, "body.name: empty, or holds characters that do not print")
    problem = None if wanted.url is None else problem_of(wanted.url)
    if problem is not None:
        raise ProblemError(400, f"body.url: {problem}")
    try:
        checked(wanted.on)
    except QueryError as error:
        raise ProblemError(400, f"body.on: {error}") from None
    if wanted.project is not None:
        projects = await services.readers.ask(lambda reader: reader.projects())
        if wanted.project not in {project.id for project in projects}:
            raise ProblemError(400, f"body.project: there is no project {wanted.project}")
    return Wish(
        name=name,
        project=wanted.project,
        on=wanted.on,
        enabled=wanted.enabled,
        url=wanted.url,
        format=wanted.format,
    )


async def _kept(work: Coroutine[Any, Any, T]) -> T:
    """Wait for something that changes the rules.

    Raises:
        ProblemError: 404: there is no such rule; 503: it cannot be kept now, and nothing changed.
    """
    try:
        return await work
    except NoRuleError as error:
        raise _no_rule(error.args[0]) from None
    except (OSError, StoreError) as error:
        raise ProblemError(
            503, "alerts cannot be changed now: the disk is full, or broken", {"Retry-After": "5"}
        ) from error


def _known(services: Services, number: int) -> None:
    if number not in services.alerts.state.rules:
        raise _no_rule(number)


def _no_rule(number: int) -> ProblemError:
    return ProblemError(404, f"alert: none has the id {number}")


def _view(desk: Desk, rule: Rule) -> AlertView:
    state = desk.state
    last = state.results.get(rule.id)
    return AlertView(
        id=rule.id,
        name=rule.name,
        project=rule.project,
        on=rule.on,
        enabled=rule.enabled,
        host=host_shown(rule.url),
        format=rule.format,
        created=seconds(rule.created_us),
        holds=len(state.holds.get(rule.id, ())),
        waiting=sum(alert.rule == rule.id for alert in state.waiting),
        last=None if last is None else _shown(last),
    )


def _shown(result: Result) -> AlertResult:
    return AlertResult(time=seconds(result.time_us), ok=result.ok, detail=result.detail)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/alerts",
        handler=list_alerts,
        summary="List the rules by which alerts are sent.",
        scope="admin",
        answer=AlertList,
    ),
    Route(
        method="POST",
        path="/api/alerts",
        handler=create_alert,
        summary="Make a rule; of experiments of which it holds already nothing is told.",
        scope="admin",
        body=NewAlert,
        answer=AlertView,
        problems={409: "There are as many rules as there can be."},
    ),
    Route(
        method="PUT",
        path="/api/alerts/{id}",
        handler=change_alert,
        summary="Change a rule; it begins anew where what it tells changed, or where it was off.",
        scope="admin",
        body=ChangedAlert,
        answer=AlertView,
    ),
    Route(
        method="DELETE",
        path="/api/alerts/{id}",
        handler=delete_alert,
        summary="Delete a rule, and what waits to be sent for it.",
        scope="admin",
        answer=DeletedAlert,
    ),
    Route(
        method="POST",
        path="/api/alerts/{id}/test",
        handler=try_alert,
        summary="Send a test message, once, and answer what became of it.",
        scope="admin",
        answer=AlertResult,
    ),
)

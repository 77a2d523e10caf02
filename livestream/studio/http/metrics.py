"""How the Studio itself is doing: ``/metrics`` for Prometheus, ``/healthz`` for whoever restarts it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

import msgspec
from aiohttp import web

from livestream._version import __version__
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route
from livestream.studio.status import KINDS, derive
from livestream.studio.store.base import Reader, Scope

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

_Kind: TypeAlias = Literal["counter", "gauge"]
_Sample: TypeAlias = tuple[Mapping[str, str], float]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The Studio answers, and its database too."""

    status: Literal["ok"]
    version: str


async def get_health(request: web.Request) -> web.Response:
    """Answer whether the Studio can read what it keeps."""
    await services_of(request).readers.ask(lambda reader: reader.last_change())
    return json_response(Health(status="ok", version=__version__))


async def get_metrics(request: web.Request) -> web.Response:
    """Answer in Prometheus's text format."""
    services = services_of(request)
    if caller_of(request).project is not None:
        raise ProblemError(403, "the token is for one project; this tells of all of them")
    now_us = services.clock_us()

    def judge(reader: Reader) -> Counter[str]:
        bounds = services.settings.bounds
        return Counter(derive(brief.facts, now_us, bounds).kind for brief in reader.briefs(Scope()))

    kinds = await services.readers.ask(judge)
    text = "".join(_told(services, kinds))
    return web.Response(body=text.encode(), headers={"Content-Type": _CONTENT_TYPE})


def _told(services: Services, kinds: Mapping[str, int]) -> Iterator[str]:
    counters = services.counters
    answers: list[_Sample] = [
        ({"route": route, "status": str(status)}, count) for (route, status), count in sorted(counters.answers.items())
    ]
    yield _family("answers_total", "counter", "Responses by route and status.", answers)
    plain: tuple[tuple[str, _Kind, str, float], ...] = (
        ("body_bytes_total", "counter", "Bytes of bodies of api/live.", counters.body_bytes),
        ("commits_total", "counter", "Transactions that stored deliveries.", counters.commits),
        ("deliveries_total", "counter", "Updates that were stored.", counters.deliveries),
        ("points_new_total", "counter", "Points that were not there before.", counters.points_new),
        ("points_known_total", "counter", "Points that came again.", counters.points_known),
        ("repeats_total", "counter", "Updates that came again, known by their key.", counters.repeats),
        ("large_bodies_total", "counter", "Bodies that were logged first and applied later.", counters.large_bodies),
        ("large_refused_total", "counter", "Logged bodies put aside as damaged.", counters.large_refused),
        (
            "pending_bytes",
            "gauge",
            "Bytes of bodies that are logged and not yet applied.",
            services.ingest.pending_bytes,
        ),
        ("viewers", "gauge", "Open streams of changes.", counters.viewers),
        (
            "viewers_reset_total",
            "counter",
            "Streams that were too slow and had to start afresh.",
            counters.viewers_reset,
        ),
        ("sign_ins_failed_total", "counter", "Sign-ins with a wrong code or token.", counters.sign_ins_failed),
        ("alerts_sent_total", "counter", "Alerts that arrived where they were sent.", counters.alerts_sent),
        ("alerts_failed_total", "counter", "Alerts that were given up.", counters.alerts_failed),
        ("alerts_dropped_total", "counter", "Alerts dropped, for too many waited.", counters.alerts_dropped),
        ("resident_bytes", "gauge", "Memory of this process.", _resident_bytes()),
    )
    for name, kind, meaning, value in plain:
        yield _family(name, kind, meaning, [({}, value)])
    by_kind: list[_Sample] = [({"status": kind}, kinds.get(kind, 0)) for kind in KINDS]
    yield _family("experiments", "gauge", "Experiments by status, without deleted ones.", by_kind)
    yield _family("build_info", "gauge", "The version that runs.", [({"version": __version__}, 1)])


def _family(name: str, kind: _Kind, meaning: str, samples: list[_Sample]) -> str:
    full = f"livestream_studio_{name}"
    lines = [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items())
        lines.append(f"{full}{{{inside}}} {value:.17g}" if inside else f"{full} {value:.17g}")
    return "\n".join(lines) + "\n"


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES


ROUTES: Final = (
    Route(
        method="GET",
        path="/healthz",
        handler=get_health,
        summary="Whether the Studio is up and can read what it keeps.",
        scope=None,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        summary="How the Studio is doing, in Prometheus's text format.",
        answer="text/plain",
    ),
)

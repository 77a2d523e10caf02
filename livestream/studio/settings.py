"""What a Studio is told at its start: where its data lies, where it listens, its bounds and its limits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from livestream.errors import ConfigError

_T = TypeVar("_T", bound=msgspec.Struct)

DEFAULT_PORT = 8585
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


Positive = Annotated[float, Meta(gt=0, lt=1e12)]
Seconds = Positive
Count = Annotated[int, Meta(ge=1, le=1 << 40)]
Period = Annotated[int, Meta(ge=1, le=300)]


class StatusBounds(msgspec.Struct, frozen=True, kw_only=True):
    """When a run is called what (DESIGN section 5). ``stalled_factor`` multiplies the median time between steps.

    Attributes:
        stalled_s: Beats but no step for this long, or for ``stalled_factor`` medians: Stalled.
        silent_s: No beat for this long: Silent; for ``lost_s``: Lost.
        quiet_silent_s: From clients that never beat; for ``quiet_lost_s``: Lost.
        behind_s: The oldest event on the node is older than this: Catching up.
        heartbeat_s: Our daemons are asked for a beat this often; a bound of the silent should be several.
    """

    stalled_s: Seconds = 120.0
    stalled_factor: Positive = 5.0
    silent_s: Seconds = 60.0
    lost_s: Seconds = 600.0
    quiet_silent_s: Seconds = 600.0
    quiet_lost_s: Seconds = 86_400.0
    behind_s: Seconds = 30.0
    heartbeat_s: Period = 15


class StudioLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one Studio takes.

    Attributes:
        max_request_bytes: Of a body, unpacked; stock clients send 29 MB at most.
        max_plot_bytes: Of a plot's JSON or base64, advertised to our daemon.
        max_plots: Of a request, advertised to our daemon.
        large_bytes: Bodies over this are logged, answered and applied in order.
        max_large_reads: Large bodies read at once; the rest wait in their sockets.
        max_logged_bytes: Of bodies logged and not applied; over it large posts are answered 503.
        max_queued: Small bodies that wait for their commit; over it posts are answered 503.
        body_timeout_s: The longest time a body may take to come.
        requests_per_s: Of one token, as a bucket of ``request_burst``; over it: 429.
        failed_sign_ins: Of one address in ``failed_sign_ins_s``; over it: 429.
    """

    max_request_bytes: Count = 32 * 1024 * 1024
    max_plot_bytes: Count = 29_000_000
    max_plots: Count = 10_000
    large_bytes: Count = 256 * 1024
    max_large_reads: Count = 4
    max_logged_bytes: Count = 2 * 1024**3
    max_queued: Count = 2_000
    body_timeout_s: Seconds = 120.0
    requests_per_s: Positive = 500.0
    request_burst: Positive = 2_000.0
    failed_sign_ins: Count = 20
    failed_sign_ins_s: Seconds = 300.0


class StudioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One Studio.

    Attributes:
        data: The folder that holds everything; 0700.
        host: Loopback unless told otherwise.
        port: 0 takes a free one.
        public_url: As browsers reach it behind a proxy, path prefix included; None: what it listens on.
        repositories: Git clones or URLs to attach (``--repo``).
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str | None = None
    repositories: tuple[str, ...] = ()
    bounds: StatusBounds = StatusBounds()
    limits: StudioLimits = StudioLimits()


def names() -> dict[str, float]:
    """Give every bound and limit that can be set, with its default."""
    return {
        field.name: field.default for kind in (StatusBounds, StudioLimits) for field in msgspec.structs.fields(kind)
    }


def adjust(settings: StudioSettings, said: Iterable[str]) -> StudioSettings:
    """Set bounds and limits as ``NAME=VALUE`` texts say.

    Raises:
        ConfigError: A name is not one of `names`, or a value cannot be it.
    """
    given: dict[str, str] = {}
    for text in said:
        name, separator, value = (piece.strip() for piece in text.partition("="))
        if not separator or name not in names():
            raise ConfigError(f"--set {name}: accepted: NAME=VALUE with a NAME of {', '.join(names())}")
        given[name] = value
    try:
        return msgspec.structs.replace(
            settings, bounds=_adjusted(settings.bounds, given), limits=_adjusted(settings.limits, given)
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"--set: {error}") from None


def _adjusted(settings: _T, given: dict[str, str]) -> _T:
    fields = {field.name for field in msgspec.structs.fields(settings)}
    mine = {name: value for name, value in given.items() if name in fields}
    return msgspec.convert(msgspec.structs.asdict(settings) | mine, type(settings), strict=False)

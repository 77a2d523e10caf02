"""What a Studio is told at its start: where its data lies, where it listens, its bounds and its limits."""

from __future__ import annotations

from pathlib import Path

import msgspec

DEFAULT_PORT = 8585
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class StatusBounds(msgspec.Struct, frozen=True, kw_only=True):
    """When a run is called what (DESIGN section 5). ``stalled_factor`` multiplies the median time between steps.

    Attributes:
        stalled_s: Beats but no step for this long, or for ``stalled_factor`` medians: Stalled.
        silent_s: No beat for this long: Silent; for ``lost_s``: Lost.
        quiet_silent_s: From clients that never beat; for ``quiet_lost_s``: Lost.
        behind_s: The oldest event on the node is older than this: Catching up.
    """

    stalled_s: float = 120.0
    stalled_factor: float = 5.0
    silent_s: float = 60.0
    lost_s: float = 600.0
    quiet_silent_s: float = 600.0
    quiet_lost_s: float = 86_400.0
    behind_s: float = 30.0


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

    max_request_bytes: int = 32 * 1024 * 1024
    max_plot_bytes: int = 29_000_000
    max_plots: int = 10_000
    large_bytes: int = 256 * 1024
    max_large_reads: int = 4
    max_logged_bytes: int = 2 * 1024**3
    max_queued: int = 2_000
    body_timeout_s: float = 120.0
    requests_per_s: float = 500.0
    request_burst: float = 2_000.0
    failed_sign_ins: int = 20
    failed_sign_ins_s: float = 300.0


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

"""What the daemon knows of a place where updates go: one that takes a body and answers with an `Outcome`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from livestream.pipeline.chunk import Limits
from livestream.pipeline.decide import Outcome
from livestream.pipeline.update import Profile

HEARTBEAT_S: Final = 15.0
"""Between two heartbeats, unless the Studio asks for others."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, and as whom. Its ``repr`` hides the token, so that no log or traceback can show it.

    Attributes:
        url: Base URL of the Studio, for example ``https://studio.example``.
        endpoint: Joined to it as dvc-studio-client does: ``api/live``, or what ``STUDIO_ENDPOINT`` says.
        token: Goes to that URL's host and nowhere else.
    """

    url: str
    token: str
    endpoint: str = "api/live"

    def __repr__(self) -> str:
        return f"Target(url={self.url!r}, endpoint={self.endpoint!r}, token='***')"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("url", self.url), ("endpoint", self.endpoint), ("token", "***")]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an update, ready to go.

    Attributes:
        body: JSON.
        headers: Those of livestream's extension; none to a Studio that did not advertise it.
        compress: Send it as gzip, where the Studio said that it takes that.
    """

    body: bytes
    headers: Mapping[str, str] = {}
    compress: bool = False


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a Studio takes; the defaults are the stock profile, that of the hosted Studio.

    Attributes:
        limits: How large a request may be.
        profile: What it makes of a body.
        compression: Content encodings that it takes, as far as we speak them: ``("gzip",)`` or none.
        heartbeats: It wants to hear from writers between updates.
        heartbeat_s: How often.
        advertised: It answered as livestream's extension asks, so the extension's headers are welcome.
    """

    limits: Limits = Limits()
    profile: Profile = Profile()
    compression: tuple[str, ...] = ()
    heartbeats: bool = False
    heartbeat_s: float = HEARTBEAT_S
    advertised: bool = False


class Sink(Protocol):
    """A place where updates go. Calls may overlap; nothing is raised for what a network or a server does."""

    async def send(self, target: Target, request: Request) -> Outcome:
        """Deliver one body, and say what came of it."""

    async def capabilities(self, target: Target) -> Capabilities | Outcome:
        """Ask what the Studio takes; an `Outcome` where it could not be asked."""

    async def beat(self, target: Target, request: Request) -> Outcome:
        """Tell which writers live, and say what came of it. Nothing follows from it for their data."""

    async def close(self) -> None:
        """Give up connections; calls in flight end with errors."""

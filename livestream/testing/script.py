"""What a fake Studio is told to do: answers for the next requests, and standing rules for some of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec
import orjson

from livestream.events import JsonObject

Moment: TypeAlias = Literal["before_body", "mid_body", "before_answer", "mid_answer"]
Predicate: TypeAlias = Callable[[JsonObject, Mapping[str, str]], bool]
"""Called on the server's thread with the decoded body and the headers, whose names are in lower case."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How one request is answered; the class methods name the usual ones.

    Attributes:
        status: The HTTP status, or ``None`` for what the request deserves.
        headers: More headers of the answer. ``Connection: close`` is obeyed.
        body: The answer's body.
        delay_s: Seconds between taking the request and answering it.
        ingest: Whether the update counts as stored; ``None``: exactly when the status is 200. A body that breaks the
            wire rules is never stored.
        break_at: Where the connection breaks instead of an answer going out whole: before the body is read, with half
            of it read, with all of it read, or with half of the answer written.
        break_by: ``reset`` (RST), ``close`` (FIN), or ``hang``: nothing more happens until the Studio stops. Half an
            answer is followed by FIN, because RST could destroy it before it is read.
    """

    status: int | None = None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delay_s: float = 0.0
    ingest: bool | None = None
    break_at: Moment | None = None
    break_by: Literal["reset", "close", "hang"] = "reset"

    @classmethod
    def late(cls, delay_s: float) -> Answer:
        """Answer as the request deserves, but late; it is stored at once."""
        return cls(delay_s=delay_s)

    @classmethod
    def error(cls, status: int, detail: str = "scripted", *, retry_after: str | None = None) -> Answer:
        """Answer with ``{"detail": ...}``, as Studio does, and with ``Retry-After`` (seconds or a date) if given."""
        headers = {"Content-Type": "application/json"}
        if retry_after is not None:
            headers["Retry-After"] = retry_after
        return cls(status=status, headers=headers, body=orjson.dumps({"detail": detail}))

    @classmethod
    def html(cls, status: int = 200, text: str = "Sign in") -> Answer:
        """Answer with a web page, as a proxy or a login wall does; nothing is stored."""
        page = f"<!DOCTYPE html><html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>"
        headers = {"Content-Type": "text/html; charset=utf-8"}
        return cls(status=status, headers=headers, body=page.encode(), ingest=False)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Answer:
        """Send the client elsewhere."""
        return cls(status=status, headers={"Location": location})

    @classmethod
    def reset(cls, at: Moment = "before_answer", *, ingest: bool = False) -> Answer:
        """Reset the connection; with ``ingest`` (from ``before_answer`` on) the update was stored all the same."""
        return cls(break_at=at, ingest=ingest)

    @classmethod
    def lost(cls) -> Answer:
        """Store the update, then close the connection without the answer."""
        return cls(break_at="before_answer", break_by="close", ingest=True)

    @classmethod
    def hang(cls, at: Moment = "before_answer", *, ingest: bool = False) -> Answer:
        """Fall silent until the Studio stops."""
        return cls(break_at=at, break_by="hang", ingest=ingest)


class Rule:
    """A standing answer for the requests that a predicate picks.

    Attributes:
        hits: How many requests it has answered.
    """

    def __init__(self, predicate: Predicate, answer: Answer) -> None:
        self.hits = 0
        self.active = True
        self.answer = answer
        self._predicate = predicate

    def wants(self, body: JsonObject, headers: Mapping[str, str]) -> bool:
        """Say whether this request is one of the rule's."""
        return self.active and self._predicate(body, headers)

    def remove(self) -> None:
        """Let the requests through from now on."""
        self.active = False


class Script:
    """The queued answers and the standing rules. Any thread may add; the server's thread takes."""

    def __init__(self) -> None:
        self._queued: deque[Answer] = deque()
        self._rules: list[Rule] = []

    def __len__(self) -> int:
        """Queued answers that no request has met yet."""
        return len(self._queued)

    def queue(self, *answers: Answer) -> None:
        """Append answers: each one serves one request."""
        self._queued.extend(answers)

    def add(self, rule: Rule) -> None:
        """Add a standing rule; the first that wants a request has it."""
        if rule.answer.break_at in ("before_body", "mid_body"):
            raise ValueError("a rule reads the whole body first: it can break only before_answer or mid_answer")
        self._rules.append(rule)

    def clear(self) -> None:
        """Forget queued answers and rules."""
        self._queued.clear()
        self._rules.clear()

    def take(self) -> Answer | None:
        """Take the next queued answer."""
        return self._queued.popleft() if self._queued else None

    def rule_for(self, body: JsonObject, headers: Mapping[str, str]) -> Answer | None:
        """Find the standing answer to a request, and count the hit."""
        for rule in list(self._rules):
            if rule.wants(body, headers):
                rule.hits += 1
                return rule.answer
        return None

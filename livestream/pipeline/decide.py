"""Says what a Studio's answer means for the data that was sent: values in, a value out, effects elsewhere.

``classify`` names the answer, ``decide`` names what follows. The rows, tried from the top; *lone* is a single event:

    the server says                             Outcome        so                                          Decision
    ------------------------------------------  -------------  ------------------------------------------  ------------
    200 with JSON or nothing                    Accepted       it is taken                                 Ack
    stale keep-alive connection, first time     Unavailable    at once, over a new connection              Retry
    connect error, timeout, 5xx, 408, 425       Unavailable    for ever, full jitter, 60 s at most         Retry
      5 times, and others get through             several events: this body is the trouble                 Split
                                                  a lone start: nothing may pass it                        Hold (exp.)
                                                  lone: aside, tried again every hour                      DeadLetter
                                                                                                           (parked)
    429, 503 with Retry-After                   Throttled      wait as told                                Retry
    401, 403                                    Unauthorized   keep everything until the token changes     Hold (Studio)
    3xx, 404, 405, 407, 410, 415, any other     Misdirected    a wrong URL or a login page must not cost   Hold (Studio)
    2xx or 4xx, a page instead of JSON                         data
    413                                         TooLarge       several events, plots or rows               Split
                                                               a lone start                                Hold (exp.)
                                                               lone, with one of these or none             DeadLetter
    400, 409, 422                               Rejected       several events: find the one                Split
                                                               a lone start                                Hold (exp.)
                                                               lone, others were accepted before           DeadLetter
                                                               lone, the first, nothing accepted yet       Suspect
                                                               lone, the second of these                   Hold (exp.)

Why Suspect: while nothing of an experiment was ever accepted, one refused event may be bad itself, or the Studio may
refuse the whole experiment (an unknown repository, say). The next event tells: accepted, the suspect becomes a dead
letter; refused too, the experiment is held and nothing is lost. Where there is no next event the caller waits for one.
A start is never a dead letter, since nothing of an experiment may go before it.
"""

from __future__ import annotations

import re
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

POISON_FAILURES = 5  # DESIGN: one body that fails this often while others pass is itself the cause
BACKOFF_FIRST_S, BACKOFF_CAP_S = 0.5, 60.0
MAX_RETRY_AFTER_S = 3600.0  # own choice: a server's typing error must not silence it for a year
THROTTLE_S = 5.0  # own choice: least wait after a 429 that names no time; jitter at most doubles it
UNAUTHORIZED_PROBE_S = 900.0  # own choice: a token can be allowed again on the Studio's side, without our noticing
MISDIRECTED_PROBE_S = 300.0  # own choice: a Studio being redeployed answers 404 for minutes
EXPERIMENT_PROBE_S = 900.0  # own choice: somebody has to add the repository to the Studio first
MAX_DETAIL_CHARS = 500  # of a server's text, in logs and in daemon.db

_REJECTED = frozenset({400, 409, 422})
_UNAUTHORIZED = frozenset({401, 403})
_TRY_LATER = frozenset({408, 425})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


class Accepted(msgspec.Struct, frozen=True):
    """The Studio has it."""


class Rejected(msgspec.Struct, frozen=True):
    """The Studio understood, and does not want this body (400, 409, 422)."""

    status: int
    detail: str


class Unauthorized(msgspec.Struct, frozen=True):
    """The token is missing, wrong, or not enough (401, 403)."""

    status: int
    detail: str


class Misdirected(msgspec.Struct, frozen=True):
    """Something that is no ``api/live`` answered: a redirect, a proxy, a login page, another service."""

    status: int
    location: str | None
    detail: str


class TooLarge(msgspec.Struct, frozen=True):
    """The body is over the server's limit (413)."""

    status: int = 413


class Throttled(msgspec.Struct, frozen=True):
    """The Studio asks for patience; ``retry_after_s`` is None where it names no time."""

    status: int
    retry_after_s: float | None


class Unavailable(msgspec.Struct, frozen=True):
    """Nobody answered, or the server failed.

    Attributes:
        status: None where there was no answer (connect error, timeout, reset).
        detail: What went wrong.
        stale_connection: A kept-alive connection turned out to be closed: the server may be well.
    """

    status: int | None
    detail: str
    stale_connection: bool = False


Outcome: TypeAlias = Accepted | Rejected | Unauthorized | Misdirected | TooLarge | Throttled | Unavailable


class Ack(msgspec.Struct, frozen=True):
    """Done with this part."""


class Retry(msgspec.Struct, frozen=True):
    """Send the same again after a while; ``trouble`` says that the Studio itself seems unwell, for its breaker."""

    after_s: float
    trouble: bool


class Hold(msgspec.Struct, frozen=True):
    """Send nothing more to this Studio, or of this experiment, until something changes; its data waits.

    Attributes:
        scope: What is held.
        reason: For the user, with the server's words.
        probe_after_s: When to try once whether it changed by itself.
    """

    scope: Literal["studio", "experiment"]
    reason: str
    probe_after_s: float


class Split(msgspec.Struct, frozen=True):
    """Cut what was sent in two and send the halves."""


class Suspect(msgspec.Struct, frozen=True):
    """Put this lone event aside for now and try the next one alone: it decides what becomes of both."""

    reason: str
    status: int


class DeadLetter(msgspec.Struct, frozen=True):
    """This event can never be delivered as it is; ``parked`` ones are tried again every hour."""

    reason: str
    status: int | None
    parked: bool = False


Decision: TypeAlias = Ack | Retry | Hold | Split | Suspect | DeadLetter


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the body beside its answer.

    Attributes:
        attempts: Failures of this body by 5xx, reset or timeout, the present one included.
        others_succeeded: Another body, or a probe, succeeded since this one first failed.
        events: Events in the update.
        items: What the part could be cut into (``Part.pieces``: rows, snapshots, images).
        is_start: The event is a ``start``.
        accepted_data: Data of the experiment was accepted before.
        earlier_suspects: Single events refused so far with nothing accepted between.
        jitter: Random, at least 0 and less than 1.
    """

    attempts: int = 1
    others_succeeded: bool = False
    events: int = 1
    items: int = 0
    is_start: bool = False
    accepted_data: bool = False
    earlier_suspects: int = 0
    jitter: float = 0.5


def decide(outcome: Outcome, context: Context) -> Decision:
    """Say what follows from an answer; the table stands in the module's docstring."""
    match outcome:
        case Accepted():
            return Ack()
        case Unavailable():
            return _after_failure(outcome, context)
        case Throttled():
            # "Retry-After: 0" is no licence to hammer a server that has just said 429.
            return Retry(outcome.retry_after_s or THROTTLE_S * (1 + context.jitter), trouble=False)
        case Unauthorized():
            return Hold("studio", _said("the token is refused", outcome.status, outcome.detail), UNAUTHORIZED_PROBE_S)
        case Misdirected():
            return Hold("studio", _misdirected(outcome), MISDIRECTED_PROBE_S)
        case TooLarge():
            return _after_too_large(outcome, context)
        case Rejected():
            return _after_refusal(outcome, context)


def _after_failure(outcome: Unavailable, context: Context) -> Decision:
    if outcome.stale_connection and context.attempts <= 1:
        return Retry(0.0, trouble=False)
    if context.attempts < POISON_FAILURES or not context.others_succeeded:
        return Retry(backoff_s(context.attempts, context.jitter), trouble=True)
    if context.events > 1:
        return Split()
    reason = _said(f"failed {context.attempts} times while others passed", outcome.status, outcome.detail)
    if context.is_start:
        return Hold("experiment", reason, EXPERIMENT_PROBE_S)
    return DeadLetter(reason, outcome.status, parked=True)


def _after_too_large(outcome: TooLarge, context: Context) -> Decision:
    if context.events > 1 or context.items > 1:
        return Split()
    reason = f"too large for the Studio, and cannot be split ({outcome.status})"
    if context.is_start:
        return Hold("experiment", reason, EXPERIMENT_PROBE_S)
    return DeadLetter(reason, outcome.status)


def _after_refusal(outcome: Rejected, context: Context) -> Decision:
    if context.events > 1:
        return Split()
    reason = _said("refused", outcome.status, outcome.detail)
    if context.is_start:
        return Hold("experiment", reason, EXPERIMENT_PROBE_S)
    if context.accepted_data:
        return DeadLetter(reason, outcome.status)
    if context.earlier_suspects == 0:
        return Suspect(reason, outcome.status)
    return Hold("experiment", reason, EXPERIMENT_PROBE_S)


def _said(what: str, status: int | None, detail: str) -> str:
    if status == 0:  # nothing was sent: the sink says why
        return f"{what} ({detail})"
    shown = "no answer" if status is None else str(status)
    return f"{what} ({shown}: {detail})" if detail else f"{what} ({shown})"


def _misdirected(outcome: Misdirected) -> str:
    detail = f"to {outcome.location}" if outcome.location else outcome.detail
    return _said("this URL is no Studio", outcome.status, detail)


def backoff_s(attempts: int, jitter: float) -> float:
    """Give the wait after the ``attempts``-th failure, in seconds: exponential, full jitter.

    Full jitter (uniform between 0 and the ceiling) spreads clients that lost the same server best: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Ceilings are 0.5, 1, 2, 4 ... 60 s.
    """
    doublings = min(max(attempts, 1) - 1, 16)  # 16: past the cap, and no overflow after weeks offline
    return jitter * min(BACKOFF_CAP_S, BACKOFF_FIRST_S * (1 << doublings))


def parse_retry_after(text: str, now_epoch: float) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds, or an HTTP date.

    Args:
        text: The header's value.
        now_epoch: Seconds since the epoch.

    Returns:
        Seconds from now, from 0 to an hour; None where it is neither.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        fields = parsedate_tz(text)
        if fields is None:
            return None
        wait_s = mktime_tz(fields) - now_epoch
    except (ValueError, OverflowError):
        return None  # a year or a day that no calendar has
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now_epoch: float) -> Outcome:
    """Name an answer.

    Args:
        status: HTTP status.
        headers: Response headers, in any case.
        body: The response's body, or its beginning.
        now_epoch: Seconds since the epoch, for a ``Retry-After`` that is a date.
    """
    if status == 200 and _is_json_or_nothing(body):
        return Accepted()
    if status in _REJECTED:
        return Rejected(status, _detail(body))
    if status in _UNAUTHORIZED:
        return Unauthorized(status, _detail(body))
    if status == 413:
        return TooLarge(status)
    lowered = {name.lower(): value for name, value in headers.items()}
    wait_s = parse_retry_after(lowered.get("retry-after", ""), now_epoch)
    if status == 429 or (status == 503 and wait_s is not None):
        return Throttled(status, wait_s)
    if status in _TRY_LATER or 500 <= status <= 599:
        return Unavailable(status, _detail(body))
    detail = "not JSON: " + _detail(body) if status == 200 else _detail(body)
    return Misdirected(status, lowered.get("location"), detail)


def _is_json_or_nothing(body: bytes) -> bool:
    # The body decides, not Content-Type: frameworks call an empty or a JSON answer text/html unless told otherwise.
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text or text.startswith(b"{"):  # a long answer may have been cut, and no page begins so
        return True
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def _detail(body: bytes) -> str:
    """Give the server's own words: the ``detail`` of its JSON where there is one, as Studio writes it."""
    text = body[: 16 * MAX_DETAIL_CHARS].decode("utf-8", "replace")
    try:
        parsed = orjson.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and parsed.get("detail"):
        detail = parsed["detail"]
        text = detail if isinstance(detail, str) else orjson.dumps(detail).decode()
    return _UNPRINTABLE.sub(" ", text).strip()[:MAX_DETAIL_CHARS]

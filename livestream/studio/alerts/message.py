"""An alert as it is sent: JSON for programs, a line of text for Slack and what understands Slack's.

Names and reasons are what a client sent. In JSON they stay that. In a chat they must not be able to call everybody
together, to pose as a link, or to turn the line round: what Slack reads as markup is escaped, and signs that do not
print are left out.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from livestream.studio.alerts.rules import Alert, Format, Rule
from livestream.studio.status import StatusKind

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MAX_URL: Final = 2_000


class RuleShown(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that an alert is of."""

    id: int
    name: str


class ExperimentShown(msgspec.Struct, frozen=True, kw_only=True):
    """The experiment that an alert is about."""

    id: int
    name: str
    repository: str
    baseline_sha: str
    message: str | None
    step: int | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted as JSON.

    Attributes:
        alert: A number that rises; the same in every try, and after a restart. 0: a test.
        kind: Of the rule.
        experiment: Null in a test, as ``status``.
        value: Of the metric, if the rule is about one.
        url: Of the experiment's page.
        time: When it was decided, in seconds since the epoch.
    """

    alert: int
    kind: Literal["status", "nan", "threshold", "plateau", "test"]
    rule: RuleShown
    experiment: ExperimentShown | None
    status: StatusKind | None
    reason: str
    value: int | float | str | None
    url: str
    time: float


def message_of(rule: Rule, alert: Alert, page_url: str) -> Message:
    """Make the message of an alert; ``page_url``: the Studio's own address, without a slash at its end."""
    return Message(
        alert=alert.id,
        kind=rule.on.__struct_config__.tag,  # type: ignore[arg-type] # one of them
        rule=RuleShown(id=rule.id, name=rule.name),
        experiment=ExperimentShown(
            id=alert.experiment,
            name=alert.name,
            repository=alert.repository,
            baseline_sha=alert.baseline_sha,
            message=alert.message,
            step=alert.step,
        ),
        status=alert.status,
        reason=alert.reason,
        value=alert.value,
        url=f"{page_url}/experiments/{alert.experiment}",
        time=alert.time_us / 1_000_000,
    )


def trial_message(rule: Rule, now_us: int, page_url: str) -> Message:
    """Make a message that only shows that messages arrive."""
    return Message(
        alert=0,
        kind="test",
        rule=RuleShown(id=rule.id, name=rule.name),
        experiment=None,
        status=None,
        reason="a test: alerts of this rule arrive here",
        value=None,
        url=f"{page_url}/settings",
        time=now_us / 1_000_000,
    )


def encoded(message: Message, form: Format) -> bytes:
    """Write the body of a request."""
    return msgspec.json.encode({"text": text_of(message)} if form == "slack" else message)


def text_of(message: Message) -> str:
    """Write a message for people, in Slack's markup."""
    about = "" if message.experiment is None else f"{_plain(message.experiment.name)}: "
    return f"*{_plain(message.rule.name)}*\n{about}{_plain(message.reason)}\n{_plain(message.url)}"


def problem_of(url: str) -> str | None:
    """Say why something cannot be posted to; None where it can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "no address"
    if len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return f"too long, or with characters that an address cannot hold (at most {_MAX_URL})"
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        return "expected https://host/path or http://host/path"
    return None


def host_shown(url: str) -> str:
    """Give all of an address that is shown: its host, and its port where it names one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parts.port}" if parts.port is not None else shown


def _plain(text: str) -> str:
    """Give a text on one line, without signs that do not print, and without Slack's markup."""
    seen = "".join(sign if unicodedata.category(sign) not in _UNSEEN else " " for sign in text)
    return " ".join(seen.split()).translate(_ESCAPES)

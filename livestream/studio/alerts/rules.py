"""What somebody wants to be told of a run, and when that is so: pure, from the row of an experiment and what was told.

A rule is a condition on one experiment. An *episode* is the time from when the condition begins to hold of an
experiment to when it no longer does; an episode is told once, however often it is looked at. What is kept for that is
the set of experiments of which a rule holds, so that a look that is repeated, after a restart for example, tells
nothing twice, and one that was missed is made good by the next.

    status     the run is called one of some kinds; to go from one of them to another is no new episode
    nan        a metric, or any, is NaN in the row, which shows the newest values
    threshold  a condition of the query language holds of the row
    plateau    of a run that is not done: no value of the last so many steps is better, by more than so much, than the
               best before them; it is found in the series, so that nothing depends on when one looks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from livestream.events import Json, JsonObject
from livestream.studio import query
from livestream.studio.held import field_held
from livestream.studio.query import Condition, FieldKey, Held, Key, LeafKey, QueryError
from livestream.studio.status import Status, StatusKind
from livestream.studio.store.base import ExperimentRow, Project

MAX_TEXT: Final = 300
"""Characters of a name or a reason in an alert; the page has all of it."""
SHOWN_METRICS: Final = 3
_MAX_WHOLE: Final = 1 << 53

Metric = Annotated[str, Meta(min_length=1, max_length=500)]


class OnStatus(msgspec.Struct, frozen=True, tag_field="kind", tag="status", forbid_unknown_fields=True):
    """A run is called one of these."""

    kinds: Annotated[tuple[StatusKind, ...], Meta(min_length=1, max_length=9)]


class OnNan(msgspec.Struct, frozen=True, tag_field="kind", tag="nan", forbid_unknown_fields=True):
    """A metric is NaN: ``train.loss`` or ``train/loss`` or ``metrics[FILE].train.loss``; null: any is."""

    metric: Metric | None = None


class OnThreshold(msgspec.Struct, frozen=True, tag_field="kind", tag="threshold", forbid_unknown_fields=True):
    """A condition of the query language holds, for example ``metrics.loss>5``."""

    condition: Annotated[str, Meta(min_length=1, max_length=1_000)]


class OnPlateau(msgspec.Struct, frozen=True, tag_field="kind", tag="plateau", forbid_unknown_fields=True):
    """A metric did not get better by more than ``min_delta`` for ``patience_steps``; ``goal``: which way is better."""

    metric: Metric
    patience_steps: Annotated[int, Meta(ge=1, le=1 << 53)]
    min_delta: Annotated[float, Meta(ge=0, lt=1e300)] = 0.0
    goal: Literal["minimum", "maximum"] = "minimum"


On: TypeAlias = OnStatus | OnNan | OnThreshold | OnPlateau
Format: TypeAlias = Literal["json", "slack"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule.

    Attributes:
        project: Only this project's experiments; None: all.
        url: Where alerts are posted to; a secret.
        revision: Rises when what is noted of it begins anew; what was judged of an earlier one counts for nothing.
    """

    id: int
    name: str
    project: int | None
    on: On
    enabled: bool
    url: str
    format: Format
    created_us: int
    revision: int = 0


class Finding(msgspec.Struct, frozen=True):
    """Why a rule holds; ``value`` is of the metric, if it is about one."""

    reason: str
    value: int | float | str | None = None


class Window(msgspec.Struct, frozen=True):
    """The best finite values of a series: in the last so many steps, and before them."""

    before: float | None
    recent: float | None


Windows: TypeAlias = Callable[[OnPlateau], Window | None]
"""Reads the window that a plateau asks for; None where the run has no such series, or not so many steps."""


class Look:
    """One experiment at one moment, as rules see it. Its dictionaries are decoded when a rule asks for one."""

    def __init__(self, row: ExperimentRow, status: Status, windows: Windows) -> None:
        self.row = row
        self.status = status
        self.windows = windows

    @cached_property
    def metrics(self) -> JsonObject:
        """File to content."""
        return msgspec.json.decode(self.row.metrics, type=JsonObject)

    @cached_property
    def params(self) -> JsonObject:
        """File to content."""
        return msgspec.json.decode(self.row.params, type=JsonObject)

    def held(self, key: Key) -> Sequence[Held]:
        """What stands under a key of the query language, exactly as a list of experiments is filtered."""
        if isinstance(key, FieldKey):
            return field_held(self.row, key.field, lambda _identity, _facts: self.status)
        content = self.metrics if key.group == "metrics" else self.params
        files = sorted(content) if key.file is None else [key.file]
        values = (query.leaf(_below(content, (file, *key.names))) for file in files)
        return [next((value for value in values if value is not None), None)]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What rules say of one experiment: of each that was asked its revision, and why it holds or None."""

    experiment: int
    name: str
    repository: str
    baseline_sha: str
    message: str | None
    step: int | None
    status: StatusKind
    findings: dict[int, tuple[int, Finding | None]]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told. ``id`` stays the same however often it is sent; texts are cut to `MAX_TEXT`."""

    id: int
    rule: int
    time_us: int
    experiment: int
    name: str
    repository: str
    baseline_sha: str
    message: str | None
    step: int | None
    status: StatusKind
    reason: str
    value: int | float | str | None


# -- checking


def checked(on: On) -> On:
    """Give what a rule is about.

    Raises:
        QueryError: A metric or a condition cannot be read.
    """
    if isinstance(on, OnThreshold):
        query.parse_condition(on.condition)
    elif isinstance(on, OnPlateau):
        series_of(on.metric)
    elif isinstance(on, OnNan) and on.metric is not None:
        metric_key(on.metric)
    return on


def metric_key(text: str) -> LeafKey:
    """Read a metric, as a key of the query language or as people know its series.

    Raises:
        QueryError: It is none.
    """
    text = text.strip()
    is_key = text.startswith(("metrics.", "metrics["))
    key = query.parse_key(text if is_key else f"metrics.{text.replace('/', '.')}")
    if not isinstance(key, LeafKey) or key.group != "metrics":
        raise QueryError(f"{text[:50]!r}: expected a metric, such as train.loss")
    return key


def series_of(text: str) -> str:
    """Give the name of the series of a metric.

    Raises:
        QueryError: It is none.
    """
    key = metric_key(text)
    if key.file is not None:
        raise QueryError(f"{text[:50]!r}: a series is known by its name alone, such as train/loss, without a file")
    return "/".join(key.names)


# -- judging


def concerns(rule: Rule, row: ExperimentRow, projects: Mapping[int, Project]) -> bool:
    """Whether an experiment is one of those that a rule is about; of a project that is no more it has none."""
    if rule.project is None:
        return True
    project = projects.get(rule.project)
    return project is not None and project.shows(row.identity.repository, row.subdir)


def judge(rules: Sequence[Rule], look: Look, projects: Mapping[int, Project]) -> Judged:
    """Ask rules about one experiment."""
    row = look.row
    return Judged(
        experiment=row.id,
        name=row.identity.name,
        repository=row.identity.repository,
        baseline_sha=row.identity.baseline_sha,
        message=row.facts.message,
        step=row.facts.step,
        status=look.status.kind,
        findings={
            rule.id: (rule.revision, find(rule.on, look) if concerns(rule, row, projects) else None) for rule in rules
        },
    )


def find(on: On, look: Look) -> Finding | None:
    """Say why a rule holds of an experiment; None where it does not."""
    if isinstance(on, OnStatus):
        kind = look.status.kind
        return Finding(f"{kind.replace('_', ' ')}: {look.status.reason}") if kind in on.kinds else None
    if isinstance(on, OnNan):
        return _find_nan(on, look)
    if isinstance(on, OnThreshold):
        condition = query.parse_condition(on.condition)
        held = look.held(condition.key)
        if not query.holds(condition, held):
            return None
        value = next((one for one in held if one is not None), None)
        return Finding(f"{on.condition}: it is {'nothing' if value is None else value}", value)
    return _find_plateau(on, look)


def decide(
    rules: Mapping[int, Rule], judged: Judged, held_of: Mapping[int, frozenset[int]]
) -> tuple[list[tuple[Rule, Finding]], dict[int, frozenset[int]]]:
    """Say what to tell of one experiment, and of which experiments rules hold from now on (those that changed)."""
    told: list[tuple[Rule, Finding]] = []
    changed: dict[int, frozenset[int]] = {}
    for number, (revision, finding) in judged.findings.items():
        rule = rules.get(number)
        if rule is None or not rule.enabled or rule.revision != revision:
            continue
        noted = held_of.get(number, frozenset())
        if finding is not None and judged.experiment not in noted:
            told.append((rule, finding))
            changed[number] = noted | {judged.experiment}
        elif finding is None and judged.experiment in noted:
            changed[number] = noted - {judged.experiment}
    return told, changed


def alert_of(number: int, rule: Rule, judged: Judged, finding: Finding, now_us: int) -> Alert:
    """Write an alert."""
    value = finding.value
    return Alert(
        id=number,
        rule=rule.id,
        time_us=now_us,
        experiment=judged.experiment,
        name=_cut(judged.name),
        repository=_cut(judged.repository),
        baseline_sha=_cut(judged.baseline_sha),
        message=None if judged.message is None else _cut(judged.message),
        step=judged.step,
        status=judged.status,
        reason=_cut(finding.reason),
        value=_sent(value),
    )


# -- inside


def _find_nan(on: OnNan, look: Look) -> Finding | None:
    if on.metric is not None:
        key = metric_key(on.metric)
        is_nan = query.holds(_is_nan(key), look.held(key))
        return Finding(f"{'/'.join(key.names)} is NaN", "nan") if is_nan else None
    names = list(dict.fromkeys("/".join(names) for names, value in _leaves(look.metrics) if _says_nan(value)))
    if not names:
        return None
    more = f" and {len(names) - SHOWN_METRICS} more" if len(names) > SHOWN_METRICS else ""
    verb = "is" if len(names) == 1 else "are"
    return Finding(f"{', '.join(_cut(name, 80) for name in names[:SHOWN_METRICS])}{more} {verb} NaN", "nan")


def _find_plateau(on: OnPlateau, look: Look) -> Finding | None:
    if look.row.facts.done_us is not None:
        return None
    window = look.windows(on)
    if window is None or window.before is None:
        return None
    sign = 1 if on.goal == "minimum" else -1
    if window.recent is not None and sign * window.recent < sign * window.before - on.min_delta:
        return None
    by = f" by more than {on.min_delta:g}" if on.min_delta else ""
    reason = (
        f"{series_of(on.metric)} did not get better{by} for {on.patience_steps:,} steps; the best was {window.before:g}"
    )
    return Finding(reason, window.recent)


def _is_nan(key: Key) -> Condition:
    return Condition(key, "=", query.Wanted("nan", float("nan")))


def _says_nan(value: Json) -> bool:
    return isinstance(value, str) and value.lower() == "nan"


def _leaves(content: JsonObject) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Give what is no dictionary, with the names that lead to it below its file; no deeper than a body can be."""
    waiting: list[tuple[tuple[str, ...], Json]] = [((), below) for _, below in sorted(content.items(), reverse=True)]
    while waiting:
        names, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*names, name), below) for name, below in reversed(value.items())]
        else:
            yield names, value


def _below(value: Json, names: Sequence[str]) -> Json:
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _sent(value: Held) -> Held:
    """Give a value that every reader of JSON takes: a whole number beyond what a double holds goes as a text."""
    if isinstance(value, int) and abs(value) > _MAX_WHOLE:
        value = str(value)
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

"""From what the store tells to what the read API answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from livestream.studio.git_tree.values import Commit
from livestream.studio.http.views import (
    ChartView,
    CommitView,
    DeliveryView,
    ExperimentView,
    FileView,
    GapView,
    ImageView,
    LogView,
    NamedChartView,
    Number,
    PlotView,
    SeriesView,
    SharedSeriesView,
    StatusView,
)
from livestream.studio.status import DeliveryTruth, Status
from livestream.studio.store.base import (
    Chart,
    ExperimentRow,
    Image,
    LogLine,
    NamedChart,
    PlotFile,
    Series,
    SharedName,
    SnapshotInfo,
)
from livestream.studio.update import Value

_UNITS: Final = 1_000_000


def seconds(time_us: int) -> float:
    """Microseconds since the epoch as seconds."""
    return time_us / _UNITS


def seconds_or_none(time_us: int | None) -> float | None:
    """As `seconds`, of what may be missing."""
    return None if time_us is None else time_us / _UNITS


def number(value: Value) -> Number:
    """A value as JSON can hold it: the store keeps infinities as numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value  # type: ignore[return-value] # the only text that is stored is "nan"


def numbers(values: Sequence[Value]) -> list[Number]:
    """As `number`, of many; at the speed of C where there is no infinity."""
    if math.inf in values or -math.inf in values:
        return [number(value) for value in values]
    return list(values)  # type: ignore[arg-type] # as above


def status_view(status: Status) -> StatusView:
    """Show a status."""
    return StatusView(kind=status.kind, reason=status.reason, since=seconds(status.since_us))


def delivery_view(truth: DeliveryTruth) -> DeliveryView:
    """Show what has not arrived."""
    return DeliveryView(
        behind_s=truth.behind_s,
        backlog_rows=truth.backlog_rows,
        backlog_bytes=truth.backlog_bytes,
        missing_events=truth.missing_events,
        gaps=[GapView(writer=gap.writer, first=gap.first, last=gap.last) for gap in truth.gaps],
        losses=truth.losses,
        writers=truth.writers,
        beating=truth.beating,
        heard=seconds(truth.heard_us),
    )


def commit_view(commit: Commit) -> CommitView:
    """Show a commit."""
    return CommitView(
        sha=commit.sha,
        short=commit.short,
        message=commit.subject,
        author=commit.author,
        email_hash=commit.email_hash,
        time=float(commit.time_s),
        branches=list(commit.branches),
        parents=list(commit.parents),
    )


def experiment_view(
    row: ExperimentRow, status: Status, truth: DeliveryTruth, commit: CommitView | None, projects: list[int]
) -> ExperimentView:
    """Show an experiment."""
    facts = row.facts
    return ExperimentView(
        id=row.id,
        name=row.identity.name,
        repo_url=row.identity.repo_url,
        repository=row.identity.repository,
        baseline_sha=row.identity.baseline_sha,
        subdir=row.subdir,
        status=status_view(status),
        delivery=delivery_view(truth),
        step=facts.step,
        session=facts.session,
        created=seconds(row.created_us),
        updated=seconds(row.updated_us),
        started=seconds_or_none(facts.start_us),
        done=seconds_or_none(facts.done_us),
        deleted=seconds_or_none(row.deleted_us),
        message=facts.message,
        clients=facts.clients,
        errors=facts.errors,
        warnings=facts.warnings,
        machine=facts.machine,
        env=facts.env,
        extra=facts.extra,
        experiment_rev=facts.experiment_rev,
        references=facts.references,
        commit=commit,
        projects=projects,
        metrics=row.metrics,
        params=row.params,
    )


def series_view(series: Series) -> SeriesView:
    """Show a series."""
    return SeriesView(
        id=series.id,
        path=series.path,
        column=series.column,
        name=series.name,
        props=series.props,
        count=series.count,
        first_step=series.first_step,
        last_step=series.last_step,
        last=None if series.last is None else number(series.last),
        minimum=series.minimum,
        maximum=series.maximum,
    )


def chart_view(series: int, chart: Chart) -> ChartView:
    """Show a chart."""
    return ChartView(
        series=series,
        width=chart.width,
        steps=chart.steps,
        last=numbers(chart.last),
        times=[time_us / _UNITS for time_us in chart.times_us],
        minimum=chart.minimum,
        maximum=chart.maximum,
        count=chart.count,
        total=chart.total,
    )


def named_chart_view(found: NamedChart) -> NamedChartView:
    """Show a chart that was found by name."""
    view = chart_view(found.series, found.chart)
    return NamedChartView(
        experiment=found.experiment,
        name=found.name,
        path=found.path,
        column=found.column,
        **{field: getattr(view, field) for field in view.__struct_fields__},
    )


def shared_series_view(shared: SharedName) -> SharedSeriesView:
    """Show a name of series."""
    return SharedSeriesView(
        name=shared.name,
        experiments=shared.experiments,
        count=len(shared.experiments),
        last_step=shared.last_step,
    )


def file_view(file: PlotFile) -> FileView:
    """Show what images there are, or a plot."""
    return FileView(
        experiment=file.experiment,
        path=file.path,
        kind=file.kind,
        count=file.count,
        first_step=file.first_step,
        last_step=file.last_step,
        template=file.template,
    )


def image_view(image: Image) -> ImageView:
    """Show an image."""
    return ImageView(
        id=image.id,
        path=image.path,
        step=image.step,
        sha256=image.sha256,
        media_type=image.media_type,
        size=image.size,
        received=seconds(image.received_us),
    )


def plot_view(info: SnapshotInfo) -> PlotView:
    """Show a plot kept whole."""
    return PlotView(
        path=info.path, step=info.step, size=info.size, props=info.props, received=seconds(info.received_us)
    )


def log_view(line: LogLine) -> LogView:
    """Show a line of the log."""
    return LogView(time=seconds(line.time_us), kind=line.kind, detail=line.detail)

"""Lists that are read as they are stored: rows, images, plots kept whole, the log, projects, changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from livestream.events import JsonObject
from livestream.studio.store.base import Change, Image, LogLine, PlotFile, Project, Row, SnapshotInfo

_FROM_THE_START: Final = "SELECT step, value, timestamp, received_us FROM point WHERE series = :series"

_STORED_ROWS: Final = f"{_FROM_THE_START} ORDER BY step, received_us LIMIT :limit"

_STORED_ROWS_AFTER: Final = f"""{_FROM_THE_START}
    AND step >= :step AND (step > :step OR received_us > :received_us) ORDER BY step, received_us LIMIT :limit"""

_IMAGES: Final = """
    SELECT coalesce(CAST('[' || group_concat(line) || ']' AS BLOB), '[]') FROM (
        SELECT json_object('id', id, 'experiment', experiment, 'path', path, 'step', step, 'sha256', sha256,
            'media_type', media_type, 'size', size, 'received_us', received_us) AS line
        FROM image WHERE experiment = ? ORDER BY path, step, received_us, id)"""

_IMAGE: Final = """
    SELECT id, experiment, path, step, sha256, media_type, size, received_us FROM image WHERE id = ?"""

_SNAPSHOT_INFO: Final = """
    SELECT path, step, length(content), props, received_us FROM plot
    WHERE experiment = :experiment AND content IS NOT NULL"""

_SNAPSHOT: Final = """
    SELECT path, step, length(content), props, received_us, content FROM plot
    WHERE experiment = :experiment AND path = :path AND content IS NOT NULL"""

# A path is cut step by step: without its suffix, then without the digits before that; what is left of "a/b/12.png" is
# "a/b/". Only where something was cut each time, and a folder is left, are images numbered.
_PLOT_FILES: Final = """
    SELECT coalesce(CAST('[' || group_concat(line) || ']' AS BLOB), '[]') FROM (
        SELECT json_object('experiment', experiment, 'path', folder, 'kind', 'image', 'count', sum(count),
            'first_step', min(first), 'last_step', max(last)) AS line
        FROM (
            SELECT experiment, count,
                CASE WHEN is_numbered THEN rtrim(folder, '/') ELSE path END AS folder,
                CASE WHEN is_numbered THEN CAST(substr(bare, length(folder) + 1) AS INTEGER) ELSE first END AS first,
                CASE WHEN is_numbered THEN CAST(substr(bare, length(folder) + 1) AS INTEGER) ELSE last END AS last
            FROM (
                SELECT *, rtrim(bare, :digits) AS folder,
                    rtrim(bare, :digits) LIKE '_%/' AND bare NOT LIKE '%/' AND bare != path AS is_numbered
                FROM (
                    SELECT i.experiment, i.path, count(*) AS count, min(i.step) AS first, max(i.step) AS last,
                        CASE WHEN rtrim(i.path, :letters) LIKE '%.' THEN rtrim(rtrim(i.path, :letters), '.')
                            ELSE i.path END AS bare
                    FROM json_each(:experiments) AS asked CROSS JOIN image AS i ON i.experiment = asked.value
                    GROUP BY i.experiment, i.path
                )
            )
        )
        GROUP BY experiment, folder
        UNION ALL
        SELECT json_object('experiment', p.experiment, 'path', p.path, 'kind', 'plot', 'count', 1,
            'first_step', p.step, 'last_step', p.step,
            'template', CASE json_type(CAST(p.props AS TEXT), '$.template')
                WHEN 'text' THEN json_extract(CAST(p.props AS TEXT), '$.template') END)
        FROM json_each(:experiments) AS asked CROSS JOIN plot AS p ON p.experiment = asked.value
        WHERE p.content IS NOT NULL)"""

_LOG: Final = "SELECT time_us, kind, detail FROM event WHERE experiment = ? ORDER BY id DESC LIMIT ?"

_PROJECTS: Final = """
    SELECT id, name, repository, repo_url, subdir, automatic, created_us FROM project ORDER BY name, id"""

_CHANGES: Final = """
    SELECT CAST('[' || group_concat(line) || ']' AS BLOB) FROM (
        SELECT json_object('seq', seq, 'experiment', experiment, 'kind', kind, 'time_us', time_us) AS line
        FROM change AS c WHERE seq > :since
        AND NOT EXISTS (SELECT 1 FROM change AS later WHERE later.experiment = c.experiment AND later.seq > c.seq)
        ORDER BY seq LIMIT :limit)"""

_REACH: Final = """
    SELECT (SELECT min(seq) FROM change), (SELECT seq FROM sqlite_sequence WHERE name = 'change')"""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"
_IMAGES_DECODER: Final = msgspec.json.Decoder(list[Image])
_PLOT_FILES_DECODER: Final = msgspec.json.Decoder(list[PlotFile])
_CHANGES_DECODER: Final = msgspec.json.Decoder(list[Change])
_OBJECT_DECODER: Final = msgspec.json.Decoder(JsonObject)


def read_stored_rows(connection: sqlite3.Connection, series: int, after: Row | None, limit: int) -> list[Row]:
    """Read the next stored rows of a series, by step, then by arrival."""
    if after is None:
        found = connection.execute(_STORED_ROWS, {"series": series, "limit": limit}).fetchall()
    else:
        asked = {"series": series, "step": after.step, "received_us": after.received_us, "limit": limit}
        found = connection.execute(_STORED_ROWS_AFTER, asked).fetchall()
    return [Row(*row) for row in found]


def read_images(connection: sqlite3.Connection, experiment: int) -> list[Image]:
    """Read all images of an experiment."""
    return _IMAGES_DECODER.decode(connection.execute(_IMAGES, (experiment,)).fetchall()[0][0])


def read_image(connection: sqlite3.Connection, image: int) -> Image | None:
    """Read one image."""
    for id_, experiment, path, step, *rest in connection.execute(_IMAGE, (image,)).fetchall():
        sha256, media_type, size, received_us = rest
        return Image(
            id=id_,
            experiment=experiment,
            path=path,
            step=step,
            sha256=sha256,
            media_type=media_type,
            size=size,
            received_us=received_us,
        )
    return None


def read_snapshots(connection: sqlite3.Connection, experiment: int) -> list[SnapshotInfo]:
    """Read what is known of an experiment's plots that are kept whole, without their rows."""
    found = connection.execute(_SNAPSHOT_INFO + " ORDER BY path", {"experiment": experiment}).fetchall()
    return [_info(*row) for row in found]


def read_snapshot(connection: sqlite3.Connection, experiment: int, path: str) -> tuple[SnapshotInfo, bytes] | None:
    """Read one plot with its rows."""
    for *info, content in connection.execute(_SNAPSHOT, {"experiment": experiment, "path": path}).fetchall():
        return _info(*info), content
    return None


def read_plot_files(connection: sqlite3.Connection, experiments: Sequence[int]) -> list[PlotFile]:
    """Read which images and plots kept whole some experiments have, by experiment, path and kind."""
    asked = {"experiments": msgspec.json.encode(experiments).decode(), "letters": _LETTERS, "digits": _DIGITS}
    found = _PLOT_FILES_DECODER.decode(connection.execute(_PLOT_FILES, asked).fetchall()[0][0])
    return sorted(found, key=lambda one: (one.experiment, one.path, one.kind))


def read_log(connection: sqlite3.Connection, experiment: int, limit: int) -> list[LogLine]:
    """Read the newest lines of an experiment's log, oldest first."""
    found = connection.execute(_LOG, (experiment, max(limit, 0))).fetchall()
    return [LogLine(time_us, kind, _OBJECT_DECODER.decode(detail)) for time_us, kind, detail in reversed(found)]


def read_projects(connection: sqlite3.Connection) -> list[Project]:
    """Read all projects, by name."""
    return [
        Project(
            id=id_,
            name=name,
            repository=repository,
            repo_url=repo_url,
            subdir=subdir,
            automatic=bool(automatic),
            created_us=created_us,
        )
        for id_, name, repository, repo_url, subdir, automatic, created_us in connection.execute(_PROJECTS).fetchall()
    ]


def read_changes(connection: sqlite3.Connection, since: int, limit: int) -> list[Change] | None:
    """Read the newest entry of each experiment after ``since``, oldest first; None where the log does not reach."""
    ((oldest, newest),) = connection.execute(_REACH).fetchall()
    newest = newest or 0
    if since > newest or (since < newest and (oldest is None or since < oldest - 1)):
        return None
    found = connection.execute(_CHANGES, {"since": since, "limit": max(limit, 0)}).fetchall()[0][0]
    return [] if found is None else _CHANGES_DECODER.decode(found)


def read_last_change(connection: sqlite3.Connection) -> int:
    """Read the number of the newest entry, be it still there or not; 0 for none."""
    (_, newest), *_ = connection.execute(_REACH).fetchall()
    return newest or 0


def _info(path: str, step: int, size: int, props: bytes, received_us: int) -> SnapshotInfo:
    return SnapshotInfo(path=path, step=step, size=size, props=_OBJECT_DECODER.decode(props), received_us=received_us)

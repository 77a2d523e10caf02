"""What must hold of a Studio's folder after any storm and any kill, judged by what its clients planned and were told.

1. What was answered 200 is there: every row, every image with its bytes, the newest metrics.
2. Nothing is torn: a body is there with all that it holds, or with nothing of it. Nothing is there that nobody sent.
3. The databases are whole, roll-ups are what the points say, and no file is left over from a death.
4. Once every body was answered, everything equals what one clean pass leaves (`clean_pass`): the same bodies, once
   each, in their order, put into a store without a server.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from store_cases import Store, ask, expected_rollups, rollups
from studio_plan import Picture, Post, Row

from livestream.studio.experiment import Facts, WriterFacts
from livestream.studio.update import Delivery
from livestream.studio.wire.body import decode

CLEAN_US: Final = 1_700_000_000_000_000
KNOWN_FILES: Final = {
    *("studio.db", "studio.db-wal", "studio.db-shm", "auth.db", "auth.db-wal", "auth.db-shm"),
    *("studio.lock", "studio.json", "blobs", "ingest", "repositories"),
}

Dump: TypeAlias = dict[str, Any]

_POINTS: Final = """
SELECT name, path, "column", step, timestamp, value FROM point
JOIN series ON series.id = point.series JOIN experiment ON experiment.id = series.experiment
"""
_IMAGES: Final = """
SELECT name, path, step, sha256, size FROM image JOIN experiment ON experiment.id = image.experiment
"""
_ROLLUPS: Final = """
SELECT name || ' ' || path, "column", level, bucket, last_step, last, last_us, minimum, maximum, count
FROM rollup JOIN series ON series.id = rollup.series JOIN experiment ON experiment.id = series.experiment
"""
_PLOTS: Final = """
SELECT name, path, props, session, step, content FROM plot JOIN experiment ON experiment.id = plot.experiment
ORDER BY name, path
"""


def rows_of(data: Path) -> list[Row]:
    """Every stored point."""
    return [Row(*row) for row in ask(data, _POINTS)]


def pictures_of(data: Path) -> list[Picture]:
    """Every stored image, its file compared with its row."""
    found = []
    for experiment, path, step, sha256, size in ask(data, _IMAGES):
        content = (data / "blobs" / sha256[:2] / sha256).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size), f"{path} at {step} is torn"
        found.append(Picture(experiment, path, step, sha256))
    return found


def dump(data: Path) -> Dump:
    """All that a store holds, but for moments of arrival and what follows from them alone."""
    plots = ask(data, _PLOTS)
    return {
        "points": sorted(map(repr, rows_of(data))),
        "rollups": sorted(map(repr, rollups(data))),
        "images": sorted(pictures_of(data)),
        "plots": [(*plot[:2], msgspec.json.decode(plot[2]), *plot[3:]) for plot in plots],
        "experiments": {
            name: _facts(*row)
            for name, *row in ask(data, "SELECT name, facts, metrics, params, subdir FROM experiment")
        },
        "projects": ask(data, "SELECT name, repository, subdir FROM project ORDER BY name"),
    }


def _facts(facts: bytes, metrics: bytes, params: bytes, subdir: str) -> Dump:
    known = msgspec.json.decode(facts, type=Facts)
    told = ("session", "step", "errors", "message", "experiment_rev", "machine", "env", "extra")
    return {
        **{name: getattr(known, name) for name in (*told, "metric_ranks", "param_ranks")},
        "started": known.start_us is not None,
        "done": known.done_us is not None,
        "clients": sorted(known.clients),
        "warnings": sorted(map(repr, known.warnings)),
        "writers": {
            name: (each.mark, each.gaps, each.open, each.overlaps, each.session, each.losses)
            for name, each in known.writers.items()
        },
        "metrics": msgspec.json.decode(metrics),
        "params": msgspec.json.decode(params),
        "subdir": subdir,
    }


def experiments_begun(data: Path) -> set[str]:
    """Names of the experiments whose start is stored."""
    known = ask(data, "SELECT name, facts FROM experiment")
    return {name for name, facts in known if msgspec.json.decode(facts, type=Facts).start_us is not None}


def clean_pass(data: Path, posts: Sequence[Post]) -> Dump:
    """What a store holds when each body came once, in order, one a transaction."""
    data.mkdir()
    store = Store(data)
    for post in posts:
        delivery = Delivery(
            update=decode(post.payload),
            received_us=CLEAN_US + post.number,
            digest=hashlib.sha256(post.payload).digest(),
            key=post.key,
            repair=post.repair,
            losses=post.losses,
        )
        store.apply(delivery)
    store.writer.close()
    return dump(data)


def check_equal(found: Dump, clean: Dump) -> None:
    """Hold two dumps against each other, piece by piece, so that a difference can be read."""
    for part, expected in clean.items():
        if isinstance(expected, list):
            more, less = _without(found[part], expected), _without(expected, found[part])
            assert not more, f"{part}: {len(more)} more than a clean pass leaves: {more[:3]}"
            assert not less, f"{part}: {len(less)} fewer than a clean pass leaves: {less[:3]}"
            assert len(found[part]) == len(expected), f"{part}: something is there twice"
        else:
            assert found[part].keys() == expected.keys()
            for name, facts in expected.items():
                differing = {
                    fact: (found[part][name][fact], facts[fact])
                    for fact in facts
                    if found[part][name][fact] != facts[fact]
                }
                assert not differing, f"{part} {name}: {differing}"


def _without(left: list[Any], right: list[Any]) -> list[Any]:
    known = set(map(repr, right))
    return [item for item in left if repr(item) not in known]


def check_kept(data: Path, posts: Sequence[Post], answered: Iterable[int], *, is_drained: bool = True) -> None:
    """What was answered is there, nothing is torn, and nothing is there that nobody sent.

    Args:
        is_drained: Nothing is logged that is not applied: of a body that is, slices may be in.
    """
    stored, pictures = rows_of(data), pictures_of(data)
    rows, images = set(stored), set(pictures)
    assert (len(rows), len(images)) == (len(stored), len(pictures)), "something is there twice"
    known, told = set[Row | Picture](), frozenset(answered)
    steps: dict[tuple[str, str], int] = {}
    for post in posts:
        there = (post.rows & rows) | (post.images & images)
        whole = post.rows | post.images
        assert there in (whole, frozenset()) or not is_drained, (
            f"body {post.number} is torn: {len(there)} of {len(whole)} are there"
        )
        known |= whole
        if post.number in told:
            assert there == whole, f"body {post.number} was answered, and is lost"
            if post.repair:
                continue
            where = post.experiment, post.file
            steps[where] = max(steps.get(where, 0), post.step)
    assert (rows | images) <= known, "something is there that nobody sent"
    for (name, file), step in steps.items():
        ((metrics,),) = ask(data, "SELECT metrics FROM experiment WHERE name = ?", name)
        found = msgspec.json.decode(metrics)[file]["step"] if step else 0
        assert found >= step, f"{name}: metrics of step {found}, step {step} was answered"
    check_rollups(data, stored)
    if is_drained:
        _check_marks(data, posts, rows | images)


def _check_marks(data: Path, posts: Iterable[Post], there: set[Row | Picture]) -> None:
    """The mark of a writer says which of its bodies are in, so they are its first ones: a state of some moment."""
    marks: dict[str, WriterFacts] = {}
    for (facts,) in ask(data, "SELECT facts FROM experiment"):
        marks |= msgspec.json.decode(facts, type=Facts).writers
    for post in posts:
        if post.key is None:
            continue
        writer = marks.get(post.key.writer, WriterFacts())
        key, name = post.key, f"{post.key.first}/{post.key.last}"
        is_in = key.last <= writer.mark or key.part in writer.open.get(f"{name}/{key.parts}", [])
        if post.repair:
            is_in = f"{name}/{key.part}/{key.parts}" in writer.repaired
            gap = (key.first, key.last)
            assert writer.gaps == [gap] * (writer.mark > key.last and gap in writer.gaps), "a gap that nobody left"
            assert is_in or not writer.mark > key.last or writer.gaps == [gap], "a gap that is not known"
        assert writer.overlaps == 0
        content = post.rows | post.images
        assert not content or (content <= there) == is_in, f"body {post.number}: in {not is_in}, the mark says {is_in}"


def check_rollups(data: Path, stored: Iterable[Row]) -> None:
    """Roll-ups say what the points say, whatever order they came in."""
    expected = expected_rollups((f"{row.experiment} {row.path}", *row[2:]) for row in stored)
    assert sorted(ask(data, _ROLLUPS), key=lambda row: row[:4]) == expected


def check_whole(data: Path) -> None:
    """The databases are whole, and nothing is left of what died; to be called while nothing is under way."""
    for name in ("studio.db", "auth.db"):
        with closing(sqlite3.connect(data / name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name
    assert {path.name for path in data.iterdir()} <= KNOWN_FILES
    assert [path.name for path in (data / "ingest").iterdir()] == []
    blobs = [path for path in (data / "blobs").rglob("*") if path.is_file()]
    assert [path for path in blobs if path.parent.name + path.name[2:] != path.name] == []

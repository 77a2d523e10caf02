from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from reader_cases import Filled, as_json, random_rows

from livestream.studio.store.base import Image, LogLine, Project, Row, Scope, SnapshotInfo
from livestream.studio.store.errors import StoreError
from livestream.studio.store.sqlite import reader as reader_module
from livestream.studio.store.sqlite.reader import SqliteReader


def add_changes(filled: Filled, *experiments: int) -> None:
    for experiment in experiments:
        filled.insert("change", experiment=experiment, kind="data", time_us=5)


def test_stored_rows_come_by_step_then_by_arrival(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    filled.add_rows(series, [(2, 1.0, 9), (1, "nan", 0), (2, 0.5, 3), (2, math.inf, 0), (1, 7, 0)])
    rows = list(reader.stored_rows(series))
    assert [(row.step, row.value, row.timestamp) for row in rows] == [
        (1, "nan", 0),
        (1, 7, 0),
        (2, 1.0, 9),
        (2, 0.5, 3),
        (2, math.inf, 0),
    ]
    assert isinstance(rows[1].value, int)
    assert list(reader.stored_rows(99)) == []


@pytest.mark.parametrize("seed", range(8))
def test_batches_of_rows_make_up_the_whole(
    seed: int, filled: Filled, reader: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "ROWS_A_BATCH", random.Random(seed).choice([1, 7, 64, 1_000]))
    series = filled.add_series()
    stored = filled.add_rows(series, random_rows(random.Random(seed))[:3_000])
    wanted = [
        Row(step, value, timestamp, us) for step, value, timestamp, us in sorted(stored, key=lambda r: (r[0], r[3]))
    ]
    assert list(reader.stored_rows(series)) == wanted
    middle = len(wanted) // 2
    assert not wanted or list(reader.stored_rows(series, wanted[middle])) == wanted[middle + 1 :]


def test_a_writer_is_not_held_up_by_rows_that_are_being_read(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    filled.add_rows(series, [(step, 1.0, 0) for step in range(10)])
    rows = reader.stored_rows(series)
    next(rows)
    filled.insert("change", experiment=1, kind="data", time_us=1)
    ((busy, _, _),) = filled.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert busy == 0
    assert len(list(rows)) == 9


def test_images_come_by_path_then_step_then_arrival(filled: Filled, reader: SqliteReader) -> None:
    places = [("b.png", 1, 5), ("a.png", 2, 6), ("a.png", 1, 8), ("a.png", 1, 7)]
    for index, (path, step, received_us) in enumerate(places):
        filled.insert(
            "image",
            experiment=1,
            path=path,
            step=step,
            sha256=f"{index:064x}",
            media_type="image/png",
            size=10,
            received_us=received_us,
        )
    found = reader.images(1)
    assert [(one.path, one.step, one.received_us) for one in found] == [
        ("a.png", 1, 7),
        ("a.png", 1, 8),
        ("a.png", 2, 6),
        ("b.png", 1, 5),
    ]
    assert found[3] == Image(
        id=1, experiment=1, path="b.png", step=1, sha256="0" * 64, media_type="image/png", size=10, received_us=5
    )
    assert [reader.image(one.id) for one in found] == found
    assert reader.image(99) is None
    assert reader.images(2) == []


def test_snapshots_are_the_plots_with_content(filled: Filled, reader: SqliteReader) -> None:
    common = {"experiment": 1, "session": 1, "step": 4, "received_us": 9}
    filled.insert("plot", path="series.tsv", props=b"{}", **common)
    filled.insert("plot", path="z.json", props=as_json({"x": "a"}), content=b'[{"a":1}]', **common)
    filled.insert("plot", path="b.json", props=b"{}", content=b"[]", **common)
    infos = reader.snapshots(1)
    assert [info.path for info in infos] == ["b.json", "z.json"]
    wanted = SnapshotInfo(path="z.json", step=4, size=9, props={"x": "a"}, received_us=9)
    assert reader.snapshot(1, "z.json") == (wanted, b'[{"a":1}]')
    assert reader.snapshot(1, "series.tsv") is None
    assert reader.snapshot(2, "z.json") is None


def test_the_log_gives_its_newest_lines_oldest_first(filled: Filled, reader: SqliteReader) -> None:
    for time_us in range(10):
        filled.insert("event", experiment=1, time_us=time_us, kind="started", detail=as_json({"n": time_us}))
        filled.insert("event", experiment=2, time_us=time_us, kind="done", detail=b"{}")
    assert reader.log(1, 2) == [LogLine(8, "started", {"n": 8}), LogLine(9, "started", {"n": 9})]
    assert len(reader.log(1)) == 10
    assert reader.log(1, 0) == []


def test_projects_come_by_name(filled: Filled, reader: SqliteReader) -> None:
    for name, subdir, automatic in [("z", "", 1), ("a", "s", 0)]:
        filled.insert(
            "project", name=name, repository="r", repo_url="u", subdir=subdir, automatic=automatic, created_us=3
        )
    assert reader.projects() == [
        Project(id=2, name="a", repository="r", repo_url="u", subdir="s", automatic=False, created_us=3),
        Project(id=1, name="z", repository="r", repo_url="u", subdir="", automatic=True, created_us=3),
    ]


def test_changes_are_each_experiments_newest(filled: Filled, reader: SqliteReader) -> None:
    assert reader.changes(0, 10) == []
    assert reader.last_change() == 0
    add_changes(filled, 1, 2, 1, 3, 1, 0)
    assert [(one.seq, one.experiment) for one in reader.changes(0, 10) or []] == [(2, 2), (4, 3), (5, 1), (6, 0)]
    assert [one.seq for one in reader.changes(4, 10) or []] == [5, 6]
    assert reader.changes(6, 10) == []
    assert reader.last_change() == 6


def test_changes_read_page_by_page_miss_nothing(filled: Filled, reader: SqliteReader) -> None:
    chance = random.Random(4)
    add_changes(filled, *(chance.randrange(20) for _ in range(300)))
    seen: list[int] = []
    since = 0
    while page := reader.changes(since, 3):
        since = page[-1].seq
        seen += [one.experiment for one in page]
    assert sorted(seen) == list(range(20))


def test_a_log_that_no_longer_reaches_back_says_so(filled: Filled, reader: SqliteReader) -> None:
    add_changes(filled, 1, 2, 3, 4)
    filled.connection.execute("DELETE FROM change WHERE seq <= 2")
    assert reader.changes(1, 10) is None
    assert [one.seq for one in reader.changes(2, 10) or []] == [3, 4]
    assert reader.changes(5, 10) is None
    filled.connection.execute("DELETE FROM change")
    assert reader.changes(4, 10) == []
    assert reader.changes(3, 10) is None
    assert reader.last_change() == 4


def test_a_database_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"studio\.db"):
        SqliteReader(tmp_path)
    filled = Filled(tmp_path)
    reader = SqliteReader(tmp_path)
    filled.connection.execute("DROP TABLE image")
    filled.close()
    with pytest.raises(StoreError, match="no such table"):
        reader.images(1)
    assert reader.projects() == []
    reader.close()


def test_numbers_beyond_64_bits_are_of_nothing(filled: Filled, reader: SqliteReader) -> None:
    filled.add_experiment("a")
    add_changes(filled, 1)
    for number in (2**63, -(2**70), 10**30):
        assert reader.rows([number]) == []
        assert reader.briefs(Scope(ids=(number,))) == []
        assert (reader.series(number), reader.one_series(number)) == ([], None)
        assert reader.chart(number, points=10).total == 0
        assert list(reader.stored_rows(number)) == []
        assert (reader.images(number), reader.image(number)) == ([], None)
        assert (reader.snapshots(number), reader.snapshot(number, "a")) == ([], None)
        assert reader.log(number, number) == []
    assert reader.changes(2**70, 10) is None
    assert len(reader.changes(0, 2**70) or []) == 1

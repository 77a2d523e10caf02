from __future__ import annotations

from pathlib import Path

import pytest
from store_cases import METRICS, NOW_US, Store, delivery, expected_rollups, is_whole, key, points
from training_cases import small_disk, succeed, use_up

from livestream.studio.store.errors import StoreError, StoreFullError
from livestream.studio.store.sqlite.database import NAME, copy_database
from livestream.studio.update import Delivery, Picture

ROOT = Path(__file__).resolve().parent.parent.parent


def numbered(number: int, size: int = 2000) -> Delivery:
    rows = [(step, step * 0.5) for step in range(number * size, (number + 1) * size)]
    metrics = {METRICS: {"number": number}}
    return delivery(step=rows[-1][0], key=key(number + 1), points=[points(rows), points(rows, "b")], metrics=metrics)


def applied_until_full(store: Store, number: int) -> int:
    """Give the number of the first delivery that the disk does not take."""
    try:
        while True:
            store.apply(numbered(number))
            number += 1
    except StoreFullError:
        return number


def test_a_full_disk_costs_nothing_that_was_stored_and_the_same_deliveries_pass_once_there_is_space() -> None:
    with small_disk("4m") as disk:
        store = Store(disk)
        store.apply(numbered(0))
        hog = use_up(disk)
        number = applied_until_full(store, 1)
        assert store.facts().writers["w"].mark == number
        assert len(store.rows()) == number * 2 * 2000
        for _ in range(3):
            with pytest.raises(StoreFullError):
                store.apply(numbered(number))
        with pytest.raises(StoreFullError):
            store.apply(
                delivery(pictures=[Picture(path="i", step=1, content=bytes(9_000_000), media_type="image/png")])
            )
        assert [path.name for path in (disk / "blobs").rglob("*") if path.is_file()] == []
        hog.unlink()
        assert store.apply(numbered(number)).points_new == 2 * 2000
        assert store.files() == {METRICS: {"number": number}}
        assert store.rollups() == expected_rollups(store.rows())
        assert is_whole(disk)
        store.reopen()
        assert len(store.rows()) == (number + 1) * 2 * 2000
        store.writer.close()


def test_a_database_cannot_be_made_on_a_full_disk_and_can_be_later() -> None:
    with small_disk("200k") as disk:
        hog = use_up(disk)
        with pytest.raises(StoreError):
            Store(disk)
        hog.unlink()
        Store(disk).writer.close()


def test_a_backup_without_space_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.apply(*[numbered(number) for number in range(10)])
    with small_disk("200k") as disk:
        with pytest.raises(StoreFullError):
            copy_database(tmp_path / NAME, disk / NAME)
        assert list(disk.iterdir()) == []
    store.writer.close()


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["PYTHONPATH"] += f":{ROOT / 'tests' / 'studio'}"
    script = """
    import resource, signal
    from pathlib import Path
    from store_cases import Store
    from test_store_full_disk import applied_until_full, numbered
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = Store(Path(sys.argv[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    number = applied_until_full(store, 0)
    assert store.facts().writers["w"].mark == number > 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.apply(numbered(number))
    assert len(store.rows()) == (number + 1) * 2 * 2000
    store.writer.close()
    say("done")
    """
    assert succeed(script, environ, tmp_path).strip() == "done"


def test_a_value_that_cannot_be_stored_costs_its_transaction_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.apply(numbered(0))
    for bad in (points([(2**63, 1.0)]), points([(1, 1.0)], "\ud800")):
        with pytest.raises(StoreError, match="cannot be stored"):
            store.apply(delivery(at_s=5, step=99_999, points=[bad]))
    with pytest.raises(StoreError, match="NaN"):
        store.apply(delivery(at_s=5, step=99_999, points=[points([(1, float("nan"))])]))
    assert store.facts().event_us == NOW_US
    store.apply(numbered(1))
    assert store.facts().writers["w"].mark == 2
    store.writer.close()

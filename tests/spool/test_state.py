from __future__ import annotations

import contextlib
import multiprocessing
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.errors import SpoolError, SpoolFormatError
from livestream.events import Experiment
from livestream.spool.database import VERSION
from livestream.spool.letters import DROPPED
from livestream.spool.rows import (
    Acknowledgement,
    Books,
    DeadLetter,
    ExperimentRow,
    NewWriter,
    PlanRow,
    Settlement,
    Tally,
    TargetRow,
)
from livestream.spool.state import State, StateAbsentError, StateFullError

EXPERIMENT = Experiment(repo_url="git@host:a/b.git", baseline_sha="a" * 40, name="null")
FLIP_ROUNDS = 60
TABLES = ("experiment", "writer", "plan", "dead", "target")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.db"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    state, replaced = State.open(path, shared=False)
    assert replaced is None
    yield state
    state.close()


def fill(state: State) -> ExperimentRow:
    """One experiment with a writer of ten events, four of them queued, one dead and one parked."""
    experiment = state.ensure_experiment(EXPERIMENT)
    state.ensure_writer(NewWriter(uid="w1", experiment_id=experiment.id, role="primary", info=b'{"uid":"w1"}', at=1.0))
    state.set_emitted(Tally(writer="w1", emitted=10, refused={"quota": 2, "disk": 0}, trimmed=1, at=2.0))
    state.set_plan(PlanRow(writer="w1", first=1, last=6, parts=3, profile=b"p"))
    state.acknowledge(acknowledgement(experiment, cursor=6, delivered=4, dead=(letter(2), parked(5))))
    return experiment


def letter(seq: int, **changes: Any) -> DeadLetter:
    plain = DeadLetter(writer="w1", experiment_id=1, seq=seq, reason="refused", status=400, at=3.0, event=b"{}")
    return msgspec.structs.replace(plain, **changes)


def parked(seq: int) -> DeadLetter:
    return letter(seq, kind="parked", retry_at=100.0, reason="500 five times", blobs=("b1", "b2"), event=b"{...}")


def acknowledgement(experiment: ExperimentRow, cursor: int, delivered: int, **changes: Any) -> Acknowledgement:
    plain = Acknowledgement(
        writer="w1",
        cursor=cursor,
        delivered=delivered,
        superseded=1,
        experiment_id=experiment.id,
        state=b'{"loss":1}',
        step=7,
        started=True,
        accepted_data=True,
        at=4.0,
    )
    return msgspec.structs.replace(plain, **changes)


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def test_an_acknowledgement_moves_cursor_experiment_and_dead_letters_and_drops_the_plan(state: State) -> None:
    experiment = fill(state)

    writer = state.writer("w1")
    assert writer is not None
    assert (writer.cursor, writer.emitted, writer.delivered, writer.dead, writer.queued) == (6, 10, 4, 2, 4)
    assert (writer.refused, writer.trimmed, writer.superseded) == ({"quota": 2}, 1, 1)
    after = state.experiment(experiment.id)
    assert after is not None
    assert (after.state, after.step, after.started, after.done) == (b'{"loss":1}', 7, True, False)
    assert after.last_success == 4.0
    assert state.plan("w1") is None
    assert [(each.seq, each.kind, each.event, each.size) for each in state.letters.list()] == [
        (2, "dead", None, 2),
        (5, "parked", None, 5),
    ]


def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    state, _ = State.open(path, shared=False)
    fill(state)
    before = (state.experiments(), state.writers(), state.letters.list(), state.books())
    state.close()

    again, replaced = State.open(path, shared=False)
    assert replaced is None
    assert (again.experiments(), again.writers(), again.letters.list(), again.books()) == before
    again.close()


@pytest.mark.parametrize(
    ("cursor", "delivered", "dead"),
    [(5, 0, ()), (5, -1, ()), (7, 2, ()), (7, 1, (letter(7),)), (9, 2, ()), (8, 3, (letter(7, count=-1),))],
)
def test_an_acknowledgement_whose_books_do_not_balance_is_refused_whole(
    state: State, path: Path, cursor: int, delivered: int, dead: tuple[DeadLetter, ...]
) -> None:
    experiment = fill(state)
    before = contents(path)

    with pytest.raises(ValueError, match="do not lead to"):
        state.acknowledge(acknowledgement(experiment, cursor=cursor, delivered=delivered, dead=dead))

    assert contents(path) == before


def test_an_acknowledgement_of_a_writer_nobody_met_is_refused(state: State) -> None:
    experiment = fill(state)
    with pytest.raises(ValueError, match="writer w2"):
        state.acknowledge(acknowledgement(experiment, cursor=1, delivered=1, writer="w2"))


def test_dead_events_alone_leave_the_experiment_as_it_was(state: State) -> None:
    experiment = fill(state)
    state.note_error(experiment.id, "400")
    state.hold_experiment(experiment.id, "start refused", at=8.0)

    gap = letter(7, count=3, reason="missing", event=None)
    state.acknowledge(acknowledgement(experiment, cursor=9, delivered=0, dead=(gap,), state=None, started=False))

    after = state.experiment(experiment.id)
    assert after is not None
    assert (after.state, after.started, after.last_error, after.hold) == (b'{"loss":1}', True, "400", "start refused")
    assert state.books().total.dead == 5


def test_a_success_clears_the_last_error_and_the_hold(state: State) -> None:
    experiment = fill(state)
    state.note_error(experiment.id, "503")
    state.hold_experiment(experiment.id, "no", at=8.0)
    state.hold_experiment(experiment.id, "still no", at=9.0)
    held = state.experiment(experiment.id)
    assert held is not None
    assert (held.hold, held.hold_since) == ("still no", 8.0)

    state.acknowledge(acknowledgement(experiment, cursor=7, delivered=1, at=10.0))

    after = state.experiment(experiment.id)
    assert after is not None
    assert (after.hold, after.hold_since, after.last_error, after.last_success) == (None, None, None, 10.0)


def test_an_experiment_and_a_writer_are_made_once(state: State) -> None:
    first = fill(state)
    assert state.ensure_experiment(EXPERIMENT).id == first.id
    assert state.find_experiment(EXPERIMENT) == state.experiment(first.id)
    other = state.ensure_experiment(msgspec.structs.replace(EXPERIMENT, name="other"))
    assert other.id != first.id

    again = state.ensure_writer(NewWriter(uid="w1", experiment_id=first.id, role="primary", info=b"new", at=9.0))
    assert (again.cursor, again.info) == (6, b"new")


def test_text_that_looks_like_another_type_stays_text(state: State) -> None:
    experiment = fill(state)
    state.hold_experiment(experiment.id, "null", at=1.0)
    state.note_error(experiment.id, "12")
    after = state.experiment(experiment.id)
    assert after is not None
    assert (after.experiment.name, after.hold, after.last_error) == ("null", "null", "12")


def test_what_a_writer_emitted_never_goes_back_and_never_stays_behind_the_cursor(state: State) -> None:
    experiment = fill(state)
    state.set_emitted(Tally(writer="w1", emitted=3, at=5.0))
    assert state.books().total.accepted == 10

    state.acknowledge(acknowledgement(experiment, cursor=12, delivered=6))
    assert state.books().total == Books(accepted=12, delivered=10, dead=2, superseded=2)


def test_a_plan_is_kept_advanced_and_given_up(state: State) -> None:
    plan = PlanRow(writer="w1", first=7, last=9, parts=2, profile=b"stock")
    state.set_plan(plan)
    state.advance_plan("w1", 2)
    assert state.plan("w1") == msgspec.structs.replace(plan, next_part=2)
    with pytest.raises(SpoolError, match="no plan with a part 3"):
        state.advance_plan("w1", 3)
    state.drop_plan("w1")
    assert state.plan("w1") is None
    with pytest.raises(SpoolError, match="no plan"):
        state.advance_plan("w1", 1)


def test_a_writer_that_is_gone_stays_on_the_books(state: State) -> None:
    experiment = fill(state)
    state.acknowledge(acknowledgement(experiment, cursor=10, delivered=4))
    state.set_plan(PlanRow(writer="w1", first=1, last=1, parts=1))
    state.mark_finished("w1", at=5.0)
    assert [writer.finished for writer in state.writers()] == [True]
    state.mark_gone("w1", at=6.0)

    assert state.writers() == []
    assert [writer.gone for writer in state.writers(gone=True)] == [True]
    assert state.plan("w1") is None
    books = state.books()
    assert books.total == books.writers["w1"]
    assert books.total.balanced
    assert books.total.emitted == 12


def test_targets_are_kept_by_url_and_token(state: State) -> None:
    one = TargetRow(url="https://a", fingerprint="f", state="held", detail="401", until=5.0)
    two = TargetRow(url="https://a", fingerprint="g", state="open")
    state.put_target(msgspec.structs.replace(one, state="open"))
    state.put_target(one)
    state.put_target(two)
    assert state.targets() == [one, two]
    assert state.target("https://a", "g") == two
    assert state.target("https://b", "g") is None


def test_letters_fall_due_when_asked_for_or_when_their_time_has_come(state: State) -> None:
    fill(state)
    assert state.letters.next_retry() == 100.0
    assert state.letters.due(99.0) == []
    assert [each.seq for each in state.letters.due(100.0)] == [5]
    assert state.letters.retry([1]) == 1
    assert [each.seq for each in state.letters.due(0.0)] == [2]
    assert state.letters.next_retry() == 0.0
    assert state.letters.counts() == {"parked": 1, "retry": 1}


def test_a_letter_shows_its_content_and_a_list_does_not(state: State) -> None:
    fill(state)
    shown = state.letters.show(2)
    assert shown is not None
    assert (shown.event, shown.size, shown.blobs, shown.kind) == (b"{...}", 5, ("b1", "b2"), "parked")
    assert state.letters.show(3) is None
    assert [each.id for each in state.letters.list(after=1)] == [2]
    assert [each.id for each in state.letters.list(limit=1)] == [1]
    assert state.letters.list(writer="w2") == []
    assert len(state.letters.list(experiment_id=1)) == 2


def test_an_accepted_retry_moves_from_dead_to_delivered_and_frees_its_blobs(state: State) -> None:
    fill(state)
    assert state.letters.blobs() == {"b1", "b2"}
    freed = state.letters.settle(Settlement(id=2, accepted=True, at=9.0))
    assert freed == {"b1", "b2"}
    assert (state.books().total.delivered, state.books().total.dead) == (5, 1)
    assert state.letters.show(2) is None
    assert state.books().total.balanced
    with pytest.raises(SpoolError, match="no dead letter 2"):
        state.letters.settle(Settlement(id=2, accepted=True, at=9.0))


def test_a_refused_retry_is_parked_again_or_dead(state: State) -> None:
    fill(state)
    assert not state.letters.settle(Settlement(id=2, accepted=False, at=9.0, reason="502", status=502, retry_at=200.0))
    again = state.letters.show(2)
    assert again is not None
    assert (again.kind, again.reason, again.status, again.retry_at) == ("parked", "502", 502, 200.0)
    state.letters.settle(Settlement(id=2, accepted=False, at=9.0, status=400))
    dead = state.letters.show(2)
    assert dead is not None
    assert (dead.kind, dead.reason, dead.retry_at, dead.event) == ("dead", "502", None, b"{...}")
    assert state.books().total.dead == 2


def test_a_dropped_letter_stays_on_the_books_without_its_content(state: State) -> None:
    experiment = fill(state)
    state.acknowledge(acknowledgement(experiment, cursor=7, delivered=0, dead=(letter(7, blobs=("b2", "b3")),)))
    assert state.letters.drop([2, 99]) == {"b1"}
    dropped = state.letters.show(2)
    assert dropped is not None
    assert (dropped.kind, dropped.event, dropped.blobs, dropped.retry_at) == ("dead", None, (), None)
    assert dropped.reason == f"500 five times ({DROPPED})"
    assert state.letters.drop([2]) == frozenset()
    assert state.letters.show(2) == dropped
    assert state.letters.retry([2]) == 0
    assert state.books().total.dead == 3


def test_a_letter_of_no_event_is_off_the_books(state: State) -> None:
    experiment = fill(state)
    part = letter(7, count=0, reason="image of 40 MB")
    state.acknowledge(acknowledgement(experiment, cursor=7, delivered=1, dead=(part,)))
    assert state.books().total.dead == 2
    state.letters.settle(Settlement(id=3, accepted=True, at=1.0))
    assert (state.books().total.dead, state.books().total.delivered) == (2, 5)


class FailingConnection(sqlite3.Connection):
    """Fails the statement after ``left`` more as a full disk would."""

    left: ClassVar[int | None] = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        kind = type(self)
        if kind.left is not None and not sql.startswith("ROLLBACK"):
            kind.left -= 1
            if kind.left < 0:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
        return super().execute(sql, parameters)


def _changes() -> dict[str, Callable[[State, ExperimentRow], object]]:
    return {
        "acknowledge": lambda state, row: state.acknowledge(
            acknowledgement(row, cursor=9, delivered=1, dead=(letter(7), letter(8)), state=b"new")
        ),
        "ensure_experiment": lambda state, _: state.ensure_experiment(
            msgspec.structs.replace(EXPERIMENT, name="another")
        ),
        "ensure_writer": lambda state, row: state.ensure_writer(
            NewWriter(uid="w2", experiment_id=row.id, role="contributor", info=b"", at=1.0)
        ),
        "mark_gone": lambda state, _: state.mark_gone("w1", at=1.0),
        "set_plan": lambda state, _: state.set_plan(PlanRow(writer="w1", first=7, last=8, parts=1)),
        "settle": lambda state, _: state.letters.settle(Settlement(id=2, accepted=True, at=1.0)),
        "drop": lambda state, _: state.letters.drop([1, 2]),
        "retry": lambda state, _: state.letters.retry([1, 2]),
    }


@pytest.mark.parametrize("name", list(_changes()))
def test_a_change_that_fails_at_any_statement_changes_nothing(path: Path, name: str) -> None:
    change = _changes()[name]
    FailingConnection.left = None
    state, _ = State.open(path, shared=False, factory=FailingConnection)
    row = fill(state)
    state.set_plan(PlanRow(writer="w1", first=7, last=9, parts=2))
    before = contents(path)
    failures = 0
    while contents(path) == before:
        FailingConnection.left = failures
        try:
            with contextlib.suppress(StateFullError):
                change(state, row)
        finally:
            FailingConnection.left = None
        failures += 1
        assert failures < 20
    assert failures > 3  # BEGIN, at least one statement and COMMIT each failed once
    state.close()


def test_a_full_disk_refuses_the_change_and_takes_it_later(state: State, path: Path) -> None:
    experiment = fill(state)
    before = contents(path)
    connection = state._database.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    big = acknowledgement(experiment, cursor=7, delivered=1, state=b"x" * 100_000)

    with pytest.raises(StateFullError):
        state.acknowledge(big)
    assert contents(path) == before
    assert state.books().total.queued == 4

    connection.execute("PRAGMA max_page_count = 1000000")
    state.acknowledge(big)
    assert state.books().total.queued == 3


@pytest.mark.parametrize("shared", [False, True])
def test_the_files_belong_to_their_owner_alone(tmp_path: Path, *, shared: bool) -> None:
    path = tmp_path / "daemon.db"
    path.touch(0o644)
    state, replaced = State.open(path, shared=shared)
    fill(state)
    assert replaced is None
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    state.close()


def test_a_reader_sees_a_local_daemon_s_commits_at_once(state: State, path: Path) -> None:
    reader = State.open_readonly(path)
    experiment = fill(state)
    assert reader.books() == state.books()
    state.acknowledge(acknowledgement(experiment, cursor=7, delivered=1))
    assert reader.books().total.queued == 3
    with pytest.raises(SpoolError, match="reading only"):
        reader.mark_gone("w1", at=1.0)
    with pytest.raises(SpoolError, match="reading only"):
        reader.letters.drop([1])
    reader.close()


def test_a_reader_sees_what_an_exclusive_daemon_committed(path: Path) -> None:
    state, _ = State.open(path, shared=True)
    experiment = fill(state)
    script = (
        "import sys; from pathlib import Path; import livestream.spool.database as database;"
        "database.BUSY_TIMEOUT_S = 0.05;"
        "from livestream.spool.state import State;"
        "state = State.open_readonly(Path(sys.argv[1]));"
        "print(state.books().total.queued, flush=True); input(); print(state.books().total.queued, flush=True)"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "4\n"
        state.acknowledge(acknowledgement(experiment, cursor=7, delivered=1))
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "3\n"
    assert reader.returncode == 0
    state.close()


def test_there_is_nothing_to_read_before_the_first_daemon(path: Path) -> None:
    with pytest.raises(StateAbsentError, match="does not exist"):
        State.open_readonly(path)
    path.touch(0o600)
    with pytest.raises(StateAbsentError, match="is empty"):
        State.open_readonly(path)


@pytest.mark.parametrize("shared", [False, True])
def test_a_state_opens_in_the_other_mode_after_the_spool_moved(path: Path, *, shared: bool) -> None:
    state, _ = State.open(path, shared=shared)
    fill(state)
    state.close()
    state, replaced = State.open(path, shared=not shared)
    assert replaced is None
    assert state.books().total.queued == 4
    mode = state._database.connection.execute("PRAGMA journal_mode").fetchone()[0]
    assert mode == ("wal" if shared else "truncate")
    state.close()


def test_a_newer_livestream_s_state_is_left_alone(path: Path) -> None:
    State.open(path, shared=False)[0].close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(SpoolFormatError, match="upgrade livestream"):
        State.open(path, shared=False)
    with pytest.raises(SpoolFormatError, match="upgrade livestream"):
        State.open_readonly(path)
    assert path.read_bytes() == before


def _garbage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "noise":
        path.write_bytes(random.Random(3).randbytes(len(content)))
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "page":
        content[4096:8192] = bytes(4096)
        path.write_bytes(content)
    elif kind == "foreign":
        path.unlink()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE somebody(s)")
    elif kind == "namesake":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE writer")
    elif kind == "cursor":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE writer SET cursor = cursor + 1024")
            connection.commit()


@pytest.mark.parametrize("kind", ["noise", "truncated", "page", "foreign", "namesake", "cursor"])
def test_a_damaged_state_is_put_aside_whole_and_a_new_one_begun(path: Path, kind: str) -> None:
    state, _ = State.open(path, shared=False)
    fill(state)
    state.close()
    _garbage(path, kind)
    damaged = path.read_bytes()

    state, replaced = State.open(path, shared=False)

    assert replaced is not None
    assert replaced.files[0].parent == path.parent / "quarantine" / "daemon"
    assert replaced.files[0].read_bytes() == damaged
    assert replaced.files[0].with_name("daemon.db.reason").read_text() == f"{replaced.reason}\n"
    assert state.writers(gone=True) == []
    fill(state)
    state.close()


def test_flipped_bits_end_in_a_state_that_works_and_advance_no_cursor(tmp_path: Path) -> None:
    path = tmp_path / "daemon.db"
    state, _ = State.open(path, shared=False)
    row = fill(state)
    for number in range(20):
        state.acknowledge(acknowledgement(row, cursor=7 + number, delivered=0, dead=(letter(7 + number),)))
    state.close()
    whole = path.read_bytes()
    chance = random.Random(11)
    for _ in range(FLIP_ROUNDS):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 10))):
            at = chance.randrange(100, len(content))  # a flip in the header may make it a newer livestream's
            content[at] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

        state, _ = State.open(path, shared=False)
        assert all(writer.cursor == 26 for writer in state.writers(gone=True))
        row = state.ensure_experiment(EXPERIMENT)
        new = state.ensure_writer(NewWriter(uid="w9", experiment_id=row.id, role="primary", info=b"", at=0.0))
        state.acknowledge(acknowledgement(row, cursor=1, delivered=1, writer=new.uid))
        assert state.books().total.balanced
        state.close()


def test_two_damaged_states_do_not_overwrite_each_other(path: Path) -> None:
    for content in (b"one" * 1000, b"two" * 1000):
        path.write_bytes(content)
        state, replaced = State.open(path, shared=False)
        assert replaced is not None
        state.close()
    kept = sorted((path.parent / "quarantine" / "daemon").glob("*daemon.db"))
    assert [each.read_bytes()[:3] for each in kept] == [b"two", b"one"]


def test_an_empty_file_is_a_new_state(path: Path) -> None:
    path.touch()
    state, replaced = State.open(path, shared=False)
    assert replaced is None
    assert state.experiments() == []
    state.close()


def test_a_state_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=r"cannot make .*nowhere"):
        State.open(tmp_path / "nowhere" / "daemon.db", shared=False)


def _acknowledge_for_ever(path: str, ready: Any) -> None:
    state, _ = State.open(Path(path), shared=False)
    row = state.ensure_experiment(EXPERIMENT)
    state.ensure_writer(NewWriter(uid="w1", experiment_id=row.id, role="primary", info=b"", at=0.0))
    ready.send(True)
    cursor = 0
    while True:
        cursor += 2
        state.acknowledge(
            acknowledgement(row, cursor, 1, dead=(letter(cursor, event=b"x" * 500),), state=b"%d" % cursor)
        )
        ready.send(cursor)


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(4))
def test_sigkill_leaves_whole_acknowledgements_and_none_that_was_reported_is_lost(path: Path, seed: int) -> None:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_acknowledge_for_ever, args=(str(path), sending))
    process.start()
    sending.close()
    last = 0
    with contextlib.suppress(EOFError):
        for _ in range(random.Random(seed).randrange(2, 60)):
            last = receiving.recv()
        process.kill()
        while True:
            last = receiving.recv()
    process.join()

    state, replaced = State.open(path, shared=False)
    assert replaced is None, f"seed {seed}"
    writer = state.writer("w1")
    assert writer is not None
    assert writer.cursor >= int(last), f"seed {seed}"
    assert len(state.letters.list(limit=10**6)) * 2 == writer.cursor
    assert state.experiments()[0].state == b"%d" % writer.cursor
    state.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=12))
def test_the_books_balance_after_every_story(story: list[tuple[int, int, bool]]) -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_temporary_folder())
        state, _ = State.open(folder / "daemon.db", shared=False)
        stack.callback(state.close)
        row = state.ensure_experiment(EXPERIMENT)
        state.ensure_writer(NewWriter(uid="w1", experiment_id=row.id, role="primary", info=b"", at=0.0))
        cursor = 0
        for delivered, dead, retry in story:
            cursor += delivered + dead
            letters = tuple(letter(cursor - dead + 1 + place) for place in range(dead))
            state.acknowledge(acknowledgement(row, cursor, delivered, dead=letters))
            if retry and (known := state.letters.list(limit=1)):
                state.letters.settle(Settlement(id=known[0].id, accepted=True, at=1.0))
            books = state.books().total
            assert books.balanced
            assert books.delivered + books.dead == cursor
            assert books.dead == len(state.letters.list())


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE experiment SET name = CAST(x'ff' AS TEXT)",
        "UPDATE experiment SET state = 5",
        "UPDATE writer SET refused = 'nonsense'",
        "UPDATE writer SET role = 'neither'",
        "UPDATE plan SET profile = 1.5",
        "UPDATE dead SET blobs = '[1]' WHERE id = 1",
        "UPDATE target SET state = x'ff'",
    ],
)
def test_a_state_whose_rows_make_no_sense_is_met_at_the_start(path: Path, sql: str) -> None:
    state, _ = State.open(path, shared=False)
    fill(state)
    state.set_plan(PlanRow(writer="w1", first=7, last=8, parts=1))
    state.put_target(TargetRow(url="u", fingerprint="f", state="open"))
    state.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(sql).rowcount == 1
    state, replaced = State.open(path, shared=False)
    assert replaced is not None
    state.close()

"""What the daemon knows: cursors, experiments, plans, dead letters and Studios, in daemon.db.

An acknowledgement moves a writer's cursor, its experiment's state and its dead letters in one transaction, and that
transaction is what allows the spool to forget events. Every other change is one transaction as well: a SIGKILL, or a
disk that fills up, at any statement leaves what was before.

Synchronous on purpose: the daemon runs each operation as one call on one thread of its own, so that no cancelled task
can leave a transaction open.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError
from livestream.events import Experiment
from livestream.spool.database import (
    Database,
    Opening,
    Parameters,
    Replaced,
    Row,
    Rows,
    StateAbsentError,
    StateFullError,
    open_for_reading,
    open_for_writing,
    writable,
)
from livestream.spool.letters import DeadLetters, insert_letters
from livestream.spool.rows import (
    Acknowledgement,
    AllBooks,
    Books,
    ExperimentRow,
    NewWriter,
    PlanRow,
    Tally,
    TargetRow,
    WriterRow,
)

__all__ = ["Replaced", "State", "StateAbsentError", "StateFullError"]

_EXPERIMENT: Final = (
    "SELECT id, repo_url, baseline_sha, name, state, step, started, done, accepted_data, hold, hold_since,"
    " last_error, last_success FROM experiment"
)
ADD_EXPERIMENT: Final = """
INSERT OR IGNORE INTO experiment(repo_url, baseline_sha, name) VALUES (:repo_url, :baseline_sha, :name)
"""
FIND_EXPERIMENT: Final = f"{_EXPERIMENT} WHERE repo_url = :repo_url AND baseline_sha = :baseline_sha AND name = :name"
GET_EXPERIMENT: Final = f"{_EXPERIMENT} WHERE id = :id"
LIST_EXPERIMENTS: Final = f"{_EXPERIMENT} ORDER BY id"
ADVANCE_EXPERIMENT: Final = """
UPDATE experiment SET state = :state, step = :step, started = :started, done = :done, accepted_data = :accepted_data
WHERE id = :experiment_id
"""
NOTE_SUCCESS: Final = """
UPDATE experiment SET last_success = :at, last_error = NULL, hold = NULL, hold_since = NULL WHERE id = :experiment_id
"""
HOLD_EXPERIMENT: Final = """
UPDATE experiment SET hold = :hold, hold_since = CASE WHEN :hold IS NULL THEN NULL ELSE coalesce(hold_since, :at) END
WHERE id = :id
"""
NOTE_ERROR: Final = "UPDATE experiment SET last_error = :error WHERE id = :id"

_WRITER: Final = (
    "SELECT uid, experiment_id, role, cursor, emitted, delivered, dead, superseded, refused, trimmed, finished, gone,"
    " updated, info FROM writer"
)
ADD_WRITER: Final = """
INSERT INTO writer(uid, experiment_id, role, updated, info) VALUES (:uid, :experiment_id, :role, :at, :info)
ON CONFLICT(uid) DO UPDATE SET experiment_id = excluded.experiment_id, role = excluded.role, info = excluded.info
"""
GET_WRITER: Final = f"{_WRITER} WHERE uid = :uid"
LIST_WRITERS: Final = f"{_WRITER} WHERE gone <= :gone ORDER BY uid"
MOVE_CURSOR: Final = """
UPDATE writer SET cursor = :cursor, emitted = max(emitted, :cursor), delivered = delivered + :delivered,
    dead = dead + :dead, superseded = superseded + :superseded, updated = :at
WHERE uid = :writer AND :cursor - cursor = :delivered + :dead AND :delivered >= 0 AND :dead >= 0
"""
TALLY: Final = """
UPDATE writer SET emitted = max(emitted, :emitted), refused = :refused, trimmed = :trimmed, updated = :at
WHERE uid = :writer
"""
MARK_FINISHED: Final = "UPDATE writer SET finished = 1, updated = :at WHERE uid = :uid"
MARK_GONE: Final = "UPDATE writer SET finished = 1, gone = 1, updated = :at WHERE uid = :uid"

SET_PLAN: Final = """
INSERT OR REPLACE INTO plan(writer, first, last, parts, next_part, profile)
VALUES (:writer, :first, :last, :parts, :next_part, :profile)
"""
GET_PLAN: Final = "SELECT writer, first, last, parts, next_part, profile FROM plan WHERE writer = :writer"
ADVANCE_PLAN: Final = "UPDATE plan SET next_part = :next_part WHERE writer = :writer AND :next_part <= parts"
DROP_PLAN: Final = "DELETE FROM plan WHERE writer = :writer"

PUT_TARGET: Final = """
INSERT OR REPLACE INTO target(url, fingerprint, state, detail, until)
VALUES (:url, :fingerprint, :state, :detail, :until)
"""
_TARGET: Final = "SELECT url, fingerprint, state, detail, until FROM target"
GET_TARGET: Final = f"{_TARGET} WHERE url = :url AND fingerprint = :fingerprint"
LIST_TARGETS: Final = f"{_TARGET} ORDER BY url, fingerprint"


class State:
    """daemon.db. Open it with ``open`` (the daemon) or ``open_readonly`` (everybody else).

    Every method that changes something raises ``StateFullError`` on a full disk (nothing was changed, try again) and
    ``SpoolError`` on any other trouble; on a read-only one, ``SpoolError`` always.

    Attributes:
        letters: The dead letters.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.letters = DeadLetters(rows)

    @classmethod
    def open(
        cls, path: Path, *, shared: bool, factory: type[sqlite3.Connection] = sqlite3.Connection
    ) -> tuple[State, Replaced | None]:
        """Open as the only writer; the file is made where there is none.

        Returns:
            The state; and, where the file was damaged and a new one was begun, what became of the old one.

        Raises:
            SpoolFormatError: A newer livestream wrote it.
            StateFullError: There is no space to make it.
            SpoolError: It is locked, or not ours to open.
        """
        database, replaced = open_for_writing(path, Opening(shared=shared, examine=_examine, factory=factory))
        return cls(database), replaced

    @classmethod
    def open_readonly(cls, path: Path) -> State:
        """Open beside the daemon, to look.

        Raises:
            StateAbsentError: Nobody has written one yet.
            SpoolFormatError: A newer livestream wrote it.
            SpoolError: It cannot be read.
        """
        return cls(open_for_reading(path))

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    @property
    def _database(self) -> Database:
        return writable(self._rows)

    # -- experiments

    def ensure_experiment(self, experiment: Experiment) -> ExperimentRow:
        """Give an experiment's row, making it at first."""
        key = msgspec.structs.asdict(experiment)
        with self._database.transaction() as connection:
            connection.execute(ADD_EXPERIMENT, key)
        return _experiment(self._rows.fetch(FIND_EXPERIMENT, key)[0])

    def experiment(self, experiment_id: int) -> ExperimentRow | None:
        """Give an experiment's row by its id."""
        rows = self._rows.fetch(GET_EXPERIMENT, {"id": experiment_id})
        return _experiment(rows[0]) if rows else None

    def find_experiment(self, experiment: Experiment) -> ExperimentRow | None:
        """Give an experiment's row by what the Studio knows it by."""
        rows = self._rows.fetch(FIND_EXPERIMENT, msgspec.structs.asdict(experiment))
        return _experiment(rows[0]) if rows else None

    def experiments(self) -> list[ExperimentRow]:
        """Give all experiments, in the order in which they were met."""
        return [_experiment(row) for row in self._rows.fetch(LIST_EXPERIMENTS)]

    def hold_experiment(self, experiment_id: int, reason: str | None, at: float) -> None:
        """Hold an experiment, or with ``None`` let it go; a hold that lasts keeps its first moment."""
        self._change(HOLD_EXPERIMENT, {"id": experiment_id, "hold": reason, "at": at})

    def note_error(self, experiment_id: int, error: str) -> None:
        """Keep the last trouble of an experiment's delivery; its next success clears it."""
        self._change(NOTE_ERROR, {"id": experiment_id, "error": error})

    # -- writers

    def ensure_writer(self, writer: NewWriter) -> WriterRow:
        """Give a writer's row, making it at first; its accounts are kept, what it says of itself is renewed."""
        self._change(ADD_WRITER, msgspec.structs.asdict(writer))
        return _writer(self._rows.fetch(GET_WRITER, {"uid": writer.uid})[0])

    def writer(self, uid: str) -> WriterRow | None:
        """Give a writer's row."""
        rows = self._rows.fetch(GET_WRITER, {"uid": uid})
        return _writer(rows[0]) if rows else None

    def writers(self, *, gone: bool = False) -> list[WriterRow]:
        """Give the writers, oldest first; those whose folders are removed only where ``gone``."""
        return [_writer(row) for row in self._rows.fetch(LIST_WRITERS, {"gone": int(gone)})]

    def set_emitted(self, tally: Tally) -> None:
        """Note what a writer says of itself; its last number never goes back."""
        refused = msgspec.json.encode({reason: count for reason, count in tally.refused.items() if count})
        self._change(TALLY, msgspec.structs.asdict(tally) | {"refused": refused.decode()})

    def mark_finished(self, uid: str, at: float) -> None:
        """Note that nothing more will come of a writer: its folder may go."""
        self._change(MARK_FINISHED, {"uid": uid, "at": at})

    def mark_gone(self, uid: str, at: float) -> None:
        """Note that a writer's folder is removed; its accounts stay, its plan goes."""
        with self._database.transaction() as connection:
            connection.execute(MARK_GONE, {"uid": uid, "at": at})
            connection.execute(DROP_PLAN, {"writer": uid})

    # -- plans and acknowledgements

    def plan(self, writer: str) -> PlanRow | None:
        """Give the plan of a writer's update that is under way."""
        rows = self._rows.fetch(GET_PLAN, {"writer": writer})
        return _plan(rows[0]) if rows else None

    def set_plan(self, plan: PlanRow) -> None:
        """Commit to a cut before its first byte is sent."""
        self._change(SET_PLAN, msgspec.structs.asdict(plan))

    def advance_plan(self, writer: str, next_part: int) -> None:
        """Note that the parts below ``next_part`` (from 1) were accepted.

        Raises:
            SpoolError: The writer has no plan of so many parts.
        """
        if not self._change(ADVANCE_PLAN, {"writer": writer, "next_part": next_part}):
            raise SpoolError(f"writer {writer} has no plan with a part {next_part}")

    def drop_plan(self, writer: str) -> None:
        """Give a cut up: the next one may differ."""
        self._change(DROP_PLAN, {"writer": writer})

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Move a writer's cursor, with all that goes with it, in one transaction.

        Raises:
            ValueError: The step of the cursor is not what was delivered plus what is dead (so it cannot go back).
        """
        dead = sum(letter.count for letter in acknowledgement.dead)
        values = msgspec.structs.asdict(acknowledgement) | {"dead": dead}
        with self._database.transaction() as connection:
            if not connection.execute(MOVE_CURSOR, values).rowcount:
                raise ValueError(
                    f"writer {acknowledgement.writer}: {acknowledgement.delivered} delivered and {dead} dead events"
                    f" do not lead to {acknowledgement.cursor}"
                )
            insert_letters(connection, acknowledgement.dead)
            if acknowledgement.state is not None:
                connection.execute(ADVANCE_EXPERIMENT, values)
            if acknowledgement.delivered:
                connection.execute(NOTE_SUCCESS, values)
            connection.execute(DROP_PLAN, {"writer": acknowledgement.writer})

    # -- Studios

    def put_target(self, target: TargetRow) -> None:
        """Keep what is known of a Studio."""
        self._change(PUT_TARGET, msgspec.structs.asdict(target))

    def target(self, url: str, fingerprint: str) -> TargetRow | None:
        """Give what is known of a Studio, as one token sees it."""
        rows = self._rows.fetch(GET_TARGET, {"url": url, "fingerprint": fingerprint})
        return _target(rows[0]) if rows else None

    def targets(self) -> list[TargetRow]:
        """Give what is known of all Studios."""
        return [_target(row) for row in self._rows.fetch(LIST_TARGETS)]

    # -- the books

    def books(self) -> AllBooks:
        """Give the accounts of all writers, those that are gone included, at one moment."""
        writers = {row.uid: _books(row) for row in self.writers(gone=True)}
        total = Books()
        for books in writers.values():
            total = total.plus(books)
        return AllBooks(total=total, writers=writers)

    def _change(self, sql: str, parameters: Parameters) -> int:
        with self._database.transaction() as connection:
            return connection.execute(sql, parameters).rowcount


def _examine(database: Database) -> None:
    """Read every row once, so that nonsense is met now and not in the middle of a delivery."""
    state = State(database)
    try:
        state.experiments()
        state.writers(gone=True)
        state.targets()
        for writer in state.writers():
            state.plan(writer.uid)
        after = 0
        while letters := state.letters.list(after=after):
            after = letters[-1].id
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptSpoolError(f"{database.path}: {error}") from error


def _books(writer: WriterRow) -> Books:
    return Books(
        accepted=writer.emitted,
        delivered=writer.delivered,
        dead=writer.dead,
        queued=writer.queued,
        superseded=writer.superseded,
        trimmed=writer.trimmed,
        refused=writer.refused,
    )


def _experiment(row: Row) -> ExperimentRow:
    key = Experiment(repo_url=str(row[1]), baseline_sha=str(row[2]), name=str(row[3]))
    values = dict(zip(ExperimentRow.__struct_fields__, (row[0], key, *row[4:]), strict=True))
    for name in ("started", "done", "accepted_data"):
        values[name] = bool(values[name])
    return msgspec.convert(values, ExperimentRow)


def _writer(row: Row) -> WriterRow:
    values = dict(zip(WriterRow.__struct_fields__, row, strict=True))
    for name in ("finished", "gone"):
        values[name] = bool(values[name])
    values["refused"] = msgspec.json.decode(str(values["refused"]))
    return msgspec.convert(values, WriterRow)


def _plan(row: Row) -> PlanRow:
    return msgspec.convert(dict(zip(PlanRow.__struct_fields__, row, strict=True)), PlanRow)


def _target(row: Row) -> TargetRow:
    return msgspec.convert(dict(zip(TargetRow.__struct_fields__, row, strict=True)), TargetRow)

"""What a fake Studio remembers: every request in the order it came, and what each experiment has become by it.

The server's thread writes, any thread reads. `Ledger.wait_for` waits on what a test expects instead of sleeping.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from livestream.events import Experiment, JsonObject
from livestream.testing.experiment import ExperimentLedger
from livestream.testing.marks import Marks, UpdateHeader


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    Attributes:
        number: From 1, in the order of arrival (of the whole body).
        time: Seconds since the epoch.
        headers: Names in lower case; never ``authorization``.
        token_digest: The first 12 hex digits of the sha256 of the token that came with it; empty without one.
        status: What was answered; ``None`` where the connection broke before an answer.
        ingested: Whether the update was stored, whatever was answered.
        repeat: It had been stored before: byte for byte, or by its ``Livestream-Update`` header.
        problems: The wire rules that it broke.
        kind: ``start``, ``data`` or ``done``; ``None`` where the body did not say.
        rows: Rows in its plots.
        size: Bytes of its JSON; ``wire_size`` as sent (they differ under gzip).
        digest: blake2b of the JSON, in hex.
        update: What ``Livestream-Update`` said.
        body: The decoded body, unless the Studio keeps no payloads. Images above 1 MB of base64 are replaced by their
            length in words.
    """

    number: int
    time: float
    method: str
    path: str
    headers: Mapping[str, str]
    token_digest: str
    status: int | None
    ingested: bool = False
    repeat: bool = False
    problems: tuple[str, ...] = ()
    kind: str | None = None
    experiment: Experiment | None = None
    step: int | None = None
    rows: int = 0
    size: int = 0
    wire_size: int = 0
    digest: str = ""
    update: UpdateHeader | None = None
    repair: bool = False
    body: JsonObject | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One beat of one writer.

    Attributes:
        time: When it came, seconds since the epoch.
        token_digest: As in `Entry`.
        writer: Its id, as in ``Livestream-Update``.
        rows: Events that wait on its node; ``bytes`` is their size there, ``oldest_s`` the age of the oldest.
        losses: Events refused so far, by reason; ``trimmed`` ones went without their images.
    """

    time: float
    token_digest: str
    experiment: Experiment
    writer: str
    rows: int
    bytes: int
    oldest_s: float
    losses: Mapping[str, int]


class Ledger:
    """Everything that a fake Studio saw and stored; it outlives the Studio's restarts.

    Attributes:
        experiments: By identity.
        violations: ``"request N: path of field: problem"``; a test of a client asserts that it is empty.
        repeats: Requests that came again after they had been stored (and were stored again, unless ``ignored``). By
            the ``Livestream-Update`` header where there is one, otherwise byte for byte (see `ExperimentLedger.knows`).
        ignored: Repeats that the livestream profile recognised and did not store again.
        abandoned: Requests whose client left before its body was in.
        marks: What is known of each writer's sequence numbers (livestream profile).
    """

    def __init__(self, *, keep_payloads: bool = True) -> None:
        self.keep_payloads = keep_payloads
        self.experiments: dict[Experiment, ExperimentLedger] = {}
        self.violations: list[str] = []
        self.repeats = 0
        self.ignored = 0
        self.abandoned = 0
        self.marks = Marks()
        self._requests: list[Entry] = []
        self._others: list[Entry] = []
        self._beats: list[Heartbeat] = []
        self._changed = threading.Condition(threading.RLock())

    @property
    def requests(self) -> tuple[Entry, ...]:
        """Every POST to ``api/live`` whose body arrived, or whose scripted break came before that."""
        return tuple(self._requests)

    @property
    def others(self) -> tuple[Entry, ...]:
        """Every other request: capabilities, heartbeats, wrong paths, wrong methods."""
        return tuple(self._others)

    @property
    def beats(self) -> tuple[Heartbeat, ...]:
        """Every heartbeat that was taken, in the order of arrival."""
        return tuple(self._beats)

    @property
    def rows(self) -> int:
        """Rows stored, over all experiments, repeats included."""
        return sum(experiment.rows for experiment in list(self.experiments.values()))

    @property
    def duplicates(self) -> int:
        """Rows stored more than once, over all experiments (see `ExperimentLedger.duplicates`)."""
        return sum(experiment.duplicates for experiment in list(self.experiments.values()))

    def experiment(self, name: str) -> ExperimentLedger:
        """Find an experiment by its name.

        Raises:
            LookupError: None of that name was stored, or several with other repositories or baselines were: use
                `experiments` then.
        """
        found = [item for key, item in list(self.experiments.items()) if key.name == name]
        if len(found) != 1:
            names = sorted({key.name for key in list(self.experiments)})
            raise LookupError(f"{len(found)} experiments are named {name!r}; the ledger has {names}")
        return found[0]

    def wait_for(self, predicate: Callable[[Ledger], bool], timeout_s: float = 10.0) -> None:
        """Wait until ``predicate(ledger)`` holds; it is tried again after every request.

        Raises:
            TimeoutError: It did not within ``timeout_s``; the text tells what had arrived.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), timeout_s):
                raise TimeoutError(f"not within {timeout_s} s; {self.summary()}")

    async def until(self, predicate: Callable[[Ledger], bool], timeout_s: float = 10.0) -> None:
        """Wait as `wait_for` does, without holding up the running event loop."""
        await asyncio.to_thread(self.wait_for, predicate, timeout_s)

    def summary(self) -> str:
        """Tell in one line what arrived, for the text of a failed test."""
        last = [f"{entry.kind}:{entry.status}" for entry in self._requests[-5:]]
        return (
            f"{len(self._requests)} requests (last: {', '.join(last) or 'none'}), {self.rows} rows, "
            f"{self.repeats} repeats, violations: {self.violations[:3]}"
        )

    # What follows is called by the server only.

    def next_number(self) -> int:
        """Give the number of the next request."""
        return len(self._requests) + len(self._others) + 1

    def add(self, entry: Entry, body: JsonObject | None, images: Mapping[str, bytes]) -> None:
        """Book one POST to ``api/live``, and store its update if it says so."""
        with self._changed:
            self._requests.append(entry)
            self.violations.extend(f"request {entry.number}: {problem}" for problem in entry.problems)
            if entry.repeat:
                self.repeats += 1
                self.ignored += not entry.ingested
            if entry.ingested and body is not None and entry.experiment is not None:
                self._store(entry, body, images)
            self._changed.notify_all()

    def add_other(self, entry: Entry, beats: Sequence[Heartbeat] = ()) -> None:
        """Book a request that is no post of an update, and the heartbeats that were in it."""
        with self._changed:
            self._others.append(entry)
            self._beats.extend(beats)
            self.violations.extend(f"request {entry.number}: {problem}" for problem in entry.problems)
            self._changed.notify_all()

    def abandon(self) -> None:
        """Book a client that left in the middle of its body."""
        with self._changed:
            self.abandoned += 1
            self._changed.notify_all()

    def _store(self, entry: Entry, body: JsonObject, images: Mapping[str, bytes]) -> None:
        key = entry.experiment
        if key is None:
            return
        experiment = self.experiments.get(key)
        if experiment is None:
            experiment = self.experiments[key] = ExperimentLedger(key, keep_payloads=self.keep_payloads)
        experiment.store(body, images, repair=entry.repair, repeat=entry.repeat)
        experiment.note(entry.headers, entry.digest)
        if entry.update is not None:
            self.marks.take(entry.update, repair=entry.repair)


def now() -> float:
    """Tell the time of an entry."""
    return time.time()

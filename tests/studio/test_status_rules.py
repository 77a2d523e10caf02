from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.events import Problem
from livestream.studio.experiment import Facts, WriterFacts
from livestream.studio.settings import StatusBounds
from livestream.studio.status import ENDED, KINDS, LIVE, MAX_REASON_CHARACTERS, Status, changes_at, delivery, derive

S = 1_000_000
NOW = 1_700_000_000 * S
BOUNDS = StatusBounds()


def beating(quiet_s: float = 1, **more: object) -> WriterFacts:
    seen_us = NOW - round(quiet_s * S)
    return msgspec.structs.replace(WriterFacts(mark=9, seen_us=seen_us, beat_us=seen_us), **more)


def run(quiet_s: float = 1, advanced_s: float = 5, writers: list[WriterFacts] | None = None, **more: object) -> Facts:
    facts = Facts(
        start_us=NOW - 1000 * S,
        event_us=NOW - round(quiet_s * S),
        advance_us=NOW - round(advanced_s * S),
        step=1204,
        gaps_s=[5.0] * 8,
        writers={f"w{number}": writer for number, writer in enumerate(writers or [])},
    )
    return msgspec.structs.replace(facts, **more)


def judged(facts: Facts, *, applying: bool = False) -> tuple[str, str]:
    status = derive(facts, NOW, BOUNDS, applying=applying)
    return status.kind, status.reason


def test_a_run_that_beats_and_steps_is_running_since_its_start() -> None:
    found = derive(run(writers=[beating()]), NOW, BOUNDS)

    assert found == Status(kind="running", reason="the last step was 1,204", since_us=NOW - 1000 * S)


@pytest.mark.parametrize(
    ("quiet_s", "kind"), [(59, "running"), (60, "silent"), (599, "silent"), (600, "lost"), (10**6, "lost")]
)
def test_one_that_beat_is_silent_after_a_minute_and_lost_after_ten(quiet_s: float, kind: str) -> None:
    facts = run(quiet_s, quiet_s, [beating(quiet_s)])

    assert judged(facts)[0] == kind
    assert derive(facts, NOW, BOUNDS).since_us <= NOW


def test_the_reason_of_silence_tells_how_long_and_how_far() -> None:
    assert judged(run(74, 80, [beating(74)])) == ("silent", "no beat for 74 s; the last step was 1,204")
    waiting = beating(7300, backlog_rows=3)
    assert judged(run(7300, 7300, [waiting])) == (
        "lost",
        "no beat for 2 h; the last step was 1,204; 3 rows waiting on the node",
    )


@pytest.mark.parametrize(
    ("quiet_s", "gap_s", "kind"),
    [
        *((599, 5, "running"), (600, 5, "silent"), (86_399, 5, "silent"), (86_400, 5, "lost")),
        *((3599, 720, "running"), (3600, 720, "silent"), (86_400, 40_000, "running"), (200_000, 40_000, "lost")),
    ],
)
def test_a_stock_client_is_judged_by_its_own_rhythm(quiet_s: float, gap_s: float, kind: str) -> None:
    assert judged(run(quiet_s, quiet_s, gaps_s=[gap_s] * 4))[0] == kind


def test_a_stock_client_that_speaks_at_its_steps_only_is_never_called_stalled() -> None:
    assert judged(run(300, 300))[0] == "running"
    assert judged(run(10, 300))[0] == "stalled"


@pytest.mark.parametrize(
    ("advanced_s", "gap_s", "kind"), [(119, 5, "running"), (120, 5, "stalled"), (499, 100, "running")]
)
def test_beats_without_steps_are_a_stall(advanced_s: float, gap_s: float, kind: str) -> None:
    assert judged(run(advanced_s, advanced_s, [beating()], gaps_s=[gap_s]))[0] == kind


def test_a_stall_before_the_first_step_counts_from_the_start() -> None:
    facts = run(1, writers=[beating()], advance_us=None, step=None, start_us=NOW - 240 * S, gaps_s=[])

    assert judged(facts) == ("stalled", "it speaks, but there is no step for 4 min; no step yet")


def test_what_waits_on_the_node_for_long_makes_it_catch_up_and_not_stalled() -> None:
    late = beating(backlog_rows=12_000, backlog_bytes=5, backlog_oldest_s=360.0)

    assert judged(run(1, 400, [late])) == (
        "catching_up",
        "12,000 rows waiting on the node, the oldest for 6 min",
    )
    assert judged(run(writers=[beating(backlog_rows=3, backlog_oldest_s=2.0)]))[0] == "running"
    assert judged(run(), applying=True)[0] == "catching_up"


def test_the_writer_that_was_heard_last_speaks_for_the_run() -> None:
    assert judged(run(1, 5, [beating(5000), beating(3)]))[0] == "running"
    never_beat = WriterFacts(mark=1, seen_us=NOW - 700 * S)
    assert judged(run(700, 700, [never_beat]))[0] == "silent"
    assert judged(run(700, 700, [never_beat, beating(800)]))[0] == "lost"


def test_a_stock_client_that_goes_on_after_our_writer_is_quiet_keeps_the_run_alive() -> None:
    assert judged(run(100, 100, [beating(3000)]))[0] == "running"


@pytest.mark.parametrize(
    ("errors", "kind", "reason"),
    [
        ([Problem("ValueError", "bad loss")], "failed", "ValueError: bad loss"),
        ([Problem("ValueError", "")], "failed", "ValueError"),
        ([Problem("KeyboardInterrupt", "")], "interrupted", "KeyboardInterrupt"),
        (
            [Problem("livestream.Terminated", "SIGTERM ended pid 1")],
            "interrupted",
            "livestream.Terminated: SIGTERM ended pid 1",
        ),
        ([Problem("KeyboardInterrupt", ""), Problem("OSError", "x")], "failed", "KeyboardInterrupt (and 1 more)"),
        ([Problem("livestream.WriterDied", "killed")], "failed", "livestream.WriterDied: killed"),
    ],
)
def test_errors_on_done_tell_a_failure_from_an_interruption(errors: list[Problem], kind: str, reason: str) -> None:
    assert judged(run(done_us=NOW - S, errors=errors)) == (kind, reason)


def test_a_long_error_is_cut() -> None:
    facts = run(done_us=NOW, errors=[Problem("E", "x" * 10_000)])

    assert len(judged(facts)[1]) == MAX_REASON_CHARACTERS


def test_a_run_that_ended_well_is_completed_however_long_ago() -> None:
    assert judged(run(10**7, 10**7, [beating(10**7)], done_us=NOW - 10**7 * S)) == (
        "completed",
        "the last step was 1,204",
    )


def test_gaps_and_losses_are_told_after_the_end() -> None:
    with_gaps = run(writers=[beating(gaps=[(4, 6), (9, 9)])], done_us=NOW)
    with_losses = run(writers=[beating(losses={"quota": 2}), beating(losses={"quota": 1, "disk": 0})], done_us=NOW)

    assert judged(with_gaps) == ("completed_with_gaps", "4 events never came")
    assert judged(with_losses) == ("completed_with_gaps", "3 events lost on the node: quota")
    trimmed = run(writers=[beating(losses={"trimmed": 1})], done_us=NOW)
    assert judged(trimmed)[1] == "1 event came without images, for which the node had no room"


def test_what_waits_on_a_lost_node_does_not_hold_back_a_run_that_goes_on() -> None:
    on_its_way, lost = (beating(quiet_s, backlog_rows=5, backlog_oldest_s=45.0) for quiet_s in (599, 600))

    assert judged(run(writers=[beating(), on_its_way]))[0] == "catching_up"
    assert changes_at(run(writers=[beating(), on_its_way]), NOW, BOUNDS) == NOW + S
    assert judged(run(writers=[beating(), lost])) == (
        "running",
        "the last step was 1,204; 5 rows waiting on the node",
    )


def test_what_still_waits_after_the_end_is_on_its_way_until_the_node_is_lost() -> None:
    soon = run(writers=[beating(5, backlog_rows=7)], done_us=NOW - 4 * S)
    never = run(700, 700, [beating(700, backlog_rows=7)], done_us=NOW - 690 * S)

    assert judged(soon) == ("catching_up", "it ended; 7 rows waiting on the node")
    assert judged(never) == ("completed_with_gaps", "7 rows waiting on the node")
    assert judged(run(done_us=NOW), applying=True)[0] == "catching_up"


def test_delivery_adds_up_what_the_writers_say() -> None:
    first = beating(backlog_rows=2, backlog_bytes=30, backlog_oldest_s=4.0, gaps=[(2, 3)], losses={"quota": 1})
    second = WriterFacts(seen_us=NOW, backlog_rows=1, backlog_bytes=10, backlog_oldest_s=9.0, losses={"quota": 2})

    truth = delivery(run(writers=[first, second]))

    assert (truth.behind_s, truth.backlog_rows, truth.backlog_bytes) == (9.0, 3, 40)
    assert (truth.missing_events, truth.losses) == (2, {"quota": 3})
    assert (truth.writers, truth.beating, truth.heard_us, truth.has_gaps) == (2, 1, NOW, True)
    assert [(gap.writer, gap.first, gap.last) for gap in truth.gaps] == [("w0", 2, 3)]
    assert not delivery(run()).has_gaps


def test_every_kind_has_its_place() -> None:
    assert set(KINDS) == ENDED | LIVE | {"lost"}
    assert not ENDED & LIVE


seconds = st.integers(0, 200_000)
writer_facts = st.builds(
    lambda seen_s, beats, rows, oldest_s: WriterFacts(
        seen_us=NOW - seen_s * S,
        beat_us=NOW - seen_s * S if beats else None,
        backlog_rows=rows,
        backlog_oldest_s=float(oldest_s),
    ),
    seconds,
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 100),
)
any_facts = st.builds(
    lambda event_s, advance_s, done_s, gaps_s, writers: Facts(
        event_us=NOW - event_s * S,
        start_us=NOW - event_s * S,
        advance_us=None if advance_s is None else NOW - advance_s * S,
        done_us=None if done_s is None else NOW - done_s * S,
        gaps_s=gaps_s,
        writers={str(number): one for number, one in enumerate(writers)},
    ),
    seconds,
    st.none() | seconds,
    st.none() | seconds,
    st.lists(st.floats(0, 50_000), max_size=3),
    st.lists(writer_facts, max_size=3),
)


@given(any_facts, st.floats(0, 1))
def test_nothing_changes_by_time_alone_before_the_moment_that_is_told(facts: Facts, part: float) -> None:
    moment = changes_at(facts, NOW, BOUNDS)
    end_us = moment if moment is not None else NOW + 10**6 * S
    between = NOW + round((end_us - 1 - NOW) * part)

    assert derive(facts, between, BOUNDS).kind == derive(facts, NOW, BOUNDS).kind
    assert moment is None or moment > NOW


@given(any_facts)
def test_every_judgement_is_a_known_one_and_began_in_the_past(facts: Facts) -> None:
    status = derive(facts, NOW, BOUNDS)

    assert status.kind in KINDS
    assert status.reason
    assert status.since_us <= NOW

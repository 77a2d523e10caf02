from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_cases import METRICS, PARAMS, Store, delivery, failed, key, points

from livestream.studio.store.fold import RESEND_WINDOW_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.writer.close()


def metrics(**leaves: object) -> dict[str, object]:
    return {METRICS: leaves}


def test_the_first_start_is_session_one_also_after_data(store: Store) -> None:
    store.apply(delivery(step=0), delivery("start", at_s=1, message="hello"))
    facts = store.facts()
    assert (facts.session, facts.message, facts.step) == (1, "hello", 0)
    assert store.log() == ["started", "started"]


def test_a_second_start_begins_a_session_with_a_clean_slate(store: Store) -> None:
    store.apply(
        delivery("start", digest=b"1"),
        delivery(at_s=1, step=5),
        delivery(at_s=3, step=7),
        delivery("done", at_s=4, errors=failed()),
    )
    assert (store.facts().gaps_s, store.facts().step, store.facts().done_us is None) == ([2.0], 7, False)
    store.apply(delivery("start", at_s=5, digest=b"2"))
    facts = store.facts()
    assert (facts.session, facts.done_us, facts.errors, facts.step) == (2, None, [], None)
    assert (facts.gaps_s, facts.advance_us) == ([], None)
    assert store.log() == ["started", "failed", "resumed"]


def test_an_equal_start_without_a_key_is_a_repeat_near_the_start_and_near_the_done(store: Store) -> None:
    store.apply(delivery("start"), delivery("start", at_s=RESEND_WINDOW_S - 1))
    store.apply(delivery("done", at_s=1000), delivery("start", at_s=1000 + RESEND_WINDOW_S - 1))
    assert store.facts().session == 1
    assert store.facts().done_us is not None
    store.apply(delivery("start", at_s=1000 + RESEND_WINDOW_S + 1))
    assert store.facts().session == 2


def test_an_equal_start_with_a_key_is_judged_by_its_key_alone(store: Store) -> None:
    store.apply(delivery("start", key=key(1)), delivery("start", at_s=1, key=key(1)))
    assert store.facts().session == 1
    store.apply(delivery("start", at_s=2, key=key(1, writer="resumed")))
    assert store.facts().session == 2


def test_slices_of_one_start_are_one_start(store: Store) -> None:
    slices = [
        delivery("start", digest=b"one", key=key(1), params={f"{number}.yaml": {"a": 1}}, last_slice=number == 2)
        for number in range(3)
    ]
    store.apply(*slices[:2])
    store.apply(*slices)  # a crash came between, and the body is applied from its beginning
    assert store.facts().session == 1
    assert store.facts().writers["w"].mark == 1
    assert sorted(store.files("params")) == ["0.yaml", "1.yaml", "2.yaml"]


def test_a_repeated_done_changes_nothing_and_a_richer_one_does(store: Store) -> None:
    store.apply(delivery("start"), delivery("done", at_s=5, errors=failed()))
    before = store.facts().done_us
    assert store.apply(delivery("done", at_s=50, errors=failed())).changes == []
    assert store.facts().done_us == before
    store.apply(delivery("done", at_s=60, experiment_rev="b" * 40))
    assert store.facts().experiment_rev == "b" * 40
    assert [problem.cls for problem in store.facts().errors] == ["ValueError"], "what failed stays failed"
    assert store.log() == ["started", "failed"]


@pytest.mark.parametrize(
    ("cls", "line"), [("ValueError", "failed"), ("KeyboardInterrupt", "interrupted"), ("", "done")]
)
def test_the_end_is_logged_as_what_it_was(store: Store, cls: str, line: str) -> None:
    store.apply(delivery("start"), delivery("done", errors=failed(cls) if cls else []))
    assert store.log() == ["started", line]


def test_news_without_a_key_long_after_done_reopens(store: Store) -> None:
    store.apply(delivery("start"), delivery(step=3, metrics=metrics(a=1)), delivery("done", at_s=1))
    store.apply(delivery(at_s=300, step=3, metrics=metrics(a=1)))
    assert store.facts().session == 1, "a resend is no news"
    store.apply(delivery(at_s=30, step=4))
    assert store.facts().session == 1, "it came soon after the done"
    store.apply(delivery(at_s=301, step=2, metrics=metrics(a=9)))
    assert store.facts().session == 1, "an older step's metrics are no news"
    store.apply(delivery(at_s=302, step=4, metrics=metrics(a=9)))
    assert (store.facts().session, store.facts().step, store.facts().done_us) == (2, 4, None)
    assert store.log()[-1] == "reopened"


def test_what_our_daemon_sends_after_done_never_reopens(store: Store) -> None:
    store.apply(delivery("start", key=key(1)), delivery("done", at_s=1, key=key(3)))
    store.apply(delivery(at_s=3600, step=99, key=key(1, writer="slow"), metrics=metrics(a=1)))
    facts = store.facts()
    assert (facts.session, facts.done_us is None, facts.step) == (1, False, 99)


def test_what_a_dead_writer_left_neither_ends_nor_outranks_the_session_that_took_over(store: Store) -> None:
    store.apply(delivery("start", key=key(1, writer="dead")), delivery(step=5, key=key(2, writer="dead")))
    store.apply(delivery("start", at_s=9, key=key(1, writer="next")))
    store.apply(delivery(at_s=10, step=1, key=key(2, writer="next"), metrics=metrics(a=2)))
    store.apply(
        delivery(at_s=11, step=8, key=key(3, writer="dead"), metrics=metrics(a=1, b=1), points=[points([(8, 0.5)])]),
        delivery("done", at_s=12, key=key(4, writer="dead"), errors=failed("livestream.WriterDied")),
    )
    facts = store.facts()
    assert (facts.session, facts.step, facts.done_us, facts.errors) == (2, 1, None, [])
    assert store.files() == {METRICS: {"a": 2, "b": 1}}
    assert len(store.rows()) == 1
    store.apply(delivery("done", at_s=13, key=key(3, writer="next")))
    assert store.facts().done_us is not None


def test_files_merge_leaf_by_leaf_and_late_ones_only_fill_in(store: Store) -> None:
    store.apply(
        delivery("start", params={PARAMS: {"lr": 0.1, "model": {"depth": 3}}}),
        delivery(step=5, metrics=metrics(train={"loss": 0.5}), params={PARAMS: {"model": {"width": 8}}}),
        delivery(step=5, metrics=metrics(train={"accuracy": 0.9})),
    )
    assert store.files() == {METRICS: {"train": {"loss": 0.5, "accuracy": 0.9}}}
    assert store.files("params") == {PARAMS: {"lr": 0.1, "model": {"depth": 3, "width": 8}}}
    applied = store.apply(delivery(step=4, metrics=metrics(train={"loss": 0.7, "f1": 0.1})))
    assert store.files() == {METRICS: {"train": {"loss": 0.5, "accuracy": 0.9, "f1": 0.1}}}
    assert applied.changes[0].metrics == {METRICS: {"train": {"f1": 0.1}}}
    store.apply(
        delivery("done", metrics=metrics(train={"loss": 0.4})), delivery(step=6, metrics=metrics(train={"loss": 1}))
    )
    assert store.files()[METRICS]["train"]["loss"] == 0.4, "done has the last word"


def test_of_our_daemons_posts_the_last_to_come_is_the_newest_whatever_its_step(store: Store) -> None:
    store.apply(
        delivery("start", key=key(1, writer="train")),
        delivery(step=1000, key=key(2, writer="train"), metrics=metrics(loss=0.5)),
        delivery(step=3, key=key(1, writer="evaluation"), metrics=metrics(loss=0.5, accuracy=0.7)),
        delivery(step=4, key=key(2, writer="evaluation"), metrics=metrics(loss=0.5, accuracy=0.8)),
    )
    assert store.files() == {METRICS: {"loss": 0.5, "accuracy": 0.8}}
    store.apply(delivery(step=3, key=key(1, writer="evaluation"), metrics=metrics(accuracy=0.7)))
    assert store.files() == {METRICS: {"loss": 0.5, "accuracy": 0.8}}, "a repeat is known by its mark"


def test_a_later_sessions_lower_step_goes_over_an_earlier_sessions_higher_one(store: Store) -> None:
    store.apply(delivery("start", digest=b"1"), delivery(step=100, metrics=metrics(a=1)))
    store.apply(delivery("start", digest=b"2"), delivery(step=0, metrics=metrics(a=2)))
    assert store.files() == {METRICS: {"a": 2}}


def test_a_repair_never_goes_over_what_is_stored(store: Store) -> None:
    store.apply(delivery(step=1, key=key(2), metrics=metrics(a=2)))
    store.apply(delivery(step=9, key=key(1), repair=True, metrics=metrics(a=1, b=1), points=[points([(1, 0.5)])]))
    assert store.files() == {METRICS: {"a": 2, "b": 1}}
    assert len(store.rows()) == 1


def test_errors_on_data_are_warnings_and_unknown_fields_stay(store: Store) -> None:
    warned = delivery(
        step=1, errors=failed("Warned"), extra={"new": 1}, machine={"cpu": {"count": 2}}, client="dvclive"
    )
    store.apply(warned, warned)
    facts = store.facts()
    assert ([problem.cls for problem in facts.warnings], facts.errors) == (["Warned"], [])
    assert (facts.extra, facts.machine, facts.clients) == ({"new": 1}, {"cpu": {"count": 2}}, ["dvclive"])
    assert store.log() == ["started", "warning"]


def test_what_an_update_holds_is_never_changed_by_storing_it(store: Store) -> None:
    first = delivery(step=1, metrics=metrics(a={"b": 1}))
    store.apply(first, delivery(step=2, metrics=metrics(a={"c": 2})))
    assert first.update.metrics == {METRICS: {"a": {"b": 1}}}

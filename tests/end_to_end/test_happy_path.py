from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import until
from stage import Stage


@pytest.fixture(params=["stock", "livestream"])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(tmp_path, request.param) as stage:
        yield stage


def test_what_is_emitted_arrives_in_order_start_before_data_before_done(stage: Stage) -> None:
    stage.serve()
    training = stage.train(message="a message")
    training.emit_many("train/loss", [0.9, 0.5, 0.25])
    training.emit({"train/loss": 0.125, "acc": 1}, params={"lr": 0.1})
    training.finish()
    run = stage.await_done()
    assert run.values("train/loss") == [(0, 0.9), (1, 0.5), (2, 0.25), (3, 0.125)]
    assert run.summary == {"train": {"loss": 0.125}, "acc": 1, "step": 3}
    assert list(run.params.values()) == [{"lr": 0.1}]
    assert run.message == "a message"
    assert run.order[0] == "start"
    assert run.order[-1] == "done"
    assert set(run.order[1:-1]) == {"data"}
    assert run.errors == []
    books = stage.await_empty(6)
    assert books.total.delivered == 6
    assert stage.ledger.duplicates == 0
    until(lambda: stage.folders() == [], "the writer's folder is removed")

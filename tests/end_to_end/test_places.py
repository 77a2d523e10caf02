"""Where events go, with whose token, and what waits: offline runs, tokens, several Studios, several experiments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import until
from stage import Stage

from livestream.testing import DEFAULT_TOKEN, Answer, FakeStudio


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def _tokens(studio: FakeStudio) -> set[str]:
    return {entry.token_digest for entry in (*studio.ledger.requests, *studio.ledger.others)}


def test_an_offline_run_is_recorded_and_sent_by_sync_only(stage: Stage) -> None:
    training = stage.train(environ=stage.environ(DVC_STUDIO_OFFLINE="1"))
    training.emit({"loss": 1.0})
    training.finish()
    assert stage.once() == 4
    assert stage.ledger.requests == ()
    assert "offline" in stage.await_held()
    daemon = stage.serve()
    assert stage.ledger.requests == ()
    assert stage.drain() == 0  # beside a daemon that serves: it is asked, and followed
    assert stage.await_done().values("loss") == [(0, 1.0)]
    assert daemon.running
    stage.await_empty(3)
    row = stage.row()
    assert row is not None
    assert row.hold is None


def test_without_a_token_all_is_kept_and_a_later_token_sends_it(stage: Stage) -> None:
    none = stage.environ(DVC_STUDIO_TOKEN=None)
    training = stage.train(environ=none)
    training.emit({"loss": 1.0})
    training.finish()
    assert stage.once(environ=none) == 4
    reason = stage.await_held()
    assert "no token" in reason
    assert "DVC_STUDIO_TOKEN" in reason
    assert stage.ledger.requests == ()
    assert stage.drain() == 0
    assert stage.await_done().values("loss") == [(0, 1.0)]
    stage.await_empty(3)


def _write_token(stage: Stage, token: str) -> None:
    folder = stage.home / ".dvc"
    folder.mkdir(exist_ok=True)
    (folder / "config").touch()
    (folder / "config.local").write_text(f"[studio]\n    token = {token}\n    url = {stage.studio.url}\n")


def test_a_refused_token_holds_until_the_dvc_config_names_another(stage: Stage) -> None:
    none = stage.environ(DVC_STUDIO_TOKEN=None, DVC_STUDIO_URL=None)
    _write_token(stage, "isat_revoked")
    daemon = stage.serve(environ=none)
    training = stage.train(environ=none)
    training.emit({"loss": 1.0})
    training.finish()
    assert "token is refused" in stage.await_studio_held()
    assert stage.books().total.dead == 0
    assert stage.ledger.experiments == {}
    _write_token(stage, DEFAULT_TOKEN)
    assert stage.await_done().values("loss") == [(0, 1.0)]
    stage.await_empty(3)
    assert _tokens(stage.studio) == {_digest("isat_revoked"), _digest(DEFAULT_TOKEN)}
    assert daemon.said().count("studio_held") == 1
    for text in (
        daemon.said(),
        *(path.read_text(errors="replace") for path in stage.spool.rglob("*") if path.is_file()),
    ):
        assert "isat_revoked" not in text
        assert DEFAULT_TOKEN not in text


@pytest.mark.parametrize("place", ["handover", "config"])
def test_what_a_refused_token_holds_goes_when_a_new_one_is_known_for_that_url(stage: Stage, place: str) -> None:
    stage.serve(environ=stage.environ(DVC_STUDIO_TOKEN=None))
    wrong = stage.train(environ=stage.environ(DVC_STUDIO_TOKEN="isat_wrong"))
    wrong.emit({"loss": 1.0})
    wrong.finish()
    stage.await_studio_held()
    if place == "config":
        _write_token(stage, DEFAULT_TOKEN)
        stage.await_empty(3, bound_s=15.0)
        return
    right = stage.train()
    right.emit({"loss": 2.0})
    right.finish()
    stage.await_ledger(lambda ledger: ledger.rows == 2, bound_s=15.0)
    assert stage.await_done().values("loss") == [(0, 1.0), (1, 2.0)]
    stage.await_empty(6)


def test_trainings_with_different_tokens_and_studios_share_one_daemon(stage: Stage) -> None:
    other = stage.another_studio("livestream", "isat_other")
    stage.studio.tokens.add("isat_second")
    stage.serve(environ=stage.environ(DVC_STUDIO_TOKEN=None, DVC_STUDIO_URL=None))
    trainings = {
        "one": stage.train("one"),
        "two": stage.train("two", environ=stage.environ(DVC_STUDIO_TOKEN="isat_second")),
        "three": stage.train("three", environ=stage.environ(DVC_STUDIO_TOKEN="isat_other", DVC_STUDIO_URL=other.url)),
    }
    for name, training in trainings.items():
        training.emit({"loss": 1.0}, step=len(name))
    for training in trainings.values():
        training.finish()
    stage.await_done("one")
    stage.await_done("two")
    other.ledger.wait_for(lambda ledger: any(it.status == "done" for it in ledger.experiments.values()), 30.0)
    assert {key.name for key in stage.ledger.experiments} == {"one", "two"}
    assert {key.name for key in other.ledger.experiments} == {"three"}
    assert _tokens(stage.studio) == {_digest(DEFAULT_TOKEN), _digest("isat_second")}
    assert _tokens(other) == {_digest("isat_other")}
    by_name = {entry.experiment.name: entry.token_digest for entry in stage.ledger.requests if entry.experiment}
    assert by_name == {"one": _digest(DEFAULT_TOKEN), "two": _digest("isat_second")}
    stage.await_empty(9)


def test_a_run_without_a_repository_is_held_from_the_hosted_studio_and_its_address_is_never_asked(stage: Stage) -> None:
    environ = stage.environ(DVC_STUDIO_URL=None, DVC_STUDIO_REPO_URL=None)
    training = stage.train(environ=environ)
    training.emit({"loss": 1.0})
    training.finish()
    dead_end = stage.environ(DVC_STUDIO_URL=None, HTTPS_PROXY=stage.studio.url)  # who dialled would be seen here
    assert stage.once(environ=dead_end) == 4
    assert "DVC_STUDIO_REPO_URL" in stage.await_held()
    assert stage.ledger.requests == stage.ledger.others == ()
    assert stage.await_queued(3).total.dead == 0


def test_a_run_without_a_repository_goes_to_a_studio_of_ones_own(stage: Stage) -> None:
    training = stage.train(environ=stage.environ(DVC_STUDIO_REPO_URL=None))
    training.emit({"loss": 1.0})
    training.finish()
    assert stage.drain() == 0
    (key,) = stage.ledger.experiments
    assert key.repo_url.startswith("local://")
    stage.await_empty(3)


def test_one_experiment_that_hangs_does_not_keep_another_from_arriving(stage: Stage) -> None:
    stage.serve()
    good, bad = stage.train("good"), stage.train("bad")
    stage.await_ledger(lambda ledger: len(ledger.experiments) == 2)
    rule = stage.studio.rule(lambda body, _: body["name"] == "bad", Answer.hang())
    bad.emit({"loss": 1.0})
    stage.await_ledger(lambda _: rule.hits == 1)
    for step in range(5):
        good.emit({"loss": float(step)})
        stage.await_ledger(lambda ledger, rows=step + 1: ledger.rows == rows)  # type: ignore[misc]
    bad.emit({"loss": 2.0})
    good.finish()
    stage.await_done("good")
    assert rule.hits == 1  # one request in flight a writer
    rule.remove()
    stage.studio.stop()
    stage.studio.start()
    bad.finish()
    assert stage.await_done("bad").values("loss") == [(0, 1.0), (1, 2.0)]
    stage.await_empty(11)


def test_a_dead_letter_that_is_retried_brings_its_rows_and_overwrites_nothing_newer(tmp_path: Path) -> None:
    with Stage(tmp_path, "livestream") as stage:
        rule = stage.studio.rule(
            lambda body, _: any("poison" in path for path in body.get("plots", {})), Answer.error(400, "bad")
        )
        training = stage.train()
        training.emit({"loss": 1.0})
        training.emit({"loss": 2.0, "poison": 5.0}, params={"lr": 1}, images={"p.png": {"noise": 80_000}})
        training.emit({"loss": 3.0}, params={"lr": 2})
        training.finish()
        assert stage.drain() == 5
        (letter,) = stage.letters()
        run = stage.experiment()
        assert run.summary == {"loss": 3.0, "step": 2}
        until(lambda: stage.folders() == [], "the writer's folder is long gone")
        rule.remove()
        assert stage.command("queue", "retry", str(letter.id), "--spool", str(stage.spool)).wait() == 0
        assert stage.drain() == 0
        assert run.values("poison") == [(1, 5.0)]
        assert run.values("loss") == [(0, 1.0), (2, 3.0), (1, 2.0)]
        assert run.summary["loss"] == 3.0
        assert list(run.params.values()) == [{"lr": 2}]
        assert [image.step for image in run.images["dvclive/plots/images/p.png"]] == [1]
        assert run.step == 2
        assert run.status == "done"
        books = stage.check()
        assert (books.total.delivered, books.total.dead) == (5, 0)
        assert stage.letters() == []
        assert list((stage.spool / "dead").iterdir()) == []
        assert stage.ledger.duplicates == 0

"""Our trainings and our daemon against the Studio: whatever is killed or cut, it shows what was emitted, once."""

from __future__ import annotations

import json
import math
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from clients_cases import Reads, check_series, until
from daemon_cases import HASTY, StudioStage, series
from studio_stage import token_for
from training import noise

from livestream.events import JsonObject


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[StudioStage]:
    with StudioStage(tmp_path) as stage:
        yield stage


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[StudioStage]:
    with StudioStage(tmp_path, HASTY) as stage:
        yield stage


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioStage]:
    with StudioStage(tmp_path_factory.mktemp("many")) as stage:
        stage.serve()
        yield stage


def check_whole(shown: JsonObject, writers: int) -> None:
    """Nothing is missing, nothing waits."""
    truth = shown["delivery"]
    assert (truth["missing_events"], truth["gaps"], truth["losses"]) == (0, [], {})
    assert (truth["backlog_rows"], truth["backlog_bytes"], truth["behind_s"]) == (0, 0, 0.0)
    assert truth["writers"] == writers


def test_all_of_a_run_is_shown_as_it_was_emitted(stage: StudioStage) -> None:
    stage.serve()
    training = stage.train(message="a try")
    odd = [math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -0.0, 2**53 + 1]
    names = ["train/loss", "per class/ä b%.c (1)", "timestamp", "x/step", "plots/custom/acc", "a.b[0]\"'"]
    for step in range(40):
        metrics = {name: step / 7 + place for place, name in enumerate(names)}
        training.emit({**metrics, "odd": odd[step % 7], "phase": f"p{step}", "flag": step % 2 == 0}, step=step)
    for step in range(40, 46):
        images = {"seen/now.png": {"noise": 3_000, "seed": step}, f"seen/{step}.png": {"noise": 900, "seed": step}}
        training.emit(params={"opt": {"lr": step / 10, f"k{step}": None}}, images=images, step=step)
    curve = [{"x": 0, "y": 1}, {"x": 1, "y": "high"}]
    training.emit(plots={"curve": {"data": curve, "x": "x", "y": "y", "template": "linear"}})
    training.finish()

    shown = stage.reads.await_status("run", "completed")
    stage.await_empty(49)
    told = {math.inf: "inf", -math.inf: "-inf"}
    values = [told.get(value, "nan" if value != value else value) for value in odd]  # noqa: PLR0124
    wanted = series("odd", [(step, values[step % 7]) for step in range(40)])
    for place, name in enumerate(names):
        wanted |= series(name, [(step, step / 7 + place) for step in range(40)])
    check_series(stage.reads, shown, wanted)
    check_whole(shown, 1)
    assert (shown["message"], shown["step"], shown["session"]) == ("a try", 46, 1)
    assert shown["params"]["dvclive/params.yaml"]["opt"] == {"lr": 4.5, **{f"k{step}": None for step in range(40, 46)}}
    summary = shown["metrics"]["dvclive/metrics.json"]
    assert (summary["phase"], summary["flag"], summary["odd"], summary["step"]) == ("p39", False, odd[4], 46)
    assert summary["train"] == {"loss": 39 / 7}
    told_images = [(image["path"], image["step"], image["sha256"]) for image in stage.reads.images(shown["id"])]
    folder = "dvclive/plots/images/seen"
    assert told_images == [
        *((f"{folder}/{step}.png", step, sha256(noise(900, step)).hexdigest()) for step in range(40, 46)),
        *((f"{folder}/now.png", step, sha256(noise(3_000, step)).hexdigest()) for step in range(40, 46)),
    ]
    path = "dvclive/plots/custom/curve.json"
    kept = stage.reads.get(f"/api/experiments/{shown['id']}/plots/content", path=path)
    assert (kept["rows"], kept["plot"]["props"]) == (curve, {"x": "x", "y": "y", "template": "linear"})


def test_kills_and_outages_on_every_side_cost_no_point_and_double_none(stage: StudioStage) -> None:
    """Each round strikes between two bursts of events, while the first of them may be anywhere on its way."""
    daemon = stage.serve()
    training = stage.train()
    emitted = 0
    pictures: list[tuple[int, int]] = []

    def burst(events: int = 60) -> None:
        nonlocal emitted
        training.emit_many("loss", [step / 8 for step in range(emitted, emitted + events)], emitted)
        emitted += events
        pictures.append((emitted - 1, len(pictures)))  # large: it is logged and answered before it is applied
        training.emit(images={"seen.png": {"noise": 400_000, "seed": len(pictures) - 1}}, step=emitted - 1)

    for strike in range(8):
        burst()
        match strike % 4:
            case 0:
                stage.real.kill()
                burst()
                stage.real.start()
            case 1:
                daemon.kill()
                burst()
                daemon = stage.serve()
            case 2:
                stage.link.break_()
                burst()
                stage.link.mend()
            case _:
                stage.real.kill()
                daemon.kill()
                training.kill()
                stage.real.start()
                daemon = stage.serve()
                training = stage.train()
        stage.ask("sync")
    burst()
    training.finish()

    stage.ask("sync")
    shown = stage.reads.await_status("run", "completed")
    check_series(stage.reads, shown, series("loss", [(step, step / 8) for step in range(emitted)]))
    check_whole(shown, 3)
    assert shown["metrics"]["dvclive/metrics.json"] == {"loss": (emitted - 1) / 8, "step": emitted - 1}
    seen = [(image["step"], image["sha256"]) for image in stage.reads.images(shown["id"])]
    assert seen == [(step, sha256(noise(400_000, seed)).hexdigest()) for step, seed in pictures]
    books = stage.await_empty(emitted + len(pictures) + 4)
    assert (books.total.dead, books.total.refused) == (0, {})


def await_lost(stage: StudioStage, times: int) -> None:
    """Wait until the run is called lost, and until its log has told so so many times."""
    shown = stage.reads.await_status("run", "lost")
    until(lambda: stage.reads.log(shown["id"]).count("lost") == times, "its log tells that it is lost")


def test_a_run_is_called_what_it_is_while_everything_around_it_breaks(hasty: StudioStage) -> None:
    reads = hasty.reads
    daemon = hasty.serve()
    training = hasty.train()
    training.emit_many("loss", [0.5] * 5)
    reads.await_experiment("run", lambda it: it["delivery"]["beating"] == 1 and it["step"] == 4, "it beats")
    assert reads.experiment("run")["status"]["kind"] == "running"

    hasty.link.break_()
    silent = reads.await_status("run", "silent")
    assert "no beat for" in silent["status"]["reason"]
    assert "the last step was 4" in silent["status"]["reason"]
    for step in range(5, 25):
        training.emit({"loss": 0.25}, images={f"{step}.png": {"noise": 1_500_000, "seed": step}}, step=step)
    await_lost(hasty, 1)

    hasty.link.mend()
    hasty.ask("sync")
    behind = reads.await_status("run", "catching_up")
    assert behind["delivery"]["backlog_rows"] > 0
    assert behind["delivery"]["backlog_bytes"] > 1_000_000
    assert behind["delivery"]["behind_s"] > 0.3
    assert "waiting on the node" in behind["status"]["reason"]
    reads.await_status("run", "running")
    assert len(reads.images(behind["id"])) == 20

    training.kill()
    daemon.kill()
    await_lost(hasty, 2)
    hasty.serve()
    failed = reads.await_status("run", "failed")
    assert str(training.pid) in failed["status"]["reason"]
    assert [error["cls"] for error in failed["errors"]] == ["livestream.WriterDied"]
    check_series(reads, failed, series("loss", [*((step, 0.5) for step in range(5)), *_rows(5, 25, 0.25)]))
    check_whole(failed, 1)
    told = reads.log(failed["id"])
    assert (told[0], told[-1], told.count("lost")) == ("started", "failed", 2)


def _rows(first: int, end: int, value: float) -> list[tuple[int, float | str]]:
    return [(step, value) for step in range(first, end)]


@pytest.mark.parametrize(
    ("end", "kind", "cls"),
    [
        ("finish", "completed", None),
        ("leave", "completed", None),
        ("raise", "failed", "RuntimeError"),
        ("interrupt", "interrupted", "KeyboardInterrupt"),
        ("terminate", "interrupted", "livestream.Terminated"),
        ("kill", "failed", "livestream.WriterDied"),
    ],
)
def test_every_end_of_a_training_has_its_name(many: StudioStage, end: str, kind: str, cls: str | None) -> None:
    training = many.train(end)
    training.emit_many("loss", [1.0, 0.5])
    match end:
        case "finish":
            training.finish()
        case "leave":
            training.leave()
        case "terminate":
            training.signal(signal.SIGTERM)
        case "kill":
            training.kill()
        case _:
            training.tell(end, "boom")
            training.wait()

    shown = many.reads.await_status(end, kind)
    assert [error["cls"] for error in shown["errors"]] == ([] if cls is None else [cls])
    assert cls is None or cls in shown["status"]["reason"]
    check_series(many.reads, shown, series("loss", [(0, 1.0), (1, 0.5)]))
    check_whole(shown, 1)


FORKS: Final = """
import os, livestream
run = livestream.init("forks")
run.emit({"parent": 0.0}, params={"lr": 0.1})
child = os.fork()
name = "child" if child == 0 else "parent"
for step in range(1, 50):
    run.emit({name: step / 8}, step=step, params={name: step})
if child:
    os.waitpid(child, 0)
run.end()
"""


def test_a_training_and_its_child_write_one_experiment_which_ends_once(many: StudioStage) -> None:
    script = many.script(FORKS)
    assert script.wait() == 0, script.said()

    shown = many.reads.await_status("forks", "completed")
    parent = series("parent", [(step, step / 8) for step in range(50)])
    check_series(many.reads, shown, parent | series("child", [(step, step / 8) for step in range(1, 50)]))
    check_whole(shown, 2)
    assert shown["params"]["dvclive/params.yaml"] == {"lr": 0.1, "parent": 49, "child": 49}
    assert shown["metrics"]["dvclive/metrics.json"] == {"parent": 49 / 8, "child": 49 / 8, "step": 49}
    assert many.reads.log(shown["id"]) == ["started", "done"]


def test_a_run_that_goes_on_after_its_end_is_a_new_session_of_the_same_experiment(many: StudioStage) -> None:
    first = many.train("again")
    first.emit_many("loss", [1.0, 0.5])
    first.finish()
    ended = many.reads.await_status("again", "completed")
    second = many.train("again")
    assert many.reads.await_status("again", "running")["session"] == 2
    second.emit({"loss": 0.25})
    second.finish()

    shown = many.reads.await_status("again", "completed")
    assert (shown["id"], shown["session"], shown["step"]) == (ended["id"], 2, 2)
    check_series(many.reads, shown, series("loss", [(step, 2.0**-step) for step in range(3)]))
    check_whole(shown, 2)
    assert many.reads.log(shown["id"]) == ["started", "done", "resumed", "done"]


ODD: Final = """
import json, sys
import livestream
run = livestream.init("odd", message="a\\u202etry")
long = "/".join(["x" * 98] * 5)
names = [long, "/".join(map(str, range(60))), "e\\u0301", "\\U0001f600", " sp ", "C:x", "'\\"<script>", "a.tsv",
         "%2e?b#c&d=e", "$(x)`y`", "__proto__", "null", "plots/custom/x.json", "-1", "=1", "\\x00", "..", "\\ud800", ""]
taken = []
for name in names:
    try:
        run.emit({name: 1.0}, params={name or "none": name}, plots={name: [{"x": 1, name: [2]}]}, step=2**63 - 1)
        run.emit(images={f"{name}.png": b"\\x89PNG\\r\\n\\x1a\\n" + bytes(60)}, step=-(2**63))
        taken.append(name)
    except livestream.errors.LivestreamError:
        pass
run.emit({f"many/{number}": number for number in range(3000)}, params={"text": "x" * 1_000_000}, step=0)
run.emit(plots={"wide": [{f"c{number}": number for number in range(3000)}], "long": [{"a": "b"}] * 50_000})
run.end()
print(json.dumps(taken), file=sys.stderr)
"""


def test_whatever_our_client_takes_the_studio_takes(many: StudioStage) -> None:
    script = many.script(ODD)
    assert script.wait() == 0, script.said()
    taken = json.loads(script.said())
    assert len(taken) == 15

    shown = many.reads.await_status("odd", "completed")
    check_whole(shown, 1)
    wanted = {f"many/{number}": [(0, number)] for number in range(3000)} | {name: [(2**63 - 1, 1.0)] for name in taken}
    found = {one["name"]: one for one in many.reads.series(shown["id"]).values()}
    assert found.keys() == wanted.keys()
    assert all((one["last_step"], one["last"]) == wanted[name][0] for name, one in found.items())
    folder = "dvclive/plots"
    images = [(image["path"], image["step"]) for image in many.reads.images(shown["id"])]
    assert images == sorted((f"{folder}/images/{name}.png", -(2**63)) for name in taken)
    plots = {plot["path"] for plot in many.reads.get(f"/api/experiments/{shown['id']}/plots")["plots"]}
    assert plots == {f"{folder}/custom/{name}.json" for name in [*taken, "wide", "long"]}
    told = shown["params"]["dvclive/params.yaml"]
    assert told["text"] == "x" * 1_000_000
    assert all(told[name] == name for name in taken)
    assert many.books().total.dead == 0


def test_events_that_were_lost_on_the_node_are_known_as_a_gap_and_shown(stage: StudioStage) -> None:
    training = stage.train()
    training.emit_many("loss", [step / 8 for step in range(100)])
    training.finish()
    (folder,) = stage.folders()
    (segment,) = folder.glob("*.db")
    with closing(sqlite3.connect(segment)) as damaged:
        damaged.execute("UPDATE event SET body = x'00' WHERE seq BETWEEN 41 AND 50")
        damaged.commit()
        damaged.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stage.drain()

    shown = stage.reads.await_status("run", "completed_with_gaps")
    writer = folder.name
    assert shown["delivery"]["gaps"] == [{"writer": writer, "first": 41, "last": 50}]
    assert shown["delivery"]["missing_events"] == 10
    assert "10 events never came" in shown["status"]["reason"]
    # The start is event 1, and step 0 is event 2.
    kept = [step for step in range(100) if not 41 <= step + 2 <= 50]
    check_series(stage.reads, shown, series("loss", [(step, step / 8) for step in kept]))
    assert stage.books().total.dead == 10


def test_what_a_node_had_no_room_for_is_counted_with_its_reason_and_the_run_says_that_it_has_gaps(
    stage: StudioStage,
) -> None:
    stage.serve()
    training = stage.train(environ=stage.environ(LIVESTREAM_QUOTA_BYTES="30000000"))
    stage.reads.await_status("run", "running")
    stage.link.break_()
    (folder,) = stage.folders()
    accepted: list[int] = []
    step = 0
    while step - len(list((folder / "blobs").iterdir())) < 3:  # images are left out, then events refused
        order = {"metrics": {"loss": step}, "images": {f"{step}.png": {"noise": 1_000_000, "seed": step}}, "step": step}
        if training.order("emit", order) is not None:
            accepted.append(step)
        step += 1
        assert step < 400
    stage.link.mend()
    stage.ask("sync")
    training.finish()

    shown = stage.reads.await_status("run", "completed_with_gaps")
    images, losses = len(stage.reads.images(shown["id"])), shown["delivery"]["losses"]
    assert losses.get("quota", 0) == step - len(accepted)
    assert losses.get("trimmed", 0) == len(accepted) - images
    assert sum(losses.values()) >= 2
    assert all(str(count) in shown["status"]["reason"] for count in losses.values())
    check_series(stage.reads, shown, series("loss", [(step, step) for step in accepted]))


def test_two_terminals_need_no_variable_also_after_every_token_was_revoked(stage: StudioStage) -> None:
    announced = stage.home / ".config/livestream/studio.json"
    assert json.loads(announced.read_bytes())["url"] == stage.real.url
    training = stage.train("alone", environ=stage.unconfigured())
    training.emit_many("loss", [1.0, 0.5])
    shown = stage.reads.await_experiment("alone", lambda it: it["step"] == 1, "both steps are there")
    assert shown["repo_url"].startswith("local://")
    assert (shown["status"]["kind"], shown["baseline_sha"]) == ("running", "0" * 40)

    before = announced.read_bytes()
    revoked = stage.command("token", "revoke", "--all", "--data", str(stage.real.data))
    assert revoked.wait() == 0, revoked.said()
    until(lambda: announced.read_bytes() != before, "trainings of this machine are given a new token")
    training.emit_many("loss", [0.25, 0.125], 2)
    training.finish()

    stage.reads = Reads(stage.real, token_for(stage.real.data, "reader"))
    shown = stage.reads.await_status("alone", "completed")
    check_series(stage.reads, shown, series("loss", [(step, 2.0**-step) for step in range(4)]))
    check_whole(shown, 1)
    stage.real.stop()
    assert not announced.exists()

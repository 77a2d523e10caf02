from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from cli_cases import eventually
from PIL import Image

from livestream.cli.survey import survey
from livestream.demo.iris import CREDIT, FEATURES, SPECIES, flowers, split, standardised
from livestream.demo.leash import Leashed
from livestream.demo.machine import Meter
from livestream.demo.network import Network, Score
from livestream.demo.pictures import CELL_PIXELS, PLANE_CELLS, WEIGHT_PIXELS, draw_regions, draw_weights
from livestream.demo.plots import confusion, detection
from livestream.demo.record import Event, Recorder, read_record
from livestream.demo.training import Plan, Training


def picture_of(png: bytes) -> Image.Image:
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def test_the_data_are_fishers_150_flowers() -> None:
    every = flowers()
    assert [sum(flower.species == species for flower in every) for species in range(len(SPECIES))] == [50, 50, 50]
    columns = list(zip(*(flower.lengths_cm for flower in every), strict=True))
    means = [round(sum(column) / len(column), 3) for column in columns]
    assert means == [5.843, 3.054, 3.759, 1.199]  # iris.names: 5.84, 3.05, 3.76, 1.20
    assert [(min(column), max(column)) for column in columns] == [(4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5)]
    assert "CC BY 4.0" in CREDIT


def test_the_gradient_is_the_losss_own_slope() -> None:
    train, _ = split(flowers())
    inputs, species = standardised(train, train), [flower.species for flower in train]
    network = Network(len(FEATURES), 3, len(SPECIES), seed=1)
    before = network.score(inputs, species).loss
    rate = 1e-4
    slope = network.descend(inputs, species, rate, 0.0)
    fallen = before - network.score(inputs, species).loss
    assert fallen == pytest.approx(rate * slope * slope, rel=1e-2)


def test_training_learns() -> None:
    train, test = split(flowers())
    inputs, species = standardised(train, train), [flower.species for flower in train]
    network = Network(len(FEATURES), 8, len(SPECIES), seed=1936)
    for _ in range(60):
        network.descend(inputs, species, 0.1, 0.9)
    test_inputs, test_species = standardised(train, test), [flower.species for flower in test]
    score = network.score(test_inputs, test_species)
    assert len(test) == 30
    assert score.accuracy > 0.9
    assert sum(answer == right for answer, right in zip(score.answers, test_species, strict=True)) > 27


def test_the_pictures_show_the_weights_and_what_is_seen_where() -> None:
    network = Network(2, 3, 2, seed=1)
    network.hidden[0] = [2.0, -2.0, 0.0]
    weights = picture_of(draw_weights(network))
    assert weights.size == ((2 + 1 + 2) * WEIGHT_PIXELS, 3 * WEIGHT_PIXELS)
    assert weights.getpixel((0, 0)) == (255, 0, 0)
    assert weights.getpixel((WEIGHT_PIXELS, 0)) == (0, 0, 255)

    network = Network(4, 1, 3, seed=1)
    network.hidden, network.output = [[0.0, 0.0, 0.0, 50.0, 0.0]], [[-50.0, 0.0], [0.0, 0.0], [50.0, 0.0]]
    regions = picture_of(draw_regions(network, [(0.0, 0.0, 0.0, 1.0)], [2]))
    side = PLANE_CELLS * CELL_PIXELS
    assert regions.size == (side, side)
    assert regions.getpixel((0, 0)) == (0, 158, 115)  # wide petals, up: virginica
    assert regions.getpixel((0, side - 1)) == (86, 180, 233)  # narrow ones, down: setosa
    colours = regions.getcolors()
    assert colours is not None
    assert (CELL_PIXELS**2, (0, 87, 63)) in colours  # the flower


def test_the_plots_are_counted_by_hand() -> None:
    score = Score(0.0, 0.0, [[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.0, 0.1, 0.9], [0.3, 0.3, 0.4], [0.0, 0.2, 0.8]])
    species = [0, 1, 2, 1, 2]
    assert confusion(score, species)["data"] == [
        {"actual": "setosa", "predicted": "setosa"},
        {"actual": "versicolor", "predicted": "versicolor"},
        {"actual": "virginica", "predicted": "virginica"},
        {"actual": "versicolor", "predicted": "virginica"},
        {"actual": "virginica", "predicted": "virginica"},
    ]
    assert detection(score, species, 2)["data"] == [  # the two of 0.4 pass together
        {"false_alarms": 0.0, "hits": 0.0},
        {"false_alarms": 0.0, "hits": 0.5},
        {"false_alarms": 0.0, "hits": 1.0},
        {"false_alarms": 2 / 3, "hits": 1.0},
        {"false_alarms": 1.0, "hits": 1.0},
    ]


def test_a_training_tells_of_numbers_pictures_plots_and_the_machine() -> None:
    plan = Plan(name="x", message="", learning_rate=0.1, hidden_units=8, epochs=22, epoch_s=0.0)
    training = Training(plan)
    news = [training.epoch(step) for step in range(plan.epochs)]
    assert [one.step for one in news if one.params] == [0]
    assert [one.step for one in news if "weights.png" in one.images] == [0, 5, 10, 15, 20]
    assert [one.step for one in news if "regions.png" in one.images] == [0, 20, 21]
    assert [one.step for one in news if set(one.plots) == {"confusion", "virginica"}] == [0, 20, 21]
    assert [one.step for one in news if "system/cpu/usage (%)" in one.metrics] == [0, 10, 20]
    assert news[0].images["regions.png"] != news[20].images["regions.png"]
    assert news[0].plots["confusion"]["data"] != news[20].plots["confusion"]["data"]


def test_the_machine_is_read_as_it_is() -> None:
    meter = Meter()
    said = meter.read()
    assert set(said) == {"system/cpu/usage (%)", "system/ram/usage (%)", "system/ram/usage (GB)"}
    assert all(0.0 <= said[name] <= 100.0 for name in said if "%" in name)
    total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    assert 0.0 < said["system/ram/usage (GB)"] < total_gb
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        meter.read()
        eventually(lambda: meter.read()["system/cpu/usage (%)"] > 100 / (2 * (os.cpu_count() or 1)), "it is busy")
        busy.kill()


def test_a_record_tells_what_was_accepted_refused_and_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = Recorder(path)
    first = Event(
        step=0,
        metrics={"loss": 0.5},
        params={"model": {"units": 3}, "lr": 0.1},
        images={"a.png": "aa"},
        plots={"curve": [{"x": 1}]},
    )
    refused, second, third = (Event(step=step, metrics={"loss": 0.1 * step}) for step in (1, 2, 3))
    for event, accepted in ((first, True), (refused, False), (second, True)):
        recorder.announce(event)
        recorder.settle(accepted=accepted)
    assert read_record(path).in_flight is None
    recorder.announce(third)
    recorder.close()
    emitted = read_record(path)
    assert emitted.accepted == [first, second]
    assert emitted.in_flight == third
    assert emitted.refused == 1
    assert emitted.points == [("loss", 0, 0.5), ("loss", 2, 0.2)]
    assert emitted.pictures == [("a.png", 0, "aa")]
    assert emitted.params == {"model.units": 3, "lr": 0.1}
    assert emitted.plots == {"curve": [{"x": 1}]}
    assert emitted.with_what_was_in_flight().accepted == [first, second, third]
    torn = path.read_bytes()
    path.write_bytes(torn[:-5])
    assert read_record(path).in_flight is None
    assert read_record(path).accepted == [first, second]


@pytest.mark.parametrize("epochs", [1, 7, 40])
def test_a_killed_trainings_record_is_its_spool_but_for_one_event(tmp_path: Path, epochs: int) -> None:
    """The kill comes at any instant of a training that never pauses."""
    record, spool = tmp_path / "run.jsonl", tmp_path / "spool"
    plan = Plan(name="x", message="", learning_rate=0.1, hidden_units=1, epochs=100_000, epoch_s=0.0)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LIVESTREAM_", "DVC_"))}
    training = Leashed(
        "livestream.demo.training",
        msgspec.json.encode(plan).decode(),
        str(record),
        log=tmp_path / "log",
        environ=environ | {"LIVESTREAM_SPOOL": str(spool), "LIVESTREAM_DAEMON": "off", "HOME": str(tmp_path)},
    )
    eventually(lambda: record.exists() and record.read_bytes().count(b"true") >= epochs, training.tail())
    training.kill()
    emitted = read_record(record)
    assert len(emitted.accepted) >= epochs
    assert [event.step for event in emitted.accepted] == list(range(len(emitted.accepted)))
    assert emitted.refused == 0
    beyond = survey(spool).books.accepted - 1 - len(emitted.accepted)  # 1: its start
    assert beyond in ({0, 1} if emitted.in_flight is not None else {0})

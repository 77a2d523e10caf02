"""The training process of ``livestream demo``: an ordinary script that records with ``livestream``.

It ends by printing what it emitted, as JSON: the demo compares that with what arrived.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping

import msgspec

import livestream
from livestream.demo.iris import CREDIT, FEATURES, SPECIES, flowers, split, standardised
from livestream.demo.network import Network, Score
from livestream.events import JsonObject

HIDDEN_UNITS = 8
LEARNING_RATE = 0.1
MOMENTUM = 0.9
SEED = 1936
PICTURE_EVERY = 20


class Emitted(msgspec.Struct):
    """What the training handed over, in its own words.

    Attributes:
        accepted: Calls of ``emit`` that returned a number; ``refused``: those that did not.
        points: Step and value of each number, by the name of its metric.
        pictures: Step and SHA-256 of each image.
        plots: Rows of each plot.
    """

    accepted: int = 0
    refused: int = 0
    points: dict[str, list[tuple[int, float]]] = {}
    pictures: list[tuple[int, str]] = []
    params: JsonObject = {}
    plots: dict[str, list[JsonObject]] = {}

    def note(
        self,
        step: int,
        metrics: Mapping[str, float],
        params: JsonObject | None,
        picture: bytes | None,
        plots: Mapping[str, list[JsonObject]],
    ) -> None:
        """Note an event that was accepted."""
        self.accepted += 1
        for name, value in metrics.items():
            self.points.setdefault(name, []).append((step, value))
        self.params |= params or {}
        if picture is not None:
            self.pictures.append((step, hashlib.sha256(picture).hexdigest()))
        self.plots |= plots


def train(epochs: int, epoch_s: float) -> Emitted:
    """Train for some epochs, none shorter than ``epoch_s`` so that a person can follow."""
    every = flowers()
    train_on, test_on = split(every)
    inputs, test_inputs = standardised(train_on, train_on), standardised(train_on, test_on)
    species, test_species = [one.species for one in train_on], [one.species for one in test_on]
    network = Network(len(FEATURES), HIDDEN_UNITS, len(SPECIES), SEED)
    told = Emitted()
    settings = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "hidden_units": HIDDEN_UNITS, "data": CREDIT}
    with livestream.init("iris", message="A small network learns three species of iris") as run:
        for epoch in range(epochs):
            began = time.monotonic()
            slope = network.descend(inputs, species, LEARNING_RATE, MOMENTUM)
            score, test = network.score(inputs, species), network.score(test_inputs, test_species)
            metrics = {
                "train/loss": score.loss,
                "train/accuracy": score.accuracy,
                "test/loss": test.loss,
                "test/accuracy": test.accuracy,
                "gradient": slope,
            }
            params = settings if epoch == 0 else None
            picture = network.picture() if epoch % PICTURE_EVERY == 0 else None
            answers = _answers(test, test_species) if epoch == epochs - 1 else []
            number = run.emit(
                metrics,
                step=epoch,
                params=params,
                images={"weights.png": picture} if picture else None,
                plots={"confusion": _confusion(answers)} if answers else None,
            )
            if number is None:
                told.refused += 1
            else:
                told.note(epoch, metrics, params, picture, {"confusion": answers} if answers else {})
            time.sleep(max(0.0, epoch_s - (time.monotonic() - began)))
    return told


def _answers(score: Score, species: list[int]) -> list[JsonObject]:
    return [
        {"actual": SPECIES[right], "predicted": SPECIES[answer]}
        for right, answer in zip(species, score.answers, strict=True)
    ]


def _confusion(answers: list[JsonObject]) -> JsonObject:
    return {"data": answers, "template": "confusion", "x": "predicted", "y": "actual", "title": "Irises, held out"}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(train(int(sys.argv[1]), float(sys.argv[2]))))

"""The training process of ``livestream demo``: an ordinary script that records with ``livestream``.

It ends by printing what it emitted, as JSON: the demo compares that with what arrived.
"""

from __future__ import annotations

import sys
import time

import msgspec

import livestream
from livestream.demo.iris import CREDIT, FEATURES, SPECIES, flowers, split, standardised
from livestream.demo.network import Network, Score

HIDDEN_UNITS = 8
LEARNING_RATE = 0.1
MOMENTUM = 0.9
SEED = 1936
PICTURE_EVERY = 20


class Emitted(msgspec.Struct):
    """What the training handed over, in its own words.

    Attributes:
        accepted: Calls of ``emit`` that returned a number.
        last: The last of these numbers.
        losses: Step and train/loss of each.
        pictures: How many had an image.
    """

    accepted: int = 0
    refused: int = 0
    last: int = 0
    losses: list[tuple[int, float]] = []
    pictures: int = 0


def train(epochs: int, epoch_s: float) -> Emitted:
    """Train for some epochs, none shorter than ``epoch_s`` so that a person can follow."""
    every = flowers()
    train_on, test_on = split(every)
    inputs, test_inputs = standardised(train_on, train_on), standardised(train_on, test_on)
    species, test_species = [one.species for one in train_on], [one.species for one in test_on]
    network = Network(len(FEATURES), HIDDEN_UNITS, len(SPECIES), SEED)
    told = Emitted()
    params = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "hidden_units": HIDDEN_UNITS, "data": CREDIT}
    with livestream.init("iris", message="A small network learns three species of iris") as run:
        for epoch in range(epochs):
            began = time.monotonic()
            slope = network.descend(inputs, species, LEARNING_RATE, MOMENTUM)
            score, test = network.score(inputs, species), network.score(test_inputs, test_species)
            with_picture = epoch % PICTURE_EVERY == 0
            number = run.emit(
                {
                    "train/loss": score.loss,
                    "train/accuracy": score.accuracy,
                    "test/loss": test.loss,
                    "test/accuracy": test.accuracy,
                    "gradient": slope,
                },
                step=epoch,
                params=params if epoch == 0 else None,
                images={"weights.png": network.picture()} if with_picture else None,
                plots={"confusion": _confusion(test, test_species)} if epoch == epochs - 1 else None,
            )
            if number is None:
                told.refused += 1
            else:
                told.accepted += 1
                told.last = number
                told.losses.append((epoch, score.loss))
                told.pictures += with_picture
            time.sleep(max(0.0, epoch_s - (time.monotonic() - began)))
    return told


def _confusion(score: Score, species: list[int]) -> dict[str, object]:
    rows = [
        {"actual": SPECIES[right], "predicted": SPECIES[answer]}
        for right, answer in zip(species, score.answers, strict=True)
    ]
    return {"data": rows, "template": "confusion", "x": "predicted", "y": "actual", "title": "Irises, held out"}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(train(int(sys.argv[1]), float(sys.argv[2]))))

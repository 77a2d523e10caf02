"""A training of ``livestream demo``: an ordinary script that records with ``livestream``.

    python -m livestream.demo.training PLAN RECORD

Beside what it emits it keeps a record of it (see `record`), which is the demo's, not livestream's.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

import livestream
from livestream.demo.iris import CREDIT, FEATURES, SPECIES, TEST_EVERY, flowers, split, standardised
from livestream.demo.machine import Meter
from livestream.demo.network import Network
from livestream.demo.pictures import draw_regions, draw_weights
from livestream.demo.plots import confusion, detection
from livestream.demo.record import Event, Recorder
from livestream.events import JsonObject

SEED: Final = 1936
MOMENTUM: Final = 0.9
WEIGHTS_EVERY: Final = 5
REGIONS_EVERY: Final = 20
PLOTS_EVERY: Final = 20
MACHINE_EVERY: Final = 10


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One training.

    Attributes:
        name: The run's; ``message`` says in words what is tried.
        epoch_s: The least time of an epoch, so that a person can follow.
    """

    name: str
    message: str
    learning_rate: float
    hidden_units: int
    epochs: int
    epoch_s: float

    @property
    def params(self) -> JsonObject:
        """What the training is told, as it is recorded."""
        return {
            "model": {"hidden_units": self.hidden_units, "seed": SEED},
            "optimizer": {"learning_rate": self.learning_rate, "momentum": MOMENTUM, "epochs": self.epochs},
            "data": {"held_out": 1 / TEST_EVERY, "source": CREDIT},
        }


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What one epoch gives to emit; ``images`` as the bytes of PNGs."""

    step: int
    metrics: dict[str, float]
    params: JsonObject
    images: dict[str, bytes]
    plots: dict[str, JsonObject]

    def event(self) -> Event:
        """Describe it for the record."""
        return Event(
            step=self.step,
            metrics=self.metrics,
            params=self.params,
            images={name: hashlib.sha256(content).hexdigest() for name, content in self.images.items()},
            plots={name: plot["data"] for name, plot in self.plots.items()},
        )


class Training:
    """A network, the flowers it learns from, and those it is tested on."""

    def __init__(self, plan: Plan) -> None:
        """Read the flowers; nothing is learned yet."""
        train, test = split(flowers())
        self._plan = plan
        self._inputs, self._test_inputs = standardised(train, train), standardised(train, test)
        self._species, self._test_species = [one.species for one in train], [one.species for one in test]
        self._network = Network(len(FEATURES), plan.hidden_units, len(SPECIES), SEED)
        self._meter = Meter()

    def epoch(self, step: int) -> News:
        """Go one step down the gradient, and see how the network does now."""
        network, is_last = self._network, step == self._plan.epochs - 1
        slope = network.descend(self._inputs, self._species, self._plan.learning_rate, MOMENTUM)
        score = network.score(self._inputs, self._species)
        test = network.score(self._test_inputs, self._test_species)
        metrics = {
            "train/loss": score.loss,
            "train/accuracy": score.accuracy,
            "test/loss": test.loss,
            "test/accuracy": test.accuracy,
            "gradient": slope,
        }
        if step % MACHINE_EVERY == 0:
            metrics |= self._meter.read()
        images, plots = {}, {}
        if step % WEIGHTS_EVERY == 0:
            images["weights.png"] = draw_weights(network)
        if step % REGIONS_EVERY == 0 or is_last:
            images["regions.png"] = draw_regions(network, self._test_inputs, self._test_species)
        if step % PLOTS_EVERY == 0 or is_last:
            virginica = SPECIES.index("virginica")
            plots["confusion"] = confusion(test, self._test_species)
            plots["virginica"] = detection(test, self._test_species, virginica)
        return News(
            step=step, metrics=metrics, params=self._plan.params if step == 0 else {}, images=images, plots=plots
        )


def train(plan: Plan, recorder: Recorder) -> None:
    """Train to the end, and tell the recorder of every event before and after it is emitted."""
    training = Training(plan)
    with livestream.init(plan.name, message=plan.message) as run:
        for step in range(plan.epochs):
            began = time.monotonic()
            news = training.epoch(step)
            recorder.announce(news.event())
            number = run.emit(
                news.metrics,
                step=step,
                params=news.params or None,
                images=news.images or None,
                plots=news.plots or None,
            )
            recorder.settle(accepted=number is not None)
            time.sleep(max(0.0, plan.epoch_s - (time.monotonic() - began)))


if __name__ == "__main__":
    train(msgspec.json.decode(sys.argv[1], type=Plan), Recorder(Path(sys.argv[2])))

"""A network with one hidden layer, trained by gradient descent: every number it gives is computed from the data.

Theory. ``h = tanh(W1 x + b1)``, ``p = softmax(W2 h + b2)``, loss the mean of ``-log p[species]`` over the flowers. By
the chain rule the error at the output is ``p - y``, at the hidden layer ``(W2' (p - y)) * (1 - h^2)``; a layer's
gradient is its error times its input. Descent goes down the whole data set's gradient, with momentum.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

Vector = list[float]
Matrix = list[Vector]

_SMALLEST = 1e-300
"""Where ``softmax`` underflows to 0, whose logarithm there is none of."""


class Score(msgspec.Struct, frozen=True):
    """How a network does on some flowers.

    Attributes:
        loss: The mean of ``-log`` of what it gave the right species.
        accuracy: The share of right answers.
        likelihoods: What it gave each species, flower by flower.
    """

    loss: float
    accuracy: float
    likelihoods: list[Vector]

    @property
    def answers(self) -> list[int]:
        """The most likely species, flower by flower."""
        return [likely.index(max(likely)) for likely in self.likelihoods]


class Network:
    """A hidden layer and an output layer; each row of a matrix ends with the bias."""

    def __init__(self, inputs: int, hidden: int, outputs: int, seed: int) -> None:
        """Begin with small weights, the same for the same seed."""
        rng = random.Random(seed)  # noqa: S311 - a starting point, not a secret
        self.hidden: Matrix = [[rng.gauss(0.0, 0.5) for _ in range(inputs)] + [0.0] for _ in range(hidden)]
        self.output: Matrix = [[rng.gauss(0.0, 0.5) for _ in range(hidden)] + [0.0] for _ in range(outputs)]
        self._velocity = [_zeros(self.hidden), _zeros(self.output)]

    def likelihoods(self, lengths: Sequence[float]) -> Vector:
        """Tell how likely each species is for a flower of these standardised lengths."""
        return self._forward(lengths)[1]

    def _forward(self, lengths: Sequence[float]) -> tuple[Vector, Vector]:
        activity = [math.tanh(_dot(row, lengths)) for row in self.hidden]
        scores = [_dot(row, activity) for row in self.output]
        highest = max(scores)
        exponents = [math.exp(score - highest) for score in scores]
        total = sum(exponents)
        return activity, [exponent / total for exponent in exponents]

    def score(self, inputs: Sequence[Sequence[float]], species: Sequence[int]) -> Score:
        """See how the network does."""
        every = [self.likelihoods(lengths) for lengths in inputs]
        loss = -sum(math.log(max(likely[right], _SMALLEST)) for likely, right in zip(every, species, strict=True))
        hits = sum(likely[right] == max(likely) for likely, right in zip(every, species, strict=True))
        return Score(loss / len(species), hits / len(species), every)

    def descend(
        self, inputs: Sequence[Sequence[float]], species: Sequence[int], learning_rate: float, momentum: float
    ) -> float:
        """Go one step down the gradient; give the gradient's length."""
        gradients = [_zeros(self.hidden), _zeros(self.output)]
        for lengths, right in zip(inputs, species, strict=True):
            activity, likely = self._forward(lengths)
            error = [share - (place == right) for place, share in enumerate(likely)]
            _add_outer(gradients[1], error, activity)
            back = [
                sum(row[unit] * miss for row, miss in zip(self.output, error, strict=True)) * (1.0 - level * level)
                for unit, level in enumerate(activity)
            ]
            _add_outer(gradients[0], back, lengths)
        square = 0.0
        for weights, velocity, gradient in zip((self.hidden, self.output), self._velocity, gradients, strict=True):
            for row, speeds, slopes in zip(weights, velocity, gradient, strict=True):
                for place, slope in enumerate(slopes):
                    mean = slope / len(species)
                    square += mean * mean
                    speeds[place] = momentum * speeds[place] - learning_rate * mean
                    row[place] += speeds[place]
        return math.sqrt(square)


def _dot(row: Vector, values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(row, values, strict=False)) + row[-1]


def _zeros(like: Matrix) -> Matrix:
    return [[0.0] * len(row) for row in like]


def _add_outer(gradient: Matrix, error: Vector, values: Sequence[float]) -> None:
    for row, miss in zip(gradient, error, strict=True):
        for place, value in enumerate(values):
            row[place] += miss * value
        row[-1] += miss

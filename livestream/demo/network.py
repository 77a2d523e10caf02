"""A network with one hidden layer, trained by gradient descent: every number it gives is computed from the data.

Theory. ``h = tanh(W1 x + b1)``, ``p = softmax(W2 h + b2)``, loss the mean of ``-log p[species]`` over the flowers. By
the chain rule the error at the output is ``p - y``, at the hidden layer ``(W2' (p - y)) * (1 - h^2)``; a layer's
gradient is its error times its input. Descent goes down the whole data set's gradient, with momentum.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

import msgspec

from livestream.pipeline.encode import png

Vector = list[float]
Matrix = list[Vector]

CELL_PIXELS: Final = 12
"""A weight is shown as a square of so many pixels."""


class Score(msgspec.Struct, frozen=True):
    """How a network does on some flowers: mean loss, share of right answers, and its answers."""

    loss: float
    accuracy: float
    answers: list[int]


class Network:
    """A hidden layer and an output layer; each row of a matrix ends with the bias."""

    def __init__(self, inputs: int, hidden: int, outputs: int, seed: int) -> None:
        """Begin with small weights, the same for the same seed."""
        rng = random.Random(seed)  # noqa: S311 - a starting point, not a secret
        self.hidden: Matrix = [[rng.gauss(0.0, 0.5) for _ in range(inputs)] + [0.0] for _ in range(hidden)]
        self.output: Matrix = [[rng.gauss(0.0, 0.5) for _ in range(hidden)] + [0.0] for _ in range(outputs)]
        self._velocity = [_zeros(self.hidden), _zeros(self.output)]

    def _forward(self, lengths: Sequence[float]) -> tuple[Vector, Vector]:
        activity = [math.tanh(_dot(row, lengths)) for row in self.hidden]
        scores = [_dot(row, activity) for row in self.output]
        highest = max(scores)
        exponents = [math.exp(score - highest) for score in scores]
        total = sum(exponents)
        return activity, [exponent / total for exponent in exponents]

    def score(self, inputs: Sequence[Sequence[float]], species: Sequence[int]) -> Score:
        """See how the network does."""
        loss, answers = 0.0, []
        for lengths, right in zip(inputs, species, strict=True):
            _, likely = self._forward(lengths)
            loss -= math.log(likely[right])
            answers.append(likely.index(max(likely)))
        hits = sum(answer == right for answer, right in zip(answers, species, strict=True))
        return Score(loss / len(species), hits / len(species), answers)

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

    def picture(self) -> bytes:
        """Draw the weights as a PNG: a row a hidden unit, inputs left, outputs right; red is above 0, blue below."""
        rows = [weights + [out[unit] for out in self.output] for unit, weights in enumerate(self.hidden)]
        largest = max(abs(weight) for row in rows for weight in row) or 1.0
        pixels = bytearray()
        for row in rows:
            line = b"".join(_colour(weight / largest) * CELL_PIXELS for weight in row)
            pixels += line * CELL_PIXELS
        height, width = len(rows) * CELL_PIXELS, len(rows[0]) * CELL_PIXELS
        return png(bytes(pixels), height=height, width=width, channels=3, max_bytes=len(pixels) + 4096)


def _dot(row: Vector, values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(row, values, strict=False)) + row[-1]


def _zeros(like: Matrix) -> Matrix:
    return [[0.0] * len(row) for row in like]


def _add_outer(gradient: Matrix, error: Vector, values: Sequence[float]) -> None:
    for row, miss in zip(gradient, error, strict=True):
        for place, value in enumerate(values):
            row[place] += miss * value
        row[-1] += miss


def _colour(share: float) -> bytes:
    fade = round(255 * (1.0 - abs(share)))
    return bytes((255, fade, fade)) if share > 0 else bytes((fade, fade, 255))

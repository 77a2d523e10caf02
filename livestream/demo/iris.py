"""The Iris data: 150 flowers of three species, four lengths each.

Source: R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7 (1936) 179-188;
measured by E. Anderson. Taken as the UCI Machine Learning Repository gives it (Iris, 1988, doi:10.24432/C56C76), under
the Creative Commons Attribution 4.0 International licence (CC BY 4.0). The rows are unchanged, so rows 35 and 38 differ
from Fisher's paper as they do there; the columns have got names, and the species lost their prefix "Iris-".
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Final

import msgspec

CREDIT: Final = "Iris: R. A. Fisher (1936), UCI Machine Learning Repository, CC BY 4.0"
SPECIES: Final = ("setosa", "versicolor", "virginica")
FEATURES: Final = ("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm")
TEST_EVERY: Final = 5
"""Every fifth flower is kept for testing: ten of each species, since the file goes species by species."""


class Flower(msgspec.Struct, frozen=True):
    """One flower: four lengths in cm, and the place of its species in ``SPECIES``."""

    lengths_cm: tuple[float, ...]
    species: int


def flowers() -> list[Flower]:
    """Read all 150."""
    with files(__package__).joinpath("iris.csv").open(encoding="ascii") as file:
        return [
            Flower(tuple(float(row[name]) for name in FEATURES), SPECIES.index(row["species"]))
            for row in csv.DictReader(file)
        ]


def split(every: list[Flower]) -> tuple[list[Flower], list[Flower]]:
    """Divide flowers into those to train on and those to test on."""
    train = [flower for place, flower in enumerate(every) if (place + 1) % TEST_EVERY]
    return train, every[TEST_EVERY - 1 :: TEST_EVERY]


def standardised(train: list[Flower], other: list[Flower]) -> list[tuple[float, ...]]:
    """Scale the lengths of ``other`` by the means and deviations of ``train``."""
    columns = list(zip(*(flower.lengths_cm for flower in train), strict=True))
    means = [sum(column) / len(column) for column in columns]
    deviations = [
        (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5
        for column, mean in zip(columns, means, strict=True)
    ]
    return [
        tuple(
            (value - mean) / deviation
            for value, mean, deviation in zip(flower.lengths_cm, means, deviations, strict=True)
        )
        for flower in other
    ]

"""Plots of how a network does on some flowers; each is sent whole, again and again, and replaces the one before."""

from __future__ import annotations

from collections.abc import Sequence

from livestream.demo.iris import SPECIES
from livestream.demo.network import Score
from livestream.events import Json, JsonObject


def confusion(score: Score, species: Sequence[int]) -> JsonObject:
    """Show what was taken for what: a row a flower."""
    rows: list[Json] = [
        {"actual": SPECIES[right], "predicted": SPECIES[answer]}
        for right, answer in zip(species, score.answers, strict=True)
    ]
    title = "Species taken for one another, held-out irises"
    return {"data": rows, "template": "confusion", "x": "predicted", "y": "actual", "title": title}


def detection(score: Score, species: Sequence[int], wanted: int) -> JsonObject:
    """Show how well one species is told from the others (ROC): a row a threshold, from the strictest on."""
    ranked = sorted(
        zip((likely[wanted] for likely in score.likelihoods), species, strict=True),
        key=lambda one: one[0],
        reverse=True,
    )
    there = sum(kind == wanted for kind in species)
    hits = false_alarms = 0
    rows: list[Json] = [{"false_alarms": 0.0, "hits": 0.0}]
    for place, (likely, kind) in enumerate(ranked):
        hits += kind == wanted
        false_alarms += kind != wanted
        if place + 1 == len(ranked) or ranked[place + 1][0] != likely:  # equals pass a threshold together
            rows.append({"false_alarms": false_alarms / (len(species) - there), "hits": hits / there})
    title = f"Finding {SPECIES[wanted]} (ROC), held-out irises"
    labels = {"x_label": "share of the others taken for it", "y_label": "share of it that is found"}
    return {"data": rows, "template": "linear", "x": "false_alarms", "y": "hits", "title": title, **labels}

"""What a Studio has after a program, as a text that says nothing of how many requests it took."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image

from livestream.events import Json
from livestream.testing import DEFAULT_TOKEN, Answer, ExperimentLedger, FakeStudio, ImageRecord, Ledger

ANSWERS: Final = {"taken": Answer(), "refused": Answer.error(503), "late": Answer.late(2.0)}
SHOWN_SERIES: Final = 20
REPO_URL: Final = "git@example.com:team/project.git"


class CountedStudio(FakeStudio):
    """A Studio that leaves a byte in a file for each post that it has met, before it answers."""

    def __init__(self, met: Path) -> None:
        super().__init__()
        self.check_order = False  # the real one's order is its own
        self._met = met

    def _book(self, *seen: Any) -> None:
        super()._book(*seen)
        with self._met.open("ab") as file:
            file.write(b".")


def environ_for(studio: FakeStudio) -> dict[str, str]:
    """Give the variables that send a program's news to a Studio."""
    return {"DVC_STUDIO_URL": studio.url, "DVC_STUDIO_TOKEN": DEFAULT_TOKEN, "DVC_STUDIO_REPO_URL": REPO_URL}


def told(ledger: Ledger) -> str:
    """Tell what arrived: experiments, their rows, images (step and first pixel), plots, summaries and parameters."""
    found = enumerate(ledger.experiments.values(), 1)
    lines = [line for number, experiment in found for line in _experiment(number, experiment)]
    return "".join(f"{line}\n" for line in lines)


def _experiment(number: int, experiment: ExperimentLedger) -> Iterator[str]:
    failure = "".join(f", {error['cls']}" for error in experiment.errors)
    yield f"experiment {number} of {experiment.key.repo_url}: {experiment.status}{failure}"
    series = [path for path, count in sorted(experiment.counts.items()) if count]
    if len(series) > SHOWN_SERIES:
        yield f"{len(series)} series"
        series = []
    for path in series:
        field = path.removesuffix(".tsv").rsplit("/", 1)[-1]
        yield f"{path}: " + " ".join(f"({row['step']}, {_value(row[field])})" for row in experiment.points(path))
    for path, images in sorted(experiment.images.items()):
        yield f"{path}: {' '.join(_image(image) for image in images)}"
    for path, plot in sorted(experiment.snapshots.items()):
        yield f"{path}: {len(plot['data'])} rows"
    for path, content in sorted({**experiment.metrics, **experiment.params}.items()):
        if content and len(content) <= SHOWN_SERIES:
            yield f"{path}: {json.dumps(content)}"


def _value(value: Json) -> str:
    """Write a number as one: DVCLive sends 1.0 for 1."""
    return f"{value:.15g}" if isinstance(value, int | float) else value


def _image(image: ImageRecord) -> str:
    if not image.data:
        return f"(step {image.step}: empty)"
    content = image.data if image.data.startswith(b"\x89PNG") else base64.b64decode(image.data)
    return f"(step {image.step}: {Image.open(io.BytesIO(content)).getpixel((0, 0))})"

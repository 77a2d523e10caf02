"""What the tests of reports share: the folder that they draw in, and what is found there."""

from __future__ import annotations

import logging
from pathlib import Path

DIRECTORY = "dvclive"


def drawn() -> dict[str, bytes]:
    """What a report is made of: the page, and a Markdown page's charts."""
    folder = Path(DIRECTORY)
    files = [folder / "report.html", folder / "report.md", *folder.glob("static/**/*.png")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.exists()}


def write_history(name: str) -> None:
    """Put a file where the metric's would be: the report shows what there are files of."""
    path = Path(DIRECTORY, "plots", "metrics", f"{name}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write_plot(name: str) -> None:
    path = Path(DIRECTORY, "plots", "custom", f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def event(record: logging.LogRecord) -> str:
    return record.getMessage().partition(":")[0]

"""Which Studio a command means: the folder of its data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from livestream import config

data_option: Final = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder that holds everything; else LIVESTREAM_STUDIO_DATA, else livestream/studio in your data folder.",
)
"""Gives a command ``--data``; its parameter is ``data``, a folder or ``None``."""


def data_folder(data: Path | None) -> Path:
    """Give the absolute path of the folder that ``--data`` names, or else the environment.

    Raises:
        ConfigError: Neither does, and the user has no home.
    """
    return data.absolute() if data is not None else config.studio_data_folder(os.environ)

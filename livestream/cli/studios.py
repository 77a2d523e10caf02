"""Which Studio a command means: the folder of its data."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Final

import click

from livestream import config
from livestream.files import write_whole

data_option: Final = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder that holds everything; else LIVESTREAM_STUDIO_DATA, else livestream/studio in your data folder.",
)
"""Gives a command ``--data``; its parameter is ``data``, a folder or ``None``."""


def sign_in_page(data: Path, link: str) -> Path:
    """Leave a page that leads on to a link: a browser's arguments are there for everybody on the machine to read."""
    page = data / "sign-in.html"
    write_whole(page, f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(link)}">'.encode())
    return page


def data_folder(data: Path | None) -> Path:
    """Give the absolute path of the folder that ``--data`` names, or else the environment.

    Raises:
        ConfigError: Neither does, and the user has no home.
    """
    return data.absolute() if data is not None else config.studio_data_folder(os.environ)

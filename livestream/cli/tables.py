"""Tables for people; only the commands that draw import this, because rich takes 50 ms."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240
"""Columns where nobody's terminal sets them: a script that greps a table must find whole words."""


def console(*, stderr: bool = False) -> Console:
    """Give a console on standard output, or on standard error."""
    plain = Console(stderr=stderr, highlight=False)
    return plain if plain.is_terminal else Console(stderr=stderr, highlight=False, width=PIPED_WIDTH)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; what the cells hold is shown as it is, never as markup. ``>`` before a column's name aligns it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column.lstrip(">")), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)

"""A program of the parity suite: a plain Python file whose docstring says under which circumstances it is run.

The docstring's first line says what the program is about; the rest is TOML:

    place       where it runs (see `world.PLACES`); "project" is a Git repository with a DVC project
    folder      the folder below the place's root in which it is started
    times       how often it is started, one process after the other; PARITY_TIME counts from 1
    run         instead of the program itself: words for ``dvc``, one command after the other
    environ     variables that it gets
    ask         what DVC is asked afterwards (see `world.QUESTIONS`)
    bound_s     how long it may take before it is killed
    studio      what the Studio does with the first posts: "taken", "refused" (503) or "late" (by two seconds)

A program that shows an intended difference has a ``row``, which is one of the table in docs/dvclive.md, and a table for
each side, ``[dvclive]`` and ``[livestream]``: ``says`` (standard output), ``exit`` (code, or "killed"), ``warns`` (what
it logs) and, in the folder stream/, ``arrives`` (what a Studio then has, see `stream.told`). What is left out is
equal on both sides. ``differs`` names the files and answers that are not equal (``*`` stands for anything).

Where the real dvclive races with a program, the program waits, with the functions of waiting.py.

A program called train.py stands in a folder that is committed to the place before it runs.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

PROGRAMS = Path(__file__).with_name("programs")

Side: TypeAlias = Literal["dvclive", "livestream"]


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one side does; ``None``: what the other side does."""

    says: str | None = None
    exit: int | Literal["killed"] | None = None
    warns: list[str] | None = None
    arrives: str | None = None


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program, and what its docstring says."""

    path: Path
    about: str
    place: str = "project"
    folder: str = "."
    times: int = 1
    run: list[list[str]] = []
    environ: dict[str, str] = {}
    ask: list[str] = []
    bound_s: float = 60
    studio: list[str] = []
    row: str = ""
    differs: list[str] = []
    dvclive: Expected = Expected()
    livestream: Expected = Expected()

    @property
    def name(self) -> str:
        """Its path below the programs, without what all have in common."""
        return self.path.relative_to(PROGRAMS).with_suffix("").as_posix().removesuffix("/train")

    @property
    def expected(self) -> dict[Side, Expected]:
        """What each side does."""
        return {"dvclive": self.dvclive, "livestream": self.livestream}

    @property
    def brings_its_folder(self) -> bool:
        """Whether its folder is part of the project."""
        return self.path.name == "train.py"


def read(path: Path) -> Program:
    """Read a program.

    Raises:
        ValueError: Its docstring is not as it should be.
    """
    about, _, circumstances = (ast.get_docstring(ast.parse(path.read_text()), clean=False) or "").partition("\n")
    if not about:
        raise ValueError(f"{path} does not say what it is about")
    fields: dict[str, Any] = {"path": path, "about": about, **tomllib.loads(circumstances)}
    return msgspec.convert(fields, Program)


def programs_of(*groups: str) -> list[Program]:
    """Give the programs below these folders, in the order of their names."""
    found = (path for group in groups for path in sorted((PROGRAMS / group).rglob("*.py")))
    return [read(path) for path in found]

"""What both sides have to agree in, and how a disagreement is shown."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

import msgspec
from outcome import Outcome, differences
from program import Expected, Program, Side


def assert_same(program: Program, outcomes: Mapping[Side, Outcome]) -> None:
    """Hold both sides to be equal, but for what the program says to differ; that has to."""
    real, ours = outcomes["dvclive"], outcomes["livestream"]
    found = differences(_texts(real), _texts(ours))
    unlisted = {name: text for name, text in found.items() if not _matches(name, program.differs)}
    vanished = [pattern for pattern in program.differs if not fnmatch.filter(found, pattern)]

    assert not unlisted, _shown(unlisted, outcomes)
    assert not vanished, f"listed as different, but equal: {vanished}"


def assert_as_listed(program: Program, outcomes: Mapping[Side, Outcome]) -> None:
    """Hold each side to what the program says of it, and both to be equal in everything else."""
    stated: list[str] = []
    for side, expected in program.expected.items():
        outcome = outcomes[side]
        seen = {"says": outcome.says, "exits": outcome.exits, "warns": outcome.warns}
        wanted = {"says": expected.says, "exits": _exits(program, expected), "warns": expected.warns}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        assert {name: seen[name] for name in wanted} == wanted, outcome.stderr
        stated += wanted
    differing = {name for name in stated if stated.count(name) == len(outcomes)}
    if "exits" in differing:
        differing.add("ends")
    assert_same(msgspec.structs.replace(program, differs=[*program.differs, *sorted(differing)]), outcomes)


def _exits(program: Program, expected: Expected) -> list[int | None] | None:
    if expected.exit is None:
        return None
    return [None if expected.exit == "killed" else expected.exit] * program.times


def _texts(outcome: Outcome) -> dict[str, str]:
    return {
        "exits": str(outcome.exits),
        "ends": outcome.ends,
        "says": outcome.says,
        "warns": "\n".join(outcome.warns),
        **outcome.files,
    }


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _shown(found: Mapping[str, str], outcomes: Mapping[Side, Outcome]) -> str:
    parts = [f"{len(found)} differences"]
    parts += [f"== {name}\n{text}" for name, text in found.items()]
    parts += [f"== stderr of {side}\n{outcome.stderr[-3000:]}" for side, outcome in outcomes.items()]
    return "\n".join(parts)

"""The name of an experiment, and this process's rank in it.

Two processes with one name, repository and baseline are one experiment. So the name is derived from what a scheduler
gives to all ranks alike, and again to the same job when it is requeued; otherwise it is random, and then random enough
that two trainings of one commit are never merged: 60 x 60 words x 65,536 make a clash of 1,000 names 0.2 % likely.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from livestream.errors import ConfigError, InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_NAME_LENGTH = 200
"""Characters; an own choice: Git keeps a reference as a file, whose name may have 255 bytes."""
FIRST_PSEUDO_STEP = 4_294_967_290
"""Slurm's step ids from here up are no srun's: interactive, batch script, extern, pending (slurm.h: 0xfffffffa...)."""
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
"""torchrun's own comes first: under srun it starts several ranks in one Slurm task."""
PLACE_VARIABLES = ("LOCAL_RANK", "NODE_RANK")
"""All that Lightning tells the processes that it starts by itself: where one of them is above 0, so is the rank."""

_ADJECTIVES = """
able airy amber bold brave breezy bright brisk calm candid cheery clear clever cosy crisp curious dapper daring deft
eager earnest easy fair fond fresh gentle glad golden graceful hardy honest humble jolly keen kind lively loyal lucid
lucky mellow merry mild modest neat nimble noble patient plucky polite proud quiet ready robust serene smart steady
sunny swift tidy warm
"""
_NOUNS = """
acorn alder aspen beacon birch breeze brook canyon cedar cliff cloud comet coral cove creek dawn delta dune elm falcon
fern finch fjord garden glade grove harbor hazel heron hill island lagoon lake lantern larch lark maple meadow moon
orchard otter pebble pine plover prairie puffin reef ridge river robin sparrow spring star summit swan thistle tulip
valley willow wren
"""


def random_below(stop: int) -> int:
    """A number in [0, stop) from the system: a training that seeds ``random`` must not get the same name each time."""
    return int.from_bytes(os.urandom(8), "big") % stop


def experiment_name(
    environ: Mapping[str, str], argument: str | None = None, rng: Callable[[int], int] = random_below
) -> str:
    """Name the experiment: the argument, DVC_EXP_NAME, the Slurm job, the torchrun job, or a random name.

    Args:
        environ: The process's environment.
        argument: What the training's code asks for.
        rng: Gives a whole number in [0, n) for n.

    Raises:
        InvalidEventError: ``argument`` is no name that Git could give to a reference; ``field`` is ``name``.
        ConfigError: DVC_EXP_NAME is none.
    """
    if argument is not None:
        problem = name_problem(argument)
        if problem:
            raise InvalidEventError("name", problem)
        return argument
    given = environ.get("DVC_EXP_NAME")
    if given:
        problem = name_problem(given)
        if problem:
            raise ConfigError(f"DVC_EXP_NAME {problem}")
        return given
    return _slurm_name(environ) or _torchrun_name(environ) or random_name(rng)


def random_name(rng: Callable[[int], int] = random_below) -> str:
    """A readable name that nobody else has, such as ``brave-otter-1f09``."""
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    return f"{adjectives[rng(len(adjectives))]}-{nouns[rng(len(nouns))]}-{rng(1 << 16):04x}"


def name_problem(name: object) -> str | None:
    """Why ``name`` cannot be the last part of a Git reference (git-check-ref-format), or None if it can."""
    if not isinstance(name, str):
        return f"must be a str, not {type(name).__name__}"
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"must have 1 to {MAX_NAME_LENGTH} characters, not {len(name)}"
    # Git itself refuses only ASCII's control characters; C1, line separators and lone surrogates break what shows them.
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", name):
        return "must not hold control characters"
    if re.search(r"[ ~^:?*\[\\/]", name):
        return "must not hold a space or any of ~ ^ : ? * [ \\ /"
    if ".." in name or "@{" in name or name.startswith(".") or name.endswith((".", ".lock")):
        return "must not hold '..' or '@{', start with '.', or end with '.' or '.lock'"
    return None


def rank(environ: Mapping[str, str]) -> int:
    """This process's rank among those that train together, 0 where nothing usable says so."""
    for variable in RANK_VARIABLES:
        value = environ.get(variable, "").strip()
        if re.fullmatch("[0-9]{1,9}", value):
            return int(value)
    places = [environ.get(variable, "").strip() for variable in PLACE_VARIABLES]
    return next((int(place) for place in places if re.fullmatch("0*[1-9][0-9]{0,8}", place)), 0)


def _slurm_name(environ: Mapping[str, str]) -> str | None:
    """``slurm-<job>[_<array task>][.<step>]``; SLURM_RESTART_COUNT is left out, for a requeued job goes on."""
    array_job, task = environ.get("SLURM_ARRAY_JOB_ID", ""), environ.get("SLURM_ARRAY_TASK_ID", "")
    job = f"{array_job}_{task}" if array_job and task else environ.get("SLURM_JOB_ID", "")
    if not job:
        return None
    step = environ.get("SLURM_STEP_ID", "")
    is_step = step.isascii() and step.isdigit() and int(step[:12]) < FIRST_PSEUDO_STEP
    return _make_valid(f"slurm-{job}.{step}" if is_step else f"slurm-{job}")


def _torchrun_name(environ: Mapping[str, str]) -> str | None:
    run_id = environ.get("TORCHELASTIC_RUN_ID", "").strip()
    # "none" is torchrun's default: every training that was given no --rdzv-id has it.
    return None if run_id in ("", "none") else _make_valid(f"torchrun-{run_id}")


def _make_valid(name: str) -> str:
    """Keep letters, digits and the harmless signs; anything else becomes ``-``."""
    valid = re.sub(r"[^A-Za-z0-9_.-]|\.(?=\.)", "-", name)[: MAX_NAME_LENGTH - 1]
    return f"{valid}-" if valid.endswith((".", ".lock")) else valid

from __future__ import annotations

import random
import re
import subprocess
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livestream.errors import ConfigError, InvalidEventError
from livestream.names import MAX_NAME_LENGTH, experiment_name, name_problem, random_name, rank

RANDOM_NAME = r"[a-z]+-[a-z]+-[0-9a-f]{4}"


def git_takes(name: str) -> bool:
    command = ["git", "check-ref-format", f"refs/exps/x/{name}"]
    return subprocess.run(command, check=False, timeout=10).returncode == 0


def test_the_argument_wins_over_every_variable() -> None:
    environ = {"DVC_EXP_NAME": "from-dvc", "SLURM_JOB_ID": "7", "TORCHELASTIC_RUN_ID": "run"}

    assert experiment_name(environ, "mine") == "mine"


def test_dvcs_variable_wins_over_the_schedulers() -> None:
    environ = {"DVC_EXP_NAME": "from-dvc", "SLURM_JOB_ID": "7", "TORCHELASTIC_RUN_ID": "run"}

    assert experiment_name(environ) == "from-dvc"


def test_slurm_wins_over_torchrun() -> None:
    assert experiment_name({"SLURM_JOB_ID": "7", "TORCHELASTIC_RUN_ID": "run"}) == "slurm-7"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SLURM_JOB_ID": "123"}, "slurm-123"),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "0"}, "slurm-123.0"),
        ({"SLURM_JOB_ID": "127", "SLURM_ARRAY_JOB_ID": "123", "SLURM_ARRAY_TASK_ID": "4"}, "slurm-123_4"),
        (
            {"SLURM_JOB_ID": "127", "SLURM_ARRAY_JOB_ID": "123", "SLURM_ARRAY_TASK_ID": "4", "SLURM_STEP_ID": "2"},
            "slurm-123_4.2",
        ),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "4294967290"}, "slurm-123"),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "4294967291"}, "slurm-123"),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "4294967294"}, "slurm-123"),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "4294967289"}, "slurm-123.4294967289"),
        ({"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "-1"}, "slurm-123"),
        ({"SLURM_JOB_ID": "123", "SLURM_ARRAY_JOB_ID": "120"}, "slurm-123"),
        ({"SLURM_JOB_ID": "a b..c.lock"}, "slurm-a-b-.c.lock-"),
        ({"TORCHELASTIC_RUN_ID": "6f1c"}, "torchrun-6f1c"),
        ({"TORCHELASTIC_RUN_ID": "team/run:1"}, "torchrun-team-run-1"),
    ],
)
def test_a_scheduler_names_the_experiment(environ: dict[str, str], expected: str) -> None:
    assert experiment_name(environ) == expected


def test_ranks_and_requeued_jobs_share_a_name() -> None:
    job = {"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "0"}

    names = {
        experiment_name(job | {"SLURM_PROCID": procid, "SLURM_RESTART_COUNT": restarts})
        for procid in ("0", "5")
        for restarts in ("0", "3")
    }

    assert names == {"slurm-123.0"}


@pytest.mark.parametrize("environ", [{}, {"TORCHELASTIC_RUN_ID": "none"}, {"DVC_EXP_NAME": ""}, {"SLURM_JOB_ID": ""}])
def test_without_a_scheduler_the_name_is_random_and_readable(environ: dict[str, str]) -> None:
    first, second = (experiment_name(environ) for _ in range(2))

    assert first != second
    assert re.fullmatch(RANDOM_NAME, first)


def test_a_seeded_generator_gives_the_same_name_again() -> None:
    assert random_name(Random(1).randrange) == random_name(Random(1).randrange)


def test_seeding_the_trainings_own_generator_does_not_repeat_names() -> None:
    names = set()
    for _ in range(3):
        random.seed(0)
        names.add(random_name())

    assert len(names) == 3


@given(seed=st.integers(0, 2**64))
def test_every_random_name_is_valid(seed: int) -> None:
    assert name_problem(random_name(Random(seed).randrange)) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a b", "a/b", "a..b", ".a", "a.", "a.lock", "a@{b", "a~1", "a^", "a:b", "a?", "a*", "a[0]", "a\\b"),
        *("a\nb", "a\x7f", "a\x85b", "a\u2028b", "a\ud800", "a" * (MAX_NAME_LENGTH + 1)),
    ],
)
def test_an_invalid_argument_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        experiment_name({}, name)

    assert caught.value.field == "name"


def test_a_name_that_is_no_text_is_refused_with_its_type() -> None:
    with pytest.raises(InvalidEventError, match="must be a str, not int"):
        experiment_name({}, 7)  # type: ignore[arg-type]


def test_an_invalid_variable_is_the_users_error_and_named() -> None:
    with pytest.raises(ConfigError, match=r"^DVC_EXP_NAME must not hold"):
        experiment_name({"DVC_EXP_NAME": "a b"})


@pytest.mark.parametrize(
    "name", ["a", "@", "-x", "a.b", "a@b", "lock", "été", "x" * MAX_NAME_LENGTH, "a{b}", "a.lock.b"]
)
def test_names_that_git_takes_are_taken(name: str) -> None:
    assert git_takes(name)
    assert experiment_name({}, name) == name


@settings(max_examples=150, deadline=None)
@given(name=st.text(st.sampled_from("ab.@{}/ ~^:?*[\\-_#!\x01\x7flock"), min_size=1, max_size=8))
@example(name="a.lock")
@example(name="@{")
def test_no_name_is_taken_that_git_would_refuse_and_none_refused_but_for_a_slash(name: str) -> None:
    assert (name_problem(name) is None) == (git_takes(name) and "/" not in name)


@settings(max_examples=60, deadline=None)
@given(job=st.text(st.characters(min_codepoint=1, codec="utf-8"), min_size=1, max_size=250))
@example(job="a" * 194 + ".lock")
def test_whatever_the_scheduler_says_becomes_a_name_that_git_takes(job: str) -> None:
    name = experiment_name({"SLURM_JOB_ID": job})

    assert name_problem(name) is None
    assert git_takes(name)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"LOCAL_RANK": "0"}, 0),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, 0),
        ({"LOCAL_RANK": "2", "NODE_RANK": "0"}, 2),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, 1),
        ({"LOCAL_RANK": "3", "RANK": "0"}, 0),
        ({"LOCAL_RANK": "x"}, 0),
    ],
)
def test_a_place_on_a_node_is_a_rank_where_nothing_else_says_one(places: dict[str, str], expected: int) -> None:
    assert rank(places) == expected


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"])
def test_each_launchers_rank_is_known(variable: str) -> None:
    assert rank({variable: "3"}) == 3


def test_torchruns_rank_wins_over_slurms() -> None:
    assert rank({"RANK": "5", "SLURM_PROCID": "1"}) == 5


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "²", "9" * 30])
def test_a_bad_rank_counts_as_none(value: str) -> None:
    assert rank({"RANK": value}) == 0
    assert rank({"RANK": value, "SLURM_PROCID": "2"}) == 2


def test_a_process_that_nobody_launched_is_rank_zero() -> None:
    assert rank({}) == 0

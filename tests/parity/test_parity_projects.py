from __future__ import annotations

import pytest
from agreement import assert_same
from program import Program, programs_of
from world import World


@pytest.mark.parametrize("program", programs_of("projects", "pipelines"), ids=lambda program: program.name)
def test_dvc_and_git_see_the_same(program: Program, world: World) -> None:
    assert_same(program, world.run(program))

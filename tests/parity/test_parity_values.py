from __future__ import annotations

import pytest
from agreement import assert_same
from program import Program, programs_of
from world import World


@pytest.mark.parametrize("program", programs_of("values"), ids=lambda program: program.name)
def test_what_is_logged_is_the_same_on_disk(program: Program, world: World) -> None:
    assert_same(program, world.run(program))

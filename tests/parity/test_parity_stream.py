from __future__ import annotations

from pathlib import Path

import pytest
from agreement import assert_as_listed
from program import Program, programs_of
from stream import ANSWERS, CountedStudio, environ_for, told
from world import SIDES, World


@pytest.mark.parametrize("program", programs_of("stream"), ids=lambda program: program.name)
def test_a_studio_gets_the_same_but_for_what_is_listed(program: Program, world: World, tmp_path: Path) -> None:
    studios = {side: CountedStudio(tmp_path / side) for side in SIDES}
    for studio in studios.values():
        studio.script(*(ANSWERS[name] for name in program.studio))
        studio.start()
    try:
        environ = {side: environ_for(studio) for side, studio in studios.items()}
        environ["dvclive"]["PARITY_POSTS"] = str(tmp_path / "dvclive")
        outcomes = world.run(program, environ)
        assert world.deliver(environ["livestream"]) == 0
    finally:
        for studio in studios.values():
            studio.close()

    arrived = {side: told(studio.ledger) for side, studio in studios.items()}
    assert arrived == {"dvclive": program.dvclive.arrives, "livestream": program.livestream.arrives}
    assert_as_listed(program, outcomes)

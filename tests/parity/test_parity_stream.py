from __future__ import annotations

import pytest
from agreement import assert_as_listed
from program import Program, programs_of
from stream import ANSWERS, environ_for, told
from world import SIDES, World

from livestream.testing import FakeStudio


@pytest.mark.parametrize("program", programs_of("stream"), ids=lambda program: program.name)
def test_a_studio_gets_the_same_but_for_what_is_listed(program: Program, world: World) -> None:
    studios = {side: FakeStudio() for side in SIDES}
    for studio in studios.values():
        studio.check_order = False  # the real one's order is its own
        studio.script(*(ANSWERS[name] for name in program.studio))
        studio.start()
    try:
        environ = {side: environ_for(studio) for side, studio in studios.items()}
        outcomes = world.run(program, environ)
        assert world.deliver(environ["livestream"]) == 0
    finally:
        for studio in studios.values():
            studio.close()

    arrived = {side: told(studio.ledger) for side, studio in studios.items()}
    assert arrived == {"dvclive": program.dvclive.arrives, "livestream": program.livestream.arrives}
    assert_as_listed(program, outcomes)

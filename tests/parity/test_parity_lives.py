from __future__ import annotations

import msgspec
import pytest
from agreement import assert_same
from program import PROGRAMS, Program, programs_of, read
from world import World

DRAWN = {  # the tree of "How it works", and below it the model that the example tracks
    "dvclive/dvc.yaml",
    "dvclive/metrics.json",
    "dvclive/params.yaml",
    "dvclive/plots/images/img.png",
    "dvclive/plots/metrics/metric.tsv",
    "dvclive/plots/metrics/nested/metric.tsv",
    "dvclive/plots/sklearn/confusion_matrix.json",
    "dvclive/report.html",
    "model.pt",
    "model.pt.dvc",
}


@pytest.mark.parametrize("program", programs_of("lives", "examples"), ids=lambda program: program.name)
def test_a_run_is_the_same_with_every_option(program: Program, world: World) -> None:
    assert_same(program, world.run(program))


def test_the_documented_example_leaves_the_tree_that_is_drawn_beside_it(world: World) -> None:
    program = msgspec.structs.replace(read(PROGRAMS / "examples" / "how_it_works_tree.py"), ask=[])

    for outcome in world.run(program).values():
        left = {name for name in outcome.files if not name.endswith("/") and not name.startswith((".", "git:", "$"))}
        assert left == DRAWN

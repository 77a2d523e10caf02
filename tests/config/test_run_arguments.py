from __future__ import annotations

from pathlib import Path

from livestream.config import Secret, StudioArguments
from livestream.identity import RunArguments, identify

ENVIRON = {"HOME": "/nonexistent", "DVC_STUDIO_REPO_URL": "https://h/from-environment"}


def test_a_repository_argument_holds_beside_arguments_about_the_studio(tmp_path: Path) -> None:
    studio = StudioArguments(token=Secret("t"), url="https://s", repo_url="https://h/of-studio")

    both = identify(RunArguments(name="n", repo_url="https://h/mine", studio=studio), ENVIRON, tmp_path)
    one = identify(RunArguments(name="n", studio=studio), ENVIRON, tmp_path)
    none = identify(RunArguments(name="n"), ENVIRON, tmp_path)

    assert (both.experiment.repo_url, both.url, both.token) == ("https://h/mine", "https://s", Secret("t"))
    assert one.experiment.repo_url == "https://h/of-studio"
    assert none.experiment.repo_url == "https://h/from-environment"

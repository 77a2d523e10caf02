from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from livestream.config import DEFAULT_STUDIO_URL
from livestream.errors import InvalidEventError
from livestream.events import NO_COMMIT
from livestream.identity import RunArguments, identify

ENVIRON = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(folder, "remote", "add", "origin", "https://user:secret@example.com/o/r.git")
    return folder


def test_an_experiment_is_known_by_remote_commit_and_name_without_credentials(repository: Path) -> None:
    found = identify(RunArguments(name="n"), ENVIRON, repository)

    assert found.experiment.repo_url == "https://example.com/o/r.git"
    assert found.experiment.baseline_sha == git(repository, "rev-parse", "HEAD")
    assert found.experiment.name == "n"


def test_outside_git_it_is_local_and_has_no_commit(tmp_path: Path) -> None:
    found = identify(RunArguments(name="n"), ENVIRON, tmp_path)

    assert found.experiment.repo_url.startswith("local://")
    assert found.experiment.repo_url.endswith(tmp_path.name)
    assert found.experiment.baseline_sha == NO_COMMIT


def test_files_are_named_from_the_dvc_root_and_the_project_below_git_is_the_subdir(repository: Path) -> None:
    project = repository / "projects" / "one"
    (project / ".dvc").mkdir(parents=True)
    (project / "src").mkdir()

    found = identify(RunArguments(name="n"), ENVIRON, project / "src")

    assert found.directory == "src/dvclive"
    assert found.subdir == "projects/one"


def test_a_folder_outside_the_project_is_named_by_its_last_part(repository: Path) -> None:
    found = identify(RunArguments(name="n", directory="/elsewhere/runs/live"), ENVIRON, repository)

    assert found.directory == "live"


@pytest.mark.parametrize(
    ("environ", "url", "has_token"),
    [
        ({}, None, False),
        ({"DVC_STUDIO_TOKEN": "t"}, DEFAULT_STUDIO_URL, True),
        ({"DVC_STUDIO_TOKEN": "t", "DVC_STUDIO_URL": "http://s"}, "http://s", True),
        ({"DVC_STUDIO_URL": "http://s"}, "http://s", False),
    ],
)
def test_only_what_the_environment_decides_is_decided_now(
    repository: Path, environ: dict[str, str], url: str | None, *, has_token: bool
) -> None:
    found = identify(RunArguments(name="n"), ENVIRON | environ, repository)

    assert found.url == url
    assert (found.token is not None) == has_token


def test_a_url_and_token_from_dvcs_config_are_looked_up_again_at_delivery(repository: Path) -> None:
    (repository / ".dvc").mkdir()
    (repository / ".dvc" / "config").write_text("[studio]\n    token = t\n    url = http://s\n")

    found = identify(RunArguments(name="n"), ENVIRON, repository)

    assert (found.url, found.token) == (None, None)
    assert found.config_folder == repository


def test_the_baseline_comes_from_the_argument_then_dvc_then_git(repository: Path) -> None:
    dvc = ENVIRON | {"DVC_EXP_BASELINE_REV": "B" * 40}

    assert identify(RunArguments(name="n"), dvc, repository).experiment.baseline_sha == "b" * 40
    given = RunArguments(name="n", baseline_sha="a" * 40)
    assert identify(given, dvc, repository).experiment.baseline_sha == "a" * 40


def test_a_baseline_that_is_no_commit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidEventError, match="baseline_sha") as caught:
        identify(RunArguments(name="n", baseline_sha="main"), ENVIRON, tmp_path)

    assert caught.value.field == "baseline_sha"

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_cases import TOKEN, write

from livestream import config
from livestream.config import LocalStudio, Secret


def announce(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    file = folder / "livestream" / "studio.json"
    write(file, text)
    file.chmod(mode)
    return {"XDG_CONFIG_HOME": str(folder)}


def test_a_local_studio_is_found_by_its_announcement(tmp_path: Path) -> None:
    environ = announce(tmp_path, f'{{"url": "http://127.0.0.1:8123", "token": "{TOKEN}", "later": 1}}')

    studio, problem = config.read_local_studio(environ)

    assert studio == LocalStudio("http://127.0.0.1:8123", Secret(TOKEN))
    assert problem is None
    assert TOKEN not in repr(studio)


def test_without_an_announcement_there_is_no_studio_and_no_problem(tmp_path: Path) -> None:
    assert config.read_local_studio({"XDG_CONFIG_HOME": str(tmp_path)}) == (None, None)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_an_announcement_open_to_others_is_ignored_with_the_remedy(tmp_path: Path, mode: int) -> None:
    environ = announce(tmp_path, f'{{"url": "http://h", "token": "{TOKEN}"}}', mode)

    studio, problem = config.read_local_studio(environ)

    assert studio is None
    assert problem is not None
    assert "chmod 600" in problem


def test_an_announcement_of_another_user_is_ignored(tmp_path: Path) -> None:
    environ = announce(tmp_path, f'{{"url": "http://h", "token": "{TOKEN}"}}')

    studio, problem = config.read_local_studio(environ, uid=os.geteuid() + 1)

    assert studio is None
    assert problem is not None
    assert "another user" in problem


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"url": "http://h"}', '{"url": 1, "token": "s3cr3t"}', '{"url": "h", "token": "s3cr3t"}'),
        *('{"url": "http://h", "token": " "}', '{"url": "file:///s3cr3t", "token": "s3cr3t"}'),
    ],
)
def test_an_announcement_that_makes_no_sense_is_ignored_and_not_repeated(tmp_path: Path, text: str) -> None:
    studio, problem = config.read_local_studio(announce(tmp_path, text))

    assert studio is None
    assert problem is not None
    assert "s3cr3t" not in problem


def test_the_local_studio_serves_whoever_has_no_token_and_asks_for_no_other_url() -> None:
    local = LocalStudio("http://127.0.0.1:8123", Secret(TOKEN))

    def decide(environ: dict[str, str]) -> tuple[str, Secret | None, str | None]:
        found = config.with_local_studio(config.resolve_studio(environ), local)
        return found.url, found.token, found.token_source

    assert decide({}) == (local.url, Secret(TOKEN), "local-studio")
    assert decide({"DVC_STUDIO_URL": local.url + "/"}) == (local.url, Secret(TOKEN), "local-studio")
    assert decide({"DVC_STUDIO_URL": "https://h"}) == ("https://h", None, None)
    assert decide({"DVC_STUDIO_TOKEN": "t"}) == (config.DEFAULT_STUDIO_URL, Secret("t"), "environment")
    assert config.with_local_studio(config.resolve_studio({}), None) == config.resolve_studio({})


def test_a_studio_announces_itself_and_takes_back_only_what_is_its_own(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    mine, another = LocalStudio("http://127.0.0.1:1", Secret(TOKEN)), LocalStudio("http://127.0.0.1:2", Secret(TOKEN))

    file = config.announce_local_studio(environ, mine)

    assert file is not None
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert config.read_local_studio(environ) == (mine, None)
    config.announce_local_studio(environ, another)
    config.retract_local_studio(environ, mine)
    assert config.read_local_studio(environ) == (another, None)
    config.retract_local_studio(environ, another)
    assert config.read_local_studio(environ) == (None, None)

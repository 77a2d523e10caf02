from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from livestream.config import DEFAULT_STUDIO_URL, fingerprint
from livestream.daemon.vault import Destination, NoDestination, Vault
from livestream.events import Experiment
from livestream.spool.launch import Handover
from livestream.spool.layout import WriterInfo

KEY = b"k" * 32
URL = "http://studio.example"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CONFIG_DIRS": ""}


def info(**changes: object) -> WriterInfo:
    known = WriterInfo(
        uid="w",
        version="1",
        host="h",
        pid=1,
        boot_id="b",
        process_start=0.0,
        role="primary",
        experiment=Experiment(repo_url="https://example.com/r.git", baseline_sha="0" * 40, name="n"),
        directory="dvclive",
    )
    return msgspec.structs.replace(known, **changes)


def handed(token: str, url: str = URL) -> Handover:
    return Handover(url=url, token=token, fingerprint=fingerprint(token, KEY))


def token_of(found: Destination | NoDestination) -> str:
    assert isinstance(found, Destination)
    return found.target.token


def write_dvc_config(folder: Path, text: str) -> None:
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    (folder / ".dvc" / "config").write_text(text)


def test_each_run_gets_the_token_it_handed_over_for_its_url(environ: dict[str, str]) -> None:
    vault = Vault(environ, KEY)
    vault.accept(handed("one"))
    vault.accept(handed("two"))

    first = info(url=URL, token_fingerprint=fingerprint("one", KEY))
    second = info(url=URL, token_fingerprint=fingerprint("two", KEY))

    assert token_of(vault.resolve(first)) == "one"
    assert token_of(vault.resolve(second)) == "two"


def test_a_token_goes_to_no_other_url(environ: dict[str, str]) -> None:
    vault = Vault({**environ, "DVC_STUDIO_TOKEN": "mine", "DVC_STUDIO_URL": URL}, KEY)
    vault.accept(handed("one"))

    elsewhere = info(url="http://other.example", token_fingerprint=fingerprint("one", KEY))

    assert isinstance(vault.resolve(elsewhere), NoDestination)


def test_a_handover_made_for_another_spool_is_refused(environ: dict[str, str]) -> None:
    stray = Handover(url=URL, token="one", fingerprint=fingerprint("one", b"x" * 32))

    with pytest.raises(ValueError, match="another spool"):
        Vault(environ, KEY).accept(stray)


def test_the_dvc_config_of_the_runs_folder_is_read_again_when_it_changes(
    environ: dict[str, str], tmp_path: Path
) -> None:
    vault = Vault(environ, KEY)
    run = info(config_folder=str(tmp_path))
    assert isinstance(vault.resolve(run), NoDestination)

    write_dvc_config(tmp_path, f"[studio]\n    token = first\n    url = {URL}\n")
    assert token_of(vault.resolve(run)) == "first"

    write_dvc_config(tmp_path, f"[studio]\n    token = second-one\n    url = {URL}\n")
    assert token_of(vault.resolve(run)) == "second-one"


def test_the_daemons_own_environment_serves_runs_that_named_no_studio(environ: dict[str, str]) -> None:
    vault = Vault({**environ, "DVC_STUDIO_TOKEN": "mine", "DVC_STUDIO_URL": URL}, KEY)

    found = vault.resolve(info())

    assert isinstance(found, Destination)
    assert (found.target.url, found.target.token) == (URL, "mine")


def test_the_studio_on_this_machine_comes_last(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "config" / "livestream"
    folder.mkdir(parents=True)
    announcement = folder / "studio.json"
    announcement.write_text('{"url": "http://127.0.0.1:9000", "token": "local"}')
    announcement.chmod(0o600)

    assert token_of(Vault(environ, KEY).resolve(info())) == "local"
    with_own = Vault({**environ, "DVC_STUDIO_TOKEN": "mine", "DVC_STUDIO_URL": URL}, KEY)
    assert token_of(with_own.resolve(info())) == "mine"


def test_a_studio_that_only_the_dvc_config_names_gets_no_other_studios_token_and_the_local_one_none_of_its_data(
    environ: dict[str, str], tmp_path: Path
) -> None:
    write_dvc_config(tmp_path / "run", f"[studio]\n    url = {URL}\n")
    folder = tmp_path / "config" / "livestream"
    folder.mkdir(parents=True)
    announcement = folder / "studio.json"
    announcement.write_text('{"url": "http://127.0.0.1:8700", "token": "local"}')
    announcement.chmod(0o600)
    run = info(config_folder=str(tmp_path / "run"))

    for more in ({}, {"DVC_STUDIO_TOKEN": "env", "DVC_STUDIO_URL": "http://elsewhere.example"}):
        found = Vault(environ | more, KEY).resolve(run)
        assert isinstance(found, NoDestination)
        assert URL in found.reason

    announcement.write_text(f'{{"url": "{URL}/", "token": "local"}}')
    assert token_of(Vault(environ, KEY).resolve(run)) == "local"


def test_without_a_token_the_hold_says_what_to_do(environ: dict[str, str]) -> None:
    found = Vault(environ, KEY).resolve(info(url=URL))

    assert isinstance(found, NoDestination)
    assert URL in found.reason
    assert "DVC_STUDIO_TOKEN" in found.reason


def test_a_run_without_a_repository_is_held_for_the_hosted_studio_only(environ: dict[str, str]) -> None:
    vault = Vault({**environ, "DVC_STUDIO_TOKEN": "mine"}, KEY)
    local = Experiment(repo_url="local://host/folder", baseline_sha="0" * 40, name="n")

    held = vault.resolve(info(experiment=local))
    assert isinstance(held, NoDestination)
    assert held.url == DEFAULT_STUDIO_URL
    assert "DVC_STUDIO_REPO_URL" in held.reason

    vault.accept(handed("one"))
    own = info(experiment=local, url=URL, token_fingerprint=fingerprint("one", KEY))
    assert token_of(vault.resolve(own)) == "one"


def test_nothing_shows_a_token(environ: dict[str, str]) -> None:
    vault = Vault(environ, KEY)
    vault.accept(handed("very-secret"))

    found = vault.resolve(info(url=URL, token_fingerprint=fingerprint("very-secret", KEY)))

    assert "very-secret" not in repr(found)
    assert "very-secret" not in repr(handed("very-secret"))

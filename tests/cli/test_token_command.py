from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cases import Cli

from livestream.studio.auth.keeper import Keeper
from livestream.studio.store.base import Project
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.writer import open_writer


@pytest.fixture
def data(cli: Cli, tmp_path: Path) -> Path:
    """Give the Studio's folder, which nothing has made yet."""
    folder = tmp_path / "studio-data"
    cli.environ["LIVESTREAM_STUDIO_DATA"] = str(folder)
    return folder


@pytest.fixture
def keeper(data: Path) -> Iterator[Keeper]:
    """Give the keeper of a Studio that runs beside the commands."""
    data.mkdir()
    kept = Keeper(data, lambda: time.time_ns() // 1000)
    yield kept
    kept.close()


def test_a_token_is_made_before_any_studio_and_only_its_secret_is_printed(cli: Cli, data: Path) -> None:
    made = cli("token", "create", "cluster-a")

    assert made.code == 0
    secret = made.out.strip()
    assert made.out == f"{secret}\n"
    assert secret not in made.err
    assert "cluster-a may ingest" in made.err
    assert "not shown again" in made.err
    keeper = Keeper(data, lambda: time.time_ns() // 1000)
    caller = keeper.check(secret)
    keeper.close()
    assert caller is not None
    assert (caller.name, caller.scopes, caller.project) == ("cluster-a", ("ingest",), None)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_folder_may_be_named(cli: Cli, tmp_path: Path) -> None:
    assert cli("token", "create", "a", "--data", str(tmp_path / "other")).code == 0
    assert (tmp_path / "other" / "auth.db").exists()


def test_a_running_studio_sees_a_change_at_its_next_check(cli: Cli, keeper: Keeper) -> None:
    first = cli("token", "create", "ci", "--scope", "read", "--scope", "ingest").out.strip()
    caller = keeper.check(first)
    assert caller is not None
    assert caller.scopes == ("ingest", "read")

    second = cli("token", "regenerate", "ci").out.strip()
    assert keeper.check(first) is None
    assert keeper.check(second)

    third = cli("token", "regenerate", "ci", "--overlap", "1h").out.strip()
    assert keeper.check(second)
    assert keeper.check(third)

    assert cli("token", "delete", "ci").code == 0
    assert keeper.check(second) is None
    assert keeper.check(third) is None


def test_an_expiry_is_a_time_from_now(cli: Cli, keeper: Keeper) -> None:
    for name, span, expected_s in (
        ("a", "90m", 5400),
        ("b", "2w", 14 * 86_400),
        ("c", "30d", 30 * 86_400),
        ("d", "7", 7),
    ):
        assert cli("token", "create", name, "--expires", span).code == 0
        expires_us = keeper.find(name).expires_us
        assert expires_us is not None
        assert expires_us / 1e6 == pytest.approx(time.time() + expected_s, abs=60)


def test_the_list_tells_everything_but_secrets(cli: Cli, keeper: Keeper) -> None:
    assert "There is no token yet" in cli("token", "list").out
    _, secret = keeper.create("cluster", ["ingest"])
    keeper.check(secret)
    keeper.create("viewer", ["read"], expires_us=time.time_ns() // 1000 + 86_400_000_000)

    table = cli("token", "list").out
    listed = cli("token", "list", "--json").json

    assert secret not in table
    assert all(word in table for word in ("cluster", "viewer", "ingest", "never", secret[:6], " ago"))
    assert [token["name"] for token in listed["tokens"]] == ["cluster", "viewer"]
    first = listed["tokens"][0]
    assert first["expires"] is None
    assert first["last_used"] == pytest.approx(time.time(), abs=60)
    assert set(first) == {
        "id", "name", "scopes", "hint", "project", "created", "expires", "last_used", "overlap_until",
    }  # fmt: skip


def test_json_holds_the_token_and_its_secret(cli: Cli, keeper: Keeper) -> None:
    made = cli("token", "create", "ci", "--json")

    assert keeper.check(made.json["secret"])
    assert made.json["token"]["name"] == "ci"
    assert made.err == ""


def test_revoking_all_ends_everything_and_prints_a_link_that_works(cli: Cli, data: Path, keeper: Keeper) -> None:
    (data / "studio.json").write_text(json.dumps({"pid": 1, "page_url": "http://127.0.0.1:9999"}))
    _, secret = keeper.create("cluster", ["ingest"])
    session = keeper.sign_in(keeper.new_sign_in_code())
    assert session is not None

    assert cli("token", "revoke").code == 2
    assert keeper.check(secret)
    done = cli("token", "revoke", "--all")

    assert done.code == 0
    assert keeper.check(secret) is None
    assert keeper.session(session) is None
    url, _, code = done.out.split()[-1].partition("?code=")
    assert url == "http://127.0.0.1:9999/sign-in"
    assert keeper.sign_in(code)


def test_a_token_may_be_for_one_project(cli: Cli, data: Path, keeper: Keeper) -> None:
    nothing = cli("token", "create", "a", "--project", "iris")
    assert nothing.code == 1
    assert "no project yet" in nothing.err
    writer = open_writer(data, Blobs(data))
    project = writer.add_project(Project(id=0, name="iris", repository="github.com/octo/iris", repo_url=""))
    writer.close()

    assert cli("token", "create", "a", "--project", "iris").code == 0
    assert cli("token", "create", "b", "--project", str(project.id)).code == 0
    unknown = cli("token", "create", "c", "--project", "tulip")

    assert keeper.find("a").project == keeper.find("b").project == project.id
    assert unknown.code == 1
    assert f"there are: iris ({project.id})" in unknown.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", ""), 2, "name: "),
        (("create", "a\x1b[0m"), 2, "name: "),
        (("create", "taken"), 1, "already"),
        (("create", "a", "--scope", "root"), 2, "root"),
        (("create", "a", "--expires", "soon"), 2, "accepted: for example"),
        (("create", "a", "--expires", "0"), 2, "expires: "),
        (("create", "a", "--expires", "-5d"), 2, "-5d"),
        (("regenerate", "nobody"), 1, "there is no token 'nobody'"),
        (("regenerate", "taken", "--overlap", "99w"), 2, "overlap: "),
        (("delete", "nobody"), 1, "there is no token 'nobody'"),
    ],
)
def test_trouble_is_one_line_and_changes_nothing(
    cli: Cli, keeper: Keeper, arguments: tuple[str, ...], code: int, said: str
) -> None:
    _, secret = keeper.create("taken", ["ingest"])

    done = cli("token", *arguments)

    assert done.code == code
    assert said in done.err
    assert done.out == ""
    assert keeper.check(secret)
    assert len(keeper.list()) == 1


def test_a_folder_that_cannot_be_used_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = cli("token", "list", "--data", str(tmp_path / "file" / "x"))

    assert done.code == 1
    assert "cannot make the folder" in done.err

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from auth_cases import DAY_US, HOUR_US, MINUTE_US, START_US, Clock, keeper_in

from livestream.studio.auth import database
from livestream.studio.auth.errors import AuthError, NoTokenError, TokenFieldError, TokenNameTakenError
from livestream.studio.auth.keeper import SESSION_US, Keeper, sign_in_link
from livestream.studio.store.sqlite.database import copy_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def keeper(folder: Path, clock: Clock) -> Iterator[Keeper]:
    kept = keeper_in(folder, clock)
    yield kept
    kept.close()


@pytest.fixture
def other(keeper: Keeper, folder: Path, clock: Clock) -> Iterator[Keeper]:
    """Give a second process's view: a connection of its own."""
    kept = keeper_in(folder, clock)
    yield kept
    kept.close()


def test_a_token_is_known_by_its_secret_and_by_nothing_else(keeper: Keeper) -> None:
    token, secret = keeper.create("cluster", ["read", "ingest", "read"], project=7)

    caller = keeper.check(secret)

    assert caller is not None
    assert (caller.token, caller.name, caller.scopes, caller.project) == (token.id, "cluster", ("ingest", "read"), 7)
    assert not caller.by_cookie
    assert secret.startswith("lst_")
    assert len(secret) == 47
    for wrong in ("", "lst_", secret[:-1], secret + "x", secret.upper(), token.hint, "x" * 10_000, "\ud800", "cluster"):
        assert keeper.check(wrong) is None


def test_no_secret_is_anywhere_in_the_folder(keeper: Keeper, folder: Path) -> None:
    _, secret = keeper.create("cluster", ["admin"])
    code = keeper.new_sign_in_code()
    session = keeper.sign_in(secret)
    device, _ = keeper.devices.start("dvc", "laptop")
    keeper.check(secret)

    stored = b"".join(path.read_bytes() for path in folder.iterdir())

    assert session is not None
    for text in (secret, code, session, device):
        assert text.encode() not in stored
    assert b"cluster" in stored


def test_every_file_is_its_owners_only(keeper: Keeper, folder: Path) -> None:
    keeper.create("cluster", ["admin"])

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert modes == dict.fromkeys(("auth.db", "auth.db-wal", "auth.db-shm"), 0o600)


def test_a_token_that_another_process_deletes_is_dead_at_the_next_check(keeper: Keeper, other: Keeper) -> None:
    _, secret = keeper.create("cluster", ["ingest"])
    assert keeper.check(secret)
    assert other.check(secret)

    other.delete("cluster")

    assert keeper.check(secret) is None
    assert other.check(secret) is None
    assert not keeper.has_tokens()


def test_a_token_that_another_process_makes_is_known_at_once(keeper: Keeper, folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from livestream.studio.auth.keeper import Keeper\n"
        "print(Keeper(Path(sys.argv[1]), lambda: time.time_ns() // 1000).create('late', ['read'])[1])"
    )
    made = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True, timeout=30
    )

    caller = keeper.check(made.stdout.strip())

    assert caller is not None
    assert caller.name == "late"


def test_a_regenerated_tokens_old_secret_dies_at_once(keeper: Keeper, other: Keeper) -> None:
    token, first = keeper.create("cluster", ["ingest"])
    assert keeper.check(first)

    renewed, second = other.regenerate("cluster")

    assert keeper.check(first) is None
    caller = keeper.check(second)
    assert caller is not None
    assert caller.token == token.id == renewed.id
    assert renewed.overlap_until_us is None


def test_an_overlap_keeps_the_old_secret_for_its_time(keeper: Keeper, clock: Clock) -> None:
    token, first = keeper.create("cluster", ["read"])
    session = keeper.sign_in(first)
    assert session is not None

    renewed, second = keeper.regenerate(token.id, overlap_s=3600)

    assert renewed.overlap_until_us == START_US + HOUR_US
    assert keeper.check(first)
    assert keeper.check(second)
    assert keeper.session(session)
    clock.go_on(HOUR_US)
    assert keeper.check(first) is None
    assert keeper.session(session) is None
    assert keeper.check(second)
    assert keeper.list()[0].overlap_until_us is None


def test_regenerating_twice_leaves_one_old_secret_at_most(keeper: Keeper) -> None:
    _, first = keeper.create("cluster", ["ingest"])
    _, second = keeper.regenerate("cluster", overlap_s=60)
    _, third = keeper.regenerate("cluster", overlap_s=60)

    assert [keeper.check(secret) is not None for secret in (first, second, third)] == [False, True, True]


def test_a_token_expires(keeper: Keeper, clock: Clock) -> None:
    _, secret = keeper.create("short", ["admin"], expires_us=START_US + DAY_US)
    session = keeper.sign_in(secret)
    assert session is not None
    assert keeper.check(secret)
    assert keeper.session(session)

    clock.go_on(DAY_US)

    assert keeper.check(secret) is None
    assert keeper.session(session) is None
    assert not keeper.has_tokens()
    assert [token.name for token in keeper.list()] == ["short"]
    keeper.create("short", ["ingest"])


def test_the_last_use_is_noted_within_a_minute(keeper: Keeper, other: Keeper, clock: Clock) -> None:
    _, secret = keeper.create("cluster", ["ingest"])
    keeper.check(secret)
    assert other.list()[0].last_used_us == START_US
    clock.go_on(MINUTE_US - 1)
    keeper.check(secret)
    assert other.list()[0].last_used_us == START_US
    clock.go_on(1)
    keeper.check(secret)
    assert other.list()[0].last_used_us == START_US + MINUTE_US


def test_a_use_that_cannot_be_noted_keeps_nobody_out(keeper: Keeper, folder: Path) -> None:
    _, secret = keeper.create("cluster", ["ingest"])
    blocker = sqlite3.connect(folder / database.FILE_NAME, isolation_level=None)
    keeper._connection.execute("PRAGMA busy_timeout = 10")
    blocker.execute("BEGIN IMMEDIATE")
    try:
        assert keeper.check(secret)
    finally:
        blocker.close()


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "a\nb", "a\x1b[0m", "a\u202eb", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(keeper: Keeper, name: str) -> None:
    with pytest.raises(TokenFieldError) as refused:
        keeper.create(name, ["ingest"])

    assert refused.value.field == "name"


@pytest.mark.parametrize("name", ["'; DROP TABLE token; --", '" OR 1=1', "%", "?1", "ñandú 試験 🦔"])
def test_a_name_is_only_a_name(keeper: Keeper, name: str) -> None:
    token, secret = keeper.create(name, ["ingest"])
    keeper.create("other", ["read"])

    assert keeper.find(name) == token
    assert keeper.regenerate(name)[0].name == name
    assert keeper.check(secret) is None
    keeper.delete(name)
    assert [left.name for left in keeper.list()] == ["other"]


def test_processes_that_change_at_once_lose_nothing(keeper: Keeper, folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from livestream.studio.auth.keeper import Keeper\n"
        "keeper = Keeper(Path(sys.argv[1]), lambda: time.time_ns() // 1000)\n"
        "for n in range(20):\n"
        "    keeper.create(f'{sys.argv[2]}-{n}', ['ingest']); keeper.regenerate(f'{sys.argv[2]}-{n}')\n"
        "    if n % 2: keeper.delete(f'{sys.argv[2]}-{n}')\n"
    )
    _, secret = keeper.create("mine", ["read"])
    started = [subprocess.Popen([sys.executable, "-c", script, str(folder), str(number)]) for number in range(3)]
    while any(process.poll() is None for process in started):
        assert keeper.check(secret)
        keeper.regenerate("mine", overlap_s=3600)
        _, secret = keeper.regenerate("mine", overlap_s=3600)
        time.sleep(0.005)  # SQLite's lock is not fair: a loop without a pause can starve the others for 5 s

    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(keeper.list()) == 31
    assert keeper._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize("scopes", [[], ["root"], ["ingest", "Admin"]])
def test_scopes_are_known_ones(keeper: Keeper, scopes: list[str]) -> None:
    with pytest.raises(TokenFieldError, match=r"scopes: .*accepted: ingest, read, admin"):
        keeper.create("cluster", scopes)


def test_an_admin_token_cannot_be_bound_to_a_project(keeper: Keeper) -> None:
    with pytest.raises(TokenFieldError, match="project: "):
        keeper.create("cluster", ["admin"], project=1)


@pytest.mark.parametrize("expires_us", [0, -1, START_US, 1 << 70])
def test_an_expiry_lies_ahead(keeper: Keeper, expires_us: int) -> None:
    with pytest.raises(TokenFieldError, match="expires: "):
        keeper.create("cluster", ["read"], expires_us=expires_us)


def test_a_name_is_one_tokens_only(keeper: Keeper) -> None:
    _, secret = keeper.create("cluster", ["ingest"])

    with pytest.raises(TokenNameTakenError, match="regenerate"):
        keeper.create(" cluster ", ["admin"])

    caller = keeper.check(secret)
    assert caller is not None
    assert caller.scopes == ("ingest",)


@pytest.mark.parametrize("which", [7, "nobody", 1 << 80, "\ud800", -1])
def test_a_token_that_is_not_there_is_named(keeper: Keeper, which: int | str) -> None:
    for act in (keeper.regenerate, keeper.delete, keeper.find):
        with pytest.raises(NoTokenError):
            act(which)


def test_ids_are_never_used_again(keeper: Keeper) -> None:
    first, _ = keeper.create("a", ["ingest"])
    keeper.delete(first.id)
    second, _ = keeper.create("a", ["ingest"])

    assert second.id > first.id


def test_a_sign_in_code_works_once_and_is_admins(keeper: Keeper, other: Keeper) -> None:
    code = keeper.new_sign_in_code()

    session = other.sign_in(code)

    assert session is not None
    caller = keeper.session(session)
    assert caller is not None
    assert caller.by_cookie
    assert caller.scopes == ("admin",)
    assert keeper.sign_in(code) is None
    assert keeper.check(code) is None
    assert keeper.check(session) is None


def test_a_sign_in_code_ends_with_its_day(keeper: Keeper, clock: Clock) -> None:
    code = keeper.new_sign_in_code()
    clock.go_on(DAY_US)

    assert keeper.sign_in(code) is None


def test_who_signs_in_with_a_token_has_its_scopes_and_its_end(keeper: Keeper) -> None:
    _, secret = keeper.create("viewer", ["read"], project=3)
    session = keeper.sign_in(f" {secret}\n")
    assert session is not None
    caller = keeper.session(session)
    assert caller is not None
    assert (caller.scopes, caller.project, caller.by_cookie, caller.name) == (("read",), 3, True, "viewer")

    keeper.delete("viewer")

    assert keeper.session(session) is None


def test_a_token_that_only_sends_signs_nobody_in(keeper: Keeper) -> None:
    _, secret = keeper.create("cluster", ["ingest"])

    assert keeper.sign_in(secret) is None
    assert keeper.sign_in("") is None
    assert keeper.sign_in("guess") is None


def test_a_session_lives_thirty_days_from_its_last_use(keeper: Keeper, clock: Clock) -> None:
    session = keeper.sign_in(keeper.new_sign_in_code())
    assert session is not None
    for _ in range(4):
        clock.go_on(SESSION_US - HOUR_US)
        assert keeper.session(session)

    clock.go_on(SESSION_US)

    assert keeper.session(session) is None


def test_signing_out_ends_one_session(keeper: Keeper) -> None:
    first, second = (keeper.sign_in(keeper.new_sign_in_code()) for _ in range(2))
    assert first is not None
    assert second is not None

    keeper.sign_out(first)
    keeper.sign_out("nobody")

    assert keeper.session(first) is None
    assert keeper.session(second)


def test_revoking_all_ends_everything_at_once(keeper: Keeper, other: Keeper) -> None:
    secrets = [keeper.create(name, ["read"])[1] for name in "abc"]
    session = keeper.sign_in(secrets[0])
    code = keeper.new_sign_in_code()
    device, waiting = keeper.devices.start("dvc", "laptop")
    keeper.devices.decide(waiting.user_code, approve=True)
    assert session is not None
    assert keeper.session(session)

    assert other.revoke_all() == 3

    assert [keeper.check(secret) for secret in secrets] == [None] * 3
    assert keeper.session(session) is None
    assert keeper.sign_in(code) is None
    assert keeper.devices.poll(device).state == "expired"
    assert keeper.list() == []


def test_a_check_costs_microseconds_and_memory_stays_bounded(keeper: Keeper) -> None:
    secrets = [keeper.sign_in(keeper.new_sign_in_code()) for _ in range(20)]
    for secret in secrets:
        assert secret is not None
        assert keeper.session(secret)
    for number in range(10_000):
        assert keeper.check(f"guess-{number}") is None

    assert len(keeper._cache) <= 20


def test_the_cookie_has_a_name_of_this_studios_own(keeper: Keeper, other: Keeper, tmp_path: Path, clock: Clock) -> None:
    elsewhere = keeper_in(tmp_path / "elsewhere", clock)

    assert keeper.cookie == other.cookie
    assert keeper.cookie != elsewhere.cookie
    elsewhere.close()


def test_a_copy_opens_as_it_was(keeper: Keeper, folder: Path, tmp_path: Path, clock: Clock) -> None:
    _, secret = keeper.create("cluster", ["ingest"])
    (tmp_path / "copy").mkdir()
    target = tmp_path / "copy" / database.FILE_NAME

    copy_database(folder / database.FILE_NAME, target)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = keeper_in(tmp_path / "copy", clock)
    assert copy.check(secret)
    copy.close()


def test_a_newer_database_is_refused_and_left_alone(folder: Path, clock: Clock) -> None:
    keeper_in(folder, clock).close()
    newer = sqlite3.connect(folder / database.FILE_NAME)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(AuthError, match=r"newer livestream .*upgrade"):
        keeper_in(folder, clock)


def test_a_file_that_is_no_database_is_named(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / database.FILE_NAME).write_bytes(b"not a database at all, but long enough to be read as one" * 20)

    with pytest.raises(AuthError, match=r"auth\.db"):
        keeper_in(folder, clock)


def test_a_folder_that_is_not_there_is_named(folder: Path, clock: Clock) -> None:
    with pytest.raises(AuthError, match=r"cannot open .*auth\.db"):
        Keeper(folder / "nowhere", clock)


def test_a_change_that_fails_changes_nothing(keeper: Keeper) -> None:
    keeper.create("a", ["ingest"])

    def fail_halfway() -> None:
        with keeper._changing():
            keeper._connection.execute("DELETE FROM token")
            keeper._connection.execute("INSERT INTO sign_in_code VALUES (NULL, 0)")

    with pytest.raises(AuthError, match="cannot be changed"):
        fail_halfway()

    assert [token.name for token in keeper.list()] == ["a"]


def test_a_link_holds_its_code() -> None:
    assert sign_in_link("https://studio.example.com/here/", "abc") == "https://studio.example.com/here/sign-in?code=abc"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from auth_cases import DAY_US, START_US, Clock, keeper_in

from livestream.studio.auth.devices import DEVICE_US, MAX_WAITING, TooManyDevicesError
from livestream.studio.auth.errors import TokenFieldError
from livestream.studio.auth.keeper import Keeper
from livestream.studio.auth.texts import USER_CODE_SIGNS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(tmp_path: Path, clock: Clock) -> Iterator[Keeper]:
    kept = keeper_in(tmp_path / "data", clock)
    yield kept
    kept.close()


def test_an_approved_program_gets_its_token_once(keeper: Keeper) -> None:
    code, device = keeper.devices.start("dvc", "laptop", START_US + DAY_US)
    assert keeper.devices.poll(code).state == "pending"

    assert keeper.devices.decide(device.user_code, approve=True)

    granted = keeper.devices.poll(code)
    assert granted.state == "approved"
    caller = keeper.check(granted.secret)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("laptop", ("ingest", "read"))
    assert keeper.list()[0].expires_us == START_US + DAY_US
    assert keeper.devices.poll(code).state == "expired"


def test_a_denied_program_gets_nothing(keeper: Keeper) -> None:
    code, device = keeper.devices.start("dvc", "laptop")

    assert keeper.devices.decide(device.user_code, approve=False)

    assert not keeper.devices.decide(device.user_code, approve=True)
    assert keeper.devices.poll(code).state == "expired"
    assert not keeper.has_tokens()


def test_a_login_ends_with_its_quarter_of_an_hour(keeper: Keeper, clock: Clock) -> None:
    code, device = keeper.devices.start("dvc", "laptop")
    clock.go_on(DEVICE_US)

    assert keeper.devices.find(device.user_code) is None
    assert not keeper.devices.decide(device.user_code, approve=True)
    assert keeper.devices.poll(code).state == "expired"


def test_an_approval_that_nobody_fetches_in_time_makes_no_token(keeper: Keeper, clock: Clock) -> None:
    code, device = keeper.devices.start("dvc", "laptop")
    keeper.devices.decide(device.user_code, approve=True)
    clock.go_on(DEVICE_US)

    assert keeper.devices.poll(code).state == "expired"
    assert not keeper.has_tokens()


@pytest.mark.parametrize("guess", ["", "guess", "x" * 100_000, "\ud800"])
def test_a_code_that_is_no_code_is_over(keeper: Keeper, guess: str) -> None:
    keeper.devices.start("dvc", "laptop")

    assert keeper.devices.poll(guess).state == "expired"
    assert keeper.devices.find(guess) is None
    assert not keeper.devices.decide(guess, approve=True)


def test_a_user_code_may_be_typed_as_people_type(keeper: Keeper) -> None:
    _, device = keeper.devices.start("dvc", "laptop")
    signs = device.user_code.replace("-", "")

    assert len(signs) == 8
    assert set(signs) <= set(USER_CODE_SIGNS)
    for typed in (signs.lower(), f" {signs[:4]} {signs[4:]} ", device.user_code):
        assert keeper.devices.find(typed) == device


def test_the_polling_code_is_not_the_one_that_is_shown(keeper: Keeper) -> None:
    code, device = keeper.devices.start("dvc", "laptop")
    keeper.devices.decide(device.user_code, approve=True)

    assert keeper.devices.poll(device.user_code).state == "expired"
    assert keeper.devices.find(code) is None


def test_names_that_are_taken_get_a_number(keeper: Keeper) -> None:
    keeper.create("laptop", ["ingest"])

    logins = [keeper.devices.start("dvc", "laptop") for _ in range(2)]
    long, longer = (keeper.devices.start("dvc", "n" * 100)[1].token_name for _ in range(2))

    assert [device.token_name for _, device in logins] == ["laptop-2", "laptop-3"]
    assert (long, longer) == ("n" * 100, "n" * 98 + "-2")


def test_a_name_that_was_taken_meanwhile_gets_a_number_too(keeper: Keeper) -> None:
    code, device = keeper.devices.start("dvc", "laptop")
    keeper.create("laptop", ["ingest"])
    keeper.devices.decide(device.user_code, approve=True)

    granted = keeper.devices.poll(code)

    caller = keeper.check(granted.secret)
    assert caller is not None
    assert caller.name == "laptop-2"


def test_a_name_that_cannot_be_shown_is_refused(keeper: Keeper) -> None:
    with pytest.raises(TokenFieldError):
        keeper.devices.start("dvc", "a\x00b")


def test_so_many_wait_and_no_more_and_none_is_pushed_out(keeper: Keeper, clock: Clock) -> None:
    code, _ = keeper.devices.start("dvc", "mine")
    with keeper._changing():
        keeper._connection.executemany(
            "INSERT INTO device VALUES (?, ?, 'dvc', ?, NULL, ?, NULL)",
            [(str(n).encode(), str(n), str(n), START_US + DEVICE_US) for n in range(MAX_WAITING - 1)],
        )

    with pytest.raises(TooManyDevicesError, match="try again"):
        keeper.devices.start("dvc", "one more")

    assert keeper.devices.poll(code).state == "pending"
    clock.go_on(DEVICE_US)
    keeper.devices.start("dvc", "one more")

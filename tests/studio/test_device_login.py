from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
from auth_cases import DAY_US
from pages_cases import Browser, Stage, check, field_of, serve

from livestream.events import JsonObject
from livestream.studio.auth.devices import DEVICE_US


@pytest.fixture
async def program(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser() as client:
        yield client


@pytest.fixture
async def person(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser(signed_in=True) as client:
        yield client


@pytest.fixture
def client_library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the stock client's own module, which waits less than its 5 s between polls."""
    auth = pytest.importorskip("dvc_studio_client.auth")
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))
    module: ModuleType = auth
    return module


async def begin(program: Browser, **more: object) -> JsonObject:
    answer = await program.ask("POST", "api/device-login", json={"client_name": "dvc", **more})
    assert answer.status == 200, answer
    codes: JsonObject = answer.json
    return codes


async def poll(program: Browser, codes: JsonObject) -> tuple[int, JsonObject]:
    answer = await program.ask("POST", codes["token_uri"], json={"code": codes["device_code"]})
    return answer.status, answer.json


async def decide(person: Browser, codes: JsonObject, decision: str) -> str:
    page = await person.get(f"auth/device-login?code={codes['user_code']}")
    assert page.status == 200
    answer = await person.post("auth/device-login", {"code": field_of(page.text, "code"), "decision": decision})
    assert answer.status == 200, answer
    return answer.text


async def test_the_stock_client_logs_in(
    stage: Stage, client_library: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    login = asyncio.create_task(
        asyncio.to_thread(
            client_library.get_access_token,
            hostname=stage.url,
            token_name="laptop",
            scopes="experiments,DATASETS",
            client_name="DVC",
            open_browser=False,
            expires_in_days=30,
        )
    )
    said = ""
    while "device-login?code=" not in said:
        await asyncio.sleep(0.01)
        said += capsys.readouterr().out
        assert not login.done(), login.result()
    found = re.search(r"(http\S+/auth/device-login\?code=\S+)", said)
    assert found is not None
    async with stage.browser() as browser:
        asked = await browser.follow(found[1])
        assert asked.status == 200
        assert "/sign-in" in asked.url  # nobody is signed in yet, and the page asked for is remembered
        signed_in = await browser.ask(
            "POST",
            "sign-in",
            data={"secret": stage.token("admin"), "next": field_of(asked.text, "next")},
            follow=True,
            Accept="text/html",
            Origin=stage.url,
        )
        assert "DVC" in signed_in.text
        assert "laptop" in signed_in.text
        approved = await browser.post(
            "auth/device-login", {"code": field_of(signed_in.text, "code"), "decision": "approve"}
        )
        assert "Approved" in approved.text

    name, secret = await asyncio.wait_for(login, 20)

    caller = stage.keeper.check(secret)
    assert caller is not None
    assert (name, caller.name, caller.scopes) == ("laptop", "laptop", ("ingest", "read"))
    assert stage.keeper.find("laptop").expires_us == stage.clock() + 30 * DAY_US


async def test_the_stock_client_is_told_when_it_was_denied(
    stage: Stage, client_library: ModuleType, program: Browser, person: Browser
) -> None:
    codes = await begin(program)
    await decide(person, codes, "deny")

    with pytest.raises(client_library.AuthorizationExpiredError):
        await asyncio.to_thread(
            client_library.check_token_authentication, uri=codes["token_uri"], device_code=codes["device_code"]
        )


async def test_the_codes_are_what_the_stock_client_wants(stage: Stage, program: Browser) -> None:
    codes = await begin(program, token_name="laptop")

    assert codes["token_uri"] == f"{stage.url}/api/device-login/token"
    assert codes["verification_uri"] == f"{stage.url}/auth/device-login"
    assert codes["token_name"] == "laptop"
    assert codes["expires_in"] == 900
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", codes["user_code"])


async def test_a_program_waits_then_gets_its_token_once(program: Browser, person: Browser) -> None:
    codes = await begin(program)
    assert await poll(program, codes) == (400, {"detail": "authorization_pending"})
    await decide(person, codes, "approve")

    status, answer = await poll(program, codes)

    assert status == 200
    assert answer["access_token"].startswith("lst_")
    assert await poll(program, codes) == (400, {"detail": "authorization_expired"})


async def test_a_login_ends(stage: Stage, program: Browser, person: Browser) -> None:
    codes = await begin(program)
    stage.clock.go_on(DEVICE_US)

    assert await poll(program, codes) == (400, {"detail": "authorization_expired"})
    page = await person.get(f"auth/device-login?code={codes['user_code']}")
    assert page.status == 404
    assert "Begin it again" in page.text


async def test_nobody_approves_who_is_not_admin(stage: Stage, program: Browser) -> None:
    codes = await begin(program)
    fields = {"code": codes["user_code"], "decision": "approve"}
    async with stage.browser() as reader:
        await reader.post("sign-in", {"secret": stage.token("read")})
        assert (await reader.get(f"auth/device-login?code={codes['user_code']}")).status == 403
        assert (await reader.post("auth/device-login", fields)).status == 403
    assert (await program.post("auth/device-login", fields)).status == 401

    assert await poll(program, codes) == (400, {"detail": "authorization_pending"})


async def test_no_other_site_approves(program: Browser, person: Browser) -> None:
    codes = await begin(program)
    fields = {"code": codes["user_code"], "decision": "approve"}

    answer = await person.post("auth/device-login", fields, Origin="https://evil.example")

    assert answer.status == 403
    assert await poll(program, codes) == (400, {"detail": "authorization_pending"})


async def test_a_code_can_be_typed(program: Browser, person: Browser) -> None:
    codes = await begin(program)
    form = await person.get("auth/device-login")
    assert 'name="code"' in form.text

    page = await person.get(f"auth/device-login?code={codes['user_code'].replace('-', '+').lower()}")

    assert codes["user_code"] in page.text


async def test_a_decided_login_says_so(program: Browser, person: Browser) -> None:
    codes = await begin(program)
    assert "Denied" in await decide(person, codes, "deny")

    assert "Denied" in (await person.get(f"auth/device-login?code={codes['user_code']}")).text
    again = await person.post("auth/device-login", {"code": codes["user_code"], "decision": "approve"})
    assert again.status == 404


async def test_what_a_program_says_of_itself_is_shown_harmless(program: Browser, person: Browser) -> None:
    hostile = "<script>alert(1)</script>\"'&{evil}"
    codes = await begin(program, client_name=hostile, token_name=hostile)

    page = await person.get(f"auth/device-login?code={codes['user_code']}")

    check(page.text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;{evil}" in page.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "client_name"),
        ({"client_name": ""}, "client_name"),
        ({"client_name": 1}, "client_name"),
        ({"client_name": "a" * 101}, "client_name"),
        ({"client_name": "a\u202eb"}, "client_name"),
        ({"client_name": "a", "token_name": "a\nb"}, "token_name"),
        ({"client_name": "a", "scopes": ["ADMIN"]}, "scopes"),
        ({"client_name": "a", "scopes": "EXPERIMENTS"}, "scopes"),
        ({"client_name": "a", "expires_in_days": 0}, "expires_in_days"),
    ],
)
async def test_a_bad_body_names_its_field(program: Browser, body: JsonObject, field: str) -> None:
    answer = await program.ask("POST", "api/device-login", json=body)

    assert answer.status == 400
    assert field in answer.detail


async def test_what_is_not_known_is_tolerated(program: Browser) -> None:
    codes = await begin(
        program, token_name=None, team_names=["a"], all_teams=True, never_expires=True, colour="red", scopes=["models"]
    )

    assert codes["token_name"] == "dvc"


async def test_an_address_begins_so_many_logins_and_no_more(program: Browser) -> None:
    asked = [await program.ask("POST", "api/device-login", json={"client_name": "dvc"}) for _ in range(21)]

    assert [answer.status for answer in asked] == [200] * 20 + [429]
    assert int(asked[-1].headers["retry-after"]) > 0


async def test_behind_a_proxy_the_public_address_is_given_and_addresses_are_the_clients(tmp_path: Path) -> None:
    async with (
        serve(tmp_path / "data", public_url="https://studio.example.com/here/") as stage,
        stage.browser() as program,
    ):
        codes = await begin(program)
        assert codes["token_uri"] == "https://studio.example.com/here/api/device-login/token"
        body = {"client_name": "dvc"}
        for _ in range(21):
            await program.ask("POST", "api/device-login", json=body, X_Forwarded_For="1.1.1.1, 203.0.113.7")
        full = await program.ask("POST", "api/device-login", json=body, X_Forwarded_For="8.8.8.8, 203.0.113.7")
        other = await program.ask("POST", "api/device-login", json=body, X_Forwarded_For="203.0.113.7, 203.0.113.8")

    assert (full.status, other.status) == (429, 200)


async def test_no_header_moves_an_address_where_no_proxy_is(program: Browser) -> None:
    body = {"client_name": "dvc"}
    for number in range(20):
        await program.ask("POST", "api/device-login", json=body, X_Forwarded_For=f"203.0.113.{number}")

    assert (await program.ask("POST", "api/device-login", json=body, X_Forwarded_For="203.0.113.99")).status == 429

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from auth_cases import DAY_US
from pages_cases import Browser, Stage, check, field_of, secret_in, serve

from livestream.studio.auth.keeper import SESSION_US
from livestream.studio.store.base import Project

CREATE = {"name": "cluster-a", "scope": "ingest", "expires_in_s": "0", "project": ""}


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser() as fresh:
        yield fresh


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser(signed_in=True) as signed_in:
        yield signed_in


# -- signing in


async def test_a_browser_without_a_session_is_led_to_the_form_and_back(stage: Stage, browser: Browser) -> None:
    sent = await browser.get("tokens")
    assert (sent.status, sent.headers["location"]) == (303, "./sign-in?next=/tokens")
    form = await browser.follow("tokens")
    check(form.text)

    answer = await browser.post("sign-in", {"secret": stage.token("admin"), "next": field_of(form.text, "next")})

    assert (answer.status, answer.headers["location"]) == (303, "./tokens")
    assert "<h1>Tokens</h1>" in (await browser.get("tokens")).text


async def test_a_link_signs_in_once(stage: Stage, browser: Browser) -> None:
    code = stage.code()

    answer = await browser.get(f"sign-in?code={code}")

    assert (answer.status, answer.headers["location"]) == (303, "./")
    assert (await browser.get("")).status == 200
    async with stage.browser() as other:
        again = await other.get(f"sign-in?code={code}")
        assert again.status == 401
        assert "links work once" in again.text
        assert code not in again.text


async def test_the_cookie_is_for_this_studio_alone(stage: Stage, browser: Browser) -> None:
    answer = await browser.get(f"sign-in?code={stage.code()}")

    name, _, rest = answer.headers["set-cookie"].partition("=")
    attributes = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == stage.keeper.cookie
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "secure" not in attributes


async def test_the_cookie_of_a_public_studio_is_secure_and_has_its_prefix(tmp_path: Path) -> None:
    async with serve(tmp_path / "data", public_url="https://a.example/here/") as stage, stage.browser() as browser:
        answer = await browser.get(f"sign-in?code={stage.code()}")

    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/here"} <= attributes


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "é",
        "/é",
    ],
)
async def test_a_sign_in_leads_to_pages_of_ours_only(stage: Stage, browser: Browser, onward: str) -> None:
    answer = await browser.post("sign-in", {"secret": stage.token("admin"), "next": onward})

    assert answer.status == 303
    assert answer.headers["location"] in {"./", "./evil.example"}


async def test_what_a_link_carries_is_shown_harmless(browser: Browser) -> None:
    page = await browser.get("sign-in")
    check(page.text)
    hostile = await browser.get("sign-in?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    check(hostile.text)


@pytest.mark.parametrize(
    ("method", "headers"),
    [("HEAD", {}), ("GET", {"Sec_Purpose": "prefetch;prerender"}), ("GET", {"Sec_Fetch_Dest": "image"})],
)
async def test_who_only_looks_at_a_link_does_not_use_it_up(
    stage: Stage, browser: Browser, method: str, headers: dict[str, str]
) -> None:
    code = stage.code()
    await browser.ask(method, f"sign-in?code={code}", **headers)
    await browser.ask(method, "sign-in?code=wrong", **headers)

    assert stage.services.counters.sign_ins_failed == 0

    assert (await browser.get(f"sign-in?code={code}")).status == 303


async def test_who_comes_from_another_site_is_taken_over_by_a_page_of_ours(stage: Stage, browser: Browser) -> None:
    # SameSite=Strict: the browser keeps the cookie to itself on such a way in, and after a redirect on it.
    signed_in = await browser.get(f"sign-in?code={stage.code()}", Sec_Fetch_Site="cross-site")
    assert signed_in.status == 200
    assert 'content="0; url=./"' in signed_in.text
    assert "set-cookie" in signed_in.headers
    async with stage.browser() as without:
        sent = await without.get("auth/device-login?code=AB", Sec_Fetch_Site="cross-site")
        onward = urljoin(sent.url, sent.headers["location"])
        bounced = await without.get(onward, Sec_Fetch_Site="cross-site")
        assert bounced.status == 200
        check(bounced.text)
        assert 'content="0; url=./sign-in?next=/auth/device-login%3Fcode%3DAB&amp;again=1"' in bounced.text
        again = "sign-in?next=/auth/device-login%3Fcode%3DAB&again=1"
        for site in ("cross-site", "same-origin"):  # never a ring, whatever a browser says of itself
            assert "Token or sign-in code" in (await without.get(again, Sec_Fetch_Site=site)).text
    async with stage.browser(signed_in=True) as known:
        led = await known.get(again, Sec_Fetch_Site="same-origin")
        assert (led.status, led.headers["location"]) == (303, "./auth/device-login?code=AB")


async def test_failed_sign_ins_are_bounded_for_an_address(stage: Stage, browser: Browser) -> None:
    asked = [await browser.post("sign-in", {"secret": f"lst_guess{number}"}) for number in range(21)]
    by_link = await browser.get("sign-in?code=guess")
    right = await browser.post("sign-in", {"secret": stage.token("admin")})

    assert [answer.status for answer in asked] == [401] * 20 + [429]
    assert (by_link.status, right.status) == (429, 429)
    assert int(asked[-1].headers["retry-after"]) <= 15
    assert stage.services.counters.sign_ins_failed == 20
    assert (
        await browser.ask("GET", "api/tokens", Authorization=f"token {stage.token('admin', name='b')}")
    ).status == 200


async def test_a_token_that_only_sends_signs_nobody_in(stage: Stage, browser: Browser) -> None:
    answer = await browser.post("sign-in", {"secret": stage.token("ingest")})

    assert answer.status == 401
    assert "no token that may read" in answer.text


async def test_signing_out_ends_the_session(stage: Stage, admin: Browser) -> None:
    (cookie,) = [one.value for one in admin.session.cookie_jar]
    answer = await admin.post("sign-out")

    assert (answer.status, answer.headers["location"]) == (303, "./sign-in")
    assert stage.keeper.session(cookie) is None
    assert (await admin.get("")).status == 303


async def test_a_session_that_is_not_used_ends(stage: Stage, admin: Browser) -> None:
    assert (await admin.get("")).status == 200
    stage.clock.go_on(SESSION_US)
    assert (await admin.get("")).status == 303


async def test_a_form_that_comes_after_the_session_says_so(admin: Browser) -> None:
    admin.session.cookie_jar.clear()

    answer = await admin.post("tokens", CREATE)

    assert answer.status == 401
    assert "sign in, and do it again" in answer.text


async def test_who_is_signed_in_needs_no_form(admin: Browser) -> None:
    answer = await admin.get("sign-in?next=/tokens")

    assert (answer.status, answer.headers["location"]) == (303, "./tokens")


async def test_a_reader_sees_experiments_and_no_tokens(stage: Stage, browser: Browser) -> None:
    await browser.post("sign-in", {"secret": stage.token("read")})

    page = await browser.get("")
    assert page.status == 200
    assert 'href="./tokens"' not in page.text
    assert (await browser.get("tokens")).status == 403
    assert (await browser.post("tokens", CREATE)).status == 403
    assert [token.name for token in stage.keeper.list()] == ["tests"]


# -- tokens


async def test_a_token_is_made_shown_once_and_works(stage: Stage, admin: Browser) -> None:
    made = await admin.post("tokens", CREATE | {"expires_in_s": str(30 * 86_400)})
    assert made.status == 200
    check(made.text)
    secret = secret_in(made.text)

    caller = stage.keeper.check(secret)

    assert caller is not None
    assert (caller.name, caller.scopes) == ("cluster-a", ("ingest",))
    assert stage.keeper.list()[0].expires_us == stage.clock() + 30 * DAY_US
    assert secret not in (await admin.get("tokens")).text
    assert "cluster-a" in (await admin.get("tokens")).text


async def test_a_token_of_one_project_is_made(stage: Stage, admin: Browser) -> None:
    wanted = Project(id=0, name="iris", repository="github.com/octo/iris", repo_url="", automatic=False)
    project = await stage.services.ingest.call(lambda writer: writer.add_project(wanted))
    made = await admin.post("tokens", CREATE | {"project": str(project.id)})

    caller = stage.keeper.check(secret_in(made.text))

    assert caller is not None
    assert caller.project == project.id
    assert "iris" in made.text
    unknown = await admin.post("tokens", CREATE | {"name": "b", "project": "999"})
    assert unknown.status == 400
    assert "there is no project 999" in unknown.text


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"name": ""}, 400, "name"),
        ({"name": "x" * 101}, 400, "name"),
        ({"name": "a\nb"}, 400, "name: "),
        ({"scope": "root"}, 400, "scopes"),
        ({"expires_in_s": "soon"}, 400, "expires_in_s: not a whole number"),
        ({"project": "1.5"}, 400, "project: not a whole number"),
        ({"name": "taken"}, 409, "there is a token"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_made(
    stage: Stage, admin: Browser, fields: dict[str, str], status: int, said: str
) -> None:
    stage.token("read", name="taken")

    answer = await admin.post("tokens", CREATE | fields)

    assert answer.status == status
    assert said in answer.text
    check(answer.text)
    assert [token.name for token in stage.keeper.list()] == ["taken"]


async def test_without_a_scope_nothing_is_made(admin: Browser) -> None:
    answer = await admin.post("tokens", {"name": "a", "expires_in_s": "0", "project": ""})

    assert answer.status == 400
    assert "none is ticked" in answer.text


async def test_a_token_is_regenerated_with_an_overlap(stage: Stage, admin: Browser) -> None:
    token, old = stage.keeper.create("cluster", ["ingest"])

    answer = await admin.post(f"tokens/{token.id}/regenerate", {"overlap_s": "3600"})

    check(answer.text)
    assert stage.keeper.check(secret_in(answer.text))
    assert stage.keeper.check(old)
    assert "old one for 1 h" in (await admin.get("tokens")).text
    at_once = await admin.post(f"tokens/{token.id}/regenerate", {"overlap_s": "0"})
    assert stage.keeper.check(secret_in(at_once.text))
    assert stage.keeper.check(old) is None


async def test_a_token_is_deleted(stage: Stage, admin: Browser) -> None:
    token, secret = stage.keeper.create("cluster", ["ingest"])

    answer = await admin.post(f"tokens/{token.id}/delete")

    assert answer.status == 200
    assert stage.keeper.check(secret) is None
    assert (await admin.post(f"tokens/{token.id}/delete")).status == 404
    assert (await admin.post(f"tokens/{token.id}/regenerate", {"overlap_s": "0"})).status == 404


async def test_revoking_all_ends_this_browsers_session_and_gives_a_link(stage: Stage, admin: Browser) -> None:
    secret = stage.token("ingest")

    answer = await admin.post("tokens/revoke-all")

    assert stage.keeper.check(secret) is None
    assert (await admin.get("tokens")).status == 303
    found = re.search(r'href="(http[^"]*/sign-in\?code=[^"]+)"', answer.text)
    assert found is not None
    assert (await admin.get(found[1])).status == 303
    assert (await admin.get("tokens")).status == 200


async def test_hostile_names_are_shown_harmless(stage: Stage, admin: Browser) -> None:
    stage.token("read", name="<script>alert('1')</script>{x}\"")

    page = await admin.get("tokens")

    check(page.text)
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;{x}&quot;" in page.text


@pytest.mark.parametrize("path", ["tokens", "tokens/1/delete", "tokens/1/regenerate", "tokens/revoke-all", "sign-out"])
async def test_no_other_site_presses_a_button(stage: Stage, admin: Browser, path: str) -> None:
    secret = stage.token("ingest")

    answer = await admin.post(path, CREATE, Origin="https://evil.example")

    assert answer.status == 403
    assert stage.keeper.check(secret)
    assert (await admin.get("tokens")).status == 200


async def test_a_form_that_is_none_is_refused(admin: Browser) -> None:
    huge = await admin.post("tokens", {"name": "x" * 100_000})
    many = await admin.post("tokens", {f"f{number}": "x" for number in range(200)})
    wrong = await admin.ask("POST", "tokens", json={"name": "x"}, Origin=admin.url)

    assert (huge.status, many.status, wrong.status) == (413, 400, 415)


# -- tokens for programs


async def test_programs_manage_tokens(stage: Stage, browser: Browser) -> None:
    key = {"Authorization": f"token {stage.token('admin', name='root')}"}

    made = await browser.ask(
        "POST", "api/tokens", json={"name": "ci", "scopes": ["ingest", "read"], "expires_in_s": 60}, **key
    )
    assert made.status == 200
    token, secret = made.json["token"], made.json["secret"]
    assert stage.keeper.check(secret)
    assert token["expires"] == stage.clock() / 1e6 + 60
    assert token["scopes"] == ["ingest", "read"]

    listed = await browser.ask("GET", "api/tokens", **key)
    assert [one["name"] for one in listed.json["tokens"]] == ["ci", "root"]
    assert secret not in listed.text

    renewed = await browser.ask("POST", f"api/tokens/{token['id']}/regenerate", **key)
    assert stage.keeper.check(secret) is None
    assert stage.keeper.check(renewed.json["secret"])
    with_overlap = await browser.ask("POST", f"api/tokens/{token['id']}/regenerate", json={"overlap_s": 5}, **key)
    assert with_overlap.json["token"]["overlap_until"] == stage.clock() / 1e6 + 5
    assert stage.keeper.check(renewed.json["secret"])

    deleted = await browser.ask("DELETE", f"api/tokens/{token['id']}", **key)
    assert deleted.json == {"deleted": token["id"]}
    assert (await browser.ask("DELETE", f"api/tokens/{token['id']}", **key)).status == 404

    revoked = await browser.ask("POST", "api/tokens/revoke-all", **key)
    assert revoked.json["revoked"] == 1
    assert (await browser.ask("GET", "api/tokens", **key)).status == 401
    assert (await browser.get(revoked.json["sign_in_url"])).status == 303


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a"}, "scopes"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["root"]}, "scopes"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "a", "scopes": ["read"], "expires_in_s": 0}, "expires_in_s"),
        ({"name": "a", "scopes": ["read"], "expires_in_s": 1e300}, "expires_in_s"),
        ({"name": "a", "scopes": ["read"], "project": 9}, "project"),
        ({"name": "a", "scopes": ["read"], "project": 1 << 70}, "project"),
        ({"name": "a", "scopes": ["admin"], "project": "x"}, "project"),
        ({"name": "a", "scopes": ["read"], "colour": 1}, "colour"),
    ],
)
async def test_a_bad_body_names_its_field(stage: Stage, browser: Browser, body: dict[str, object], field: str) -> None:
    answer = await browser.ask("POST", "api/tokens", json=body, Authorization=f"token {stage.token('admin')}")

    assert answer.status == 400
    assert field in answer.detail


@pytest.mark.parametrize("scopes", [("read",), ("ingest",), ("ingest", "read")])
async def test_only_admins_manage_tokens(stage: Stage, browser: Browser, scopes: tuple[str, ...]) -> None:
    key = {"Authorization": f"token {stage.token(*scopes)}"}
    for method, path in (
        ("GET", "api/tokens"),
        ("POST", "api/tokens"),
        ("POST", "api/tokens/1/regenerate"),
        ("DELETE", "api/tokens/1"),
        ("POST", "api/tokens/revoke-all"),
    ):
        assert (await browser.ask(method, path, **key)).status == 403

    assert len(stage.keeper.list()) == 1

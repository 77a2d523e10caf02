from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from api_cases import PNG, image
from auth_cases import Clock
from pages_cases import field_of
from security_cases import add_marked, headers_of, raw, request, status_of
from studio_stage import Client, OpenStudio, RunningStudio, body, eventually, open_studio, scalars, token_for

from livestream.config import read_local_studio
from livestream.studio.auth import keeper as keeper_module
from livestream.studio.auth.keeper import Keeper
from livestream.studio.auth.texts import digest_of
from livestream.studio.http import exports
from livestream.studio.settings import StudioLimits

PASSWORD: Final = "hunter2-of-the-repository"
PERSON: Final = {"Accept": "text/html"}


def command(studio: RunningStudio, *words: str) -> str:
    """Run a command of another process on the Studio's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "livestream", *words, "--data", str(studio.data)],
        env=studio.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@contextmanager
def open_handed() -> Iterator[None]:
    """Let new processes make files for everybody, unless they say otherwise."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def shared(*folders: Path) -> list[str]:
    """Give what others than its owner could reach, whatever the folders above it are."""
    there = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return [f"{stat.filemode(path.lstat().st_mode)} {path}" for path in there if path.lstat().st_mode & 0o077]


def holders(secrets: dict[str, str], *folders: Path) -> list[str]:
    """Give the files in which a secret stands."""
    return [
        f"{what} in {path}"
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        for content in [path.read_bytes()]
        for what, secret in secrets.items()
        if secret.encode() in content
    ]


def arguments() -> str:
    """Give the command lines of all processes of this machine."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            lines.append(path.read_bytes())
    return b"\n".join(lines).decode(errors="replace")


async def use(studio: RunningStudio, session: aiohttp.ClientSession) -> dict[str, str]:
    """Do everything in which a secret has a part; gives the secrets."""
    secrets = {"first": studio.first_token, "tests": studio.token, "code": studio.link.partition("code=")[2]}
    secrets["password"] = PASSWORD
    admin = Client(session, studio.url, studio.token)
    for kind in ("small", "large"):
        rows = [(step, 1.0) for step in range(20 if kind == "small" else 8_000)]
        plots = scalars(rows) | image(PNG)
        await admin.post(body("start", kind) | {"repo_url": f"https://me:{PASSWORD}@github.com/octo/iris.git"})
        sent = body(name=kind, step=1, plots=plots) | {"repo_url": f"https://me:{PASSWORD}@github.com/octo/iris.git"}
        await admin.post(sent)
    async with session.get(studio.link, headers=PERSON, allow_redirects=False) as answer:
        (cookie,) = answer.cookies.values()
        secrets["session"] = cookie.value
    person = PERSON | {"Origin": studio.url, "Cookie": f"{cookie.key}={cookie.value}"}
    form = {"name": "by page", "scope": "read", "expires_in_s": "86400"}
    async with session.post(f"{studio.url}/tokens", data=form, headers=person, allow_redirects=False) as answer:
        found = re.search(r"lst_[\w-]{43}", await answer.text())
        assert found is not None
        secrets["by page"] = found[0]
    _, made = await admin("POST", "/api/tokens", json={"name": "by program", "scopes": ["admin"]})
    secrets["by program"] = made["secret"]
    _, codes = await admin("POST", "/api/device-login", json={"client_name": "dvc", "token_name": "device"})
    secrets["device"] = codes["device_code"]
    form = {"code": codes["user_code"], "decision": "approve"}
    async with session.post(f"{studio.url}/auth/device-login", data=form, headers=person) as answer:
        assert answer.status == 200
    _, granted = await admin("POST", "/api/device-login/token", json={"code": codes["device_code"]})
    secrets["granted"] = granted["access_token"]
    for secret in list(secrets.values()):
        await raw(studio.url, request("GET", f"/nothing/{secret}?x={secret}", f"Authorization: token {secret}"))
        await raw(studio.url, f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization token {secret}\r\n\r\n".encode())
        await raw(studio.url, request("POST", "/sign-in", body=secret.encode()))
    return secrets


async def test_secrets_are_nowhere_and_files_are_their_owners_only(tmp_path: Path) -> None:
    with open_handed():
        studio = RunningStudio(tmp_path / "data")
        studio.start()
    with studio_ended(studio):
        async with aiohttp.ClientSession() as session:
            secrets = await use(studio, session)
            secrets["by command"] = (await asyncio.to_thread(command, studio, "token", "create", "one")).strip()
            listed = await asyncio.to_thread(command, studio, "token", "list")
            await asyncio.to_thread(command, studio, "studio", "backup", str(tmp_path / "backup"))
            running = arguments()
        announced = read_local_studio(studio.environ)[0]
        assert announced is not None
        secrets["announced"] = announced.token.reveal()
        folders = (tmp_path / "data", tmp_path / "backup", tmp_path / "config" / "livestream")
        assert shared(*folders) == []
        assert holders(secrets, tmp_path / "data", tmp_path / "backup") == []
        logged = studio.stop()
        assert shared(tmp_path / "data") == []
    assert holders(secrets, tmp_path) == []
    for what, secret in secrets.items():
        assert secret not in running, what
        assert secret not in logged, what
        assert secret not in listed, what


@contextmanager
def studio_ended(studio: RunningStudio) -> Iterator[None]:
    try:
        yield
    finally:
        if studio.process.poll() is None:
            studio.kill()


async def test_what_another_process_ends_is_dead_at_the_next_request(tmp_path: Path) -> None:
    with RunningStudio(tmp_path / "data") as studio:
        async with aiohttp.ClientSession() as session:
            admin, deleted, renewed = (
                Client(session, studio.url, token_for(studio.data, name, *scopes))
                for name, scopes in (("boss", ()), ("deleted", ("read",)), ("renewed", ("read",)))
            )
            anybody = Client(session, studio.url, None)
            announced, _ = read_local_studio(studio.environ)
            assert announced is not None
            here = Client(session, studio.url, announced.token.reveal())
            async with session.get(studio.link, headers=PERSON, allow_redirects=False) as answer:
                (cookie,) = answer.cookies.values()
            person = {"Cookie": f"{cookie.key}={cookie.value}"}
            link = (await asyncio.to_thread(command, studio, "studio", "link")).strip()
            _, codes = await anybody("POST", "/api/device-login", json={"client_name": "dvc"})
            for client in (admin, deleted, renewed):
                assert (await client("GET", "/api/projects"))[0] == 200
            assert (await here("GET", "/api/live/capabilities"))[0] == 200
            assert (await anybody("GET", "/api/projects", headers=person))[0] == 200

            await asyncio.to_thread(command, studio, "token", "delete", "deleted")
            await asyncio.to_thread(command, studio, "token", "regenerate", "renewed")
            assert (await deleted("GET", "/api/projects"))[0] == 401
            assert (await renewed("GET", "/api/projects"))[0] == 401
            assert (await admin("GET", "/api/projects"))[0] == 200

            async with session.get(f"{studio.url}/api/feed", headers=admin.headers) as feed:
                await feed.content.readuntil(b"\n\n")
                waiting = asyncio.create_task(admin("GET", "/api/changes?wait_s=60&since=0"))
                told = await asyncio.to_thread(command, studio, "token", "revoke", "--all")
                assert (await admin("GET", "/api/projects"))[0] == 401
                assert (await here("GET", "/api/live/capabilities"))[0] == 401
                assert (await anybody("GET", "/api/projects", headers=person))[0] == 401
                assert status_of(await raw(studio.url, request("GET", link.removeprefix(studio.url)))) == 401
                _, polled = await anybody("POST", "/api/device-login/token", json={"code": codes["device_code"]})
                assert polled == {"detail": "authorization_expired"}
                again = Client(session, studio.url, token_for(studio.data, "again"))
                await again.post(body(step=1, message="after the revocation"))
                assert (await waiting)[0] == 401
                async with asyncio.timeout(5):
                    assert b"event: change" not in await feed.content.read()

            def is_renewed() -> bool:
                found, problem = read_local_studio(studio.environ)
                return problem is None and found is not None and found != announced

            await eventually(is_renewed)
            renewal, _ = read_local_studio(studio.environ)
            assert renewal is not None
            here = Client(session, studio.url, renewal.token.reveal())
            await here.post(body(step=2))
            assert (await here("GET", "/api/projects"))[0] == 403, "it may send, and no more"
            assert shared(tmp_path / "config" / "livestream") == []
            new_link = told.split()[-1]
            async with session.get(new_link, headers=PERSON, allow_redirects=False) as answer:
                assert answer.status == 303


async def test_a_studio_that_does_not_announce_itself_makes_no_token_after_a_revocation(
    studio: OpenStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livestream.studio.server.ANNOUNCE_S", 0.01)
    keeper = studio.services.keeper
    keeper.revoke_all()
    await asyncio.sleep(0.1)  # what should not happen has had its time
    assert keeper.list() == []
    assert os.listdir(tmp_path) == ["data"]


async def test_the_announced_token_that_somebody_has_taken_in_hand_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livestream.studio.server.ANNOUNCE_S", 0.01)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    async with open_studio(tmp_path / "data", environ, announce=True) as studio:
        keeper = studio.services.keeper
        _, secret = keeper.regenerate("this machine")
        await asyncio.sleep(0.1)  # what should not happen has had its time
        assert keeper.check(secret) is not None
        keeper.delete("this machine")
        await eventually(lambda: "this machine" in {token.name for token in keeper.list()})
        assert keeper.check(secret) is None


async def test_an_export_ends_broken_when_its_token_does(studio: OpenStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH_ROWS", 100)
    run = await add_marked(studio, "long")
    for part in range(10):
        rows = [(step, 0.5) for step in range(part * 2_000, (part + 1) * 2_000)]
        await studio.client.post(body(name="long", step=part, plots=scalars(rows)))
    reader = studio.with_token(token_for(studio.services.settings.data, "reader", "read"))
    url = f"{studio.url}/api/experiments/{run.experiment}/export?rows=all"
    async with studio.client.session.get(url, headers=reader.headers) as answer:
        await answer.content.readuntil(b"\r\n")
        studio.services.keeper.delete("reader")
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


# -- guesses


def test_a_check_takes_as_long_whatever_a_guess_has_in_common_with_a_token(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    keeper = Keeper(tmp_path / "data", Clock())
    secret = keeper.create("one", ("read",))[1]
    guesses = {"near": f"{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}", "far": "lst_" + "-" * 43}
    took: dict[str, list[int]] = {name: [] for name in guesses}
    for _ in range(2_000):
        for name, guess in guesses.items():
            start = time.perf_counter_ns()
            assert keeper.check(guess) is None
            took[name].append(time.perf_counter_ns() - start)
    near, far = (statistics.median(times) for times in took.values())
    keeper.close()
    assert 0.5 < near / far < 2, "what differs is the digest, which says nothing about the secret"


def test_secrets_meet_the_database_and_the_memory_as_digests_only(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    keeper = Keeper(tmp_path / "data", Clock())
    statements: list[str] = []
    keeper._connection.set_trace_callback(statements.append)
    _, secret = keeper.create("one", ("read",))
    session, code = keeper.sign_in(secret), keeper.new_sign_in_code()
    assert session is not None
    assert keeper.sign_in(code) is not None
    assert keeper.check(secret) == keeper.check(secret) is not None
    assert keeper.session(session) is not None
    secrets = (secret, session, code)
    held = repr(keeper._cache) + repr(statements)
    assert not [one for one in secrets if one in held]
    digests = {digest_of(one) for one in secrets[:2]}
    assert {digest for _, digest in keeper._cache} == digests
    assert all(known.digest == digest for (_, digest), known in keeper._cache.items())
    keeper.close()


async def test_codes_of_devices_are_not_guessed(tmp_path: Path) -> None:
    limits = StudioLimits(failed_sign_ins=5, failed_sign_ins_s=3600)
    async with open_studio(tmp_path / "data", limits=limits) as studio:
        anybody = studio.with_token(None)
        _, codes = await anybody("POST", "/api/device-login", json={"client_name": "dvc"})
        tried = [codes["user_code"], codes["device_code"][:-1], "", *(f"guess {number}" for number in range(9))]
        answers = [await anybody("POST", "/api/device-login/token", json={"code": code}) for code in tried]
        after, told = await anybody("POST", "/api/device-login/token", json={"code": codes["device_code"]})
        spoofed = [
            (await anybody("POST", "/sign-in", data={"secret": "x"}, headers={"X-Forwarded-For": f"10.0.0.{last}"}))[0]
            for last in range(8)
        ]
        looked = [
            await anybody(method, "/auth/device-login", params={"code": codes["user_code"]})
            for method in ("GET", "POST")
        ]

    assert [status for status, _ in answers] == [400] * 5 + [429] * 7
    assert "access_token" not in str(answers)
    assert (after, "wrong codes" in told["detail"]) == (429, True)
    assert spoofed == [401] * 5 + [429] * 3
    assert [status for status, _ in looked] == [401, 401]


async def test_secrets_are_taken_where_they_belong_only(studio: OpenStudio) -> None:
    token = studio.client.headers["Authorization"].split()[1]
    keeper = studio.services.keeper
    session = keeper.sign_in(token)
    assert session is not None
    for path, line in (
        (f"/api/projects?token={token}", "X: y"),
        (f"/api/projects?access_token={token}", "X: y"),
        ("/api/projects", f"X-Api-Key: {token}"),
        ("/api/projects", f"Cookie: {keeper.cookie}={token}"),
        ("/api/projects", f"Cookie: livestream={session}"),
        ("/api/projects", f"Authorization: token {session}"),
        ("/api/projects", f"Authorization: {token}"),
        ("/api/projects", f"Authorization: Basic {token}"),
        ("/api/projects", f"Authorization: token {token[4:]}"),
        ("/api/projects", f"Authorization: token {token.upper()}"),
        ("/api/projects", f"Authorization: token {token}\r\nAuthorization: token x"),
    ):
        status = status_of(await raw(studio.url, request("GET", path, line)))
        assert status in {200, 400, 401}, (path, line, status)
        assert status != 200 or line.endswith("token x"), (path, line)


async def test_what_works_once_works_once_for_all_who_try_at_the_same_moment(studio: OpenStudio) -> None:
    keeper = studio.services.keeper
    path = f"/sign-in?code={keeper.new_sign_in_code()}"
    answers = await asyncio.gather(*(raw(studio.url, request("GET", path, "Accept: text/html")) for _ in range(10)))
    assert sorted(map(status_of, answers)) == [303] + [401] * 9

    anybody = studio.with_token(None)
    _, codes = await anybody("POST", "/api/device-login", json={"client_name": "dvc"})
    keeper.devices.decide(codes["user_code"], approve=True)
    sent = {"code": codes["device_code"]}
    polled = await asyncio.gather(*(anybody("POST", "/api/device-login/token", json=sent) for _ in range(10)))
    assert sorted(status for status, _ in polled) == [200] + [400] * 9


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "%2f/evil.example",
        "/%09/evil.example",
    ],
)
async def test_a_sign_in_leads_nowhere_else(studio: OpenStudio, onward: str) -> None:
    keeper = studio.services.keeper
    for site in ("none", "cross-site"):
        for start in ("/", "//evil.example/../"):
            path = f"{start}sign-in?code={keeper.new_sign_in_code()}&next={onward}"
            answer = await raw(studio.url, request("GET", path, "Accept: text/html", f"Sec-Fetch-Site: {site}"))
            told = [headers_of(answer).get("location", "./"), *re.findall(r'(?:href="|url=)([^"]*)', answer.decode())]
            assert [place for place in told if not re.match(r"\.{1,2}/", place)] == [], (path, answer)


# -- sessions


async def signed_in(studio: OpenStudio, *lines: str) -> dict[str, str]:
    code = studio.services.keeper.new_sign_in_code()
    answer = await raw(studio.url, request("GET", f"/sign-in?code={code}", "Accept: text/html", *lines))
    assert status_of(answer) == 303, answer
    return headers_of(answer)


async def test_a_session_is_never_one_that_the_browser_brought(studio: OpenStudio) -> None:
    keeper = studio.services.keeper
    planted = keeper.sign_in(keeper.new_sign_in_code())
    keeper.sign_out(planted or "")
    for brought in (planted, "a" * 43, ""):
        first = await signed_in(studio, f"Cookie: {keeper.cookie}={brought}")
        second = await signed_in(studio, f"Cookie: {keeper.cookie}={brought}")
        values = {headers["set-cookie"].partition("=")[2].partition(";")[0] for headers in (first, second)}
        assert len(values) == 2
        assert brought not in values
        assert keeper.session(brought or "") is None


@pytest.mark.parametrize("public_url", [None, "http://studio.example.com", "HTTPS://studio.example.com/x/"])
async def test_the_cookie_is_kept_from_scripts_and_other_sites(tmp_path: Path, public_url: str | None) -> None:
    async with open_studio(tmp_path / "data", public_url=public_url) as studio:
        cookie = (await signed_in(studio))["set-cookie"]
        name, *flags = (word.strip().lower() for word in cookie.split(";"))
        sent = f"Cookie: {cookie.partition(';')[0]}"
        origin = f"Origin: {studio.url}"
        host = studio.url.partition("://")[2]
        out = await raw(studio.url, request("POST", "/sign-out", sent, origin, host=host))
        after = await raw(studio.url, request("GET", "/api/projects", sent))

    is_secure = (public_url or "").lower().startswith("https")
    assert {"httponly", "samesite=strict", f"path={'/x' if is_secure else '/'}"} <= set(flags)
    assert ("secure" in flags) == is_secure
    assert not [flag for flag in flags if flag.startswith("domain")]
    assert name.startswith("livestream_")
    assert (status_of(out), "max-age=0" in headers_of(out)["set-cookie"].lower()) == (303, True)
    assert status_of(after) == 401


async def test_one_token_opens_a_bounded_number_of_sessions(
    studio: OpenStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "MAX_SESSIONS", 5)
    keeper = studio.services.keeper
    other = keeper.sign_in(keeper.new_sign_in_code())
    token = studio.client.headers["Authorization"].split()[1]
    sessions = [keeper.sign_in(token) or "" for _ in range(12)]
    assert [keeper.session(session) is not None for session in sessions] == [False] * 7 + [True] * 5
    assert keeper.session(other or "") is not None


async def test_the_form_that_signs_in_tells_nothing_about_why_not(studio: OpenStudio) -> None:
    keeper = studio.services.keeper
    keeper.create("sends", ("ingest",))
    used = keeper.new_sign_in_code()
    assert keeper.sign_in(used)
    told = set()
    for secret in ("nonsense", used, keeper.create("only sends", ("ingest",))[1], "x" * 600, ""):
        content = f"secret={secret}&next=/".encode()
        kind = "Content-Type: application/x-www-form-urlencoded"
        answer = await raw(studio.url, request("POST", "/sign-in", kind, "Accept: text/html", body=content))
        assert status_of(answer) == 401
        page = answer.partition(b"\r\n\r\n")[2].decode()
        assert field_of(page, "next") == "/"
        told.add(page)
    assert len(told) == 1
    assert json.dumps(sorted(told)).count("lst_") == 1, "what a token looks like, and none of those that came"

from __future__ import annotations

import os
import re
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pages_cases import Browser, Stage

from livestream.studio.http.assets import FOLDER, MEDIA_TYPES, RELOAD, Asset, Assets, assets, lean

VERSION = re.compile(r"[0-9a-f]{16}")
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    async with stage.browser() as fresh:
        yield fresh


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


# -- over HTTP


async def test_under_its_version_a_file_is_kept_for_good(browser: Browser) -> None:
    address = f"static/{assets().version}/studio.css"
    sheet = await browser.ask("GET", address)
    assert (sheet.status, sheet.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert (sheet.headers["cache-control"], sheet.headers["vary"]) == (IMMUTABLE, "Accept-Encoding")
    assert sheet.text == (FOLDER / "studio.css").read_text()
    again = await browser.ask("GET", address, If_None_Match=sheet.headers["etag"])
    assert (again.status, again.text, again.headers["cache-control"]) == (304, "", IMMUTABLE)


async def test_without_a_version_a_file_is_asked_for_anew(browser: Browser) -> None:
    sheet = await browser.ask("GET", "static/studio.css")
    assert (sheet.status, sheet.headers["cache-control"]) == (200, "no-cache")
    again = await browser.ask("GET", "static/studio.css", If_None_Match=sheet.headers["etag"])
    assert (again.status, again.text) == (304, "")
    assert (await browser.ask("GET", "static/icon.svg")).headers["content-type"].startswith("image/svg+xml")


async def test_a_tab_from_before_an_upgrade_is_told_to_load_again(browser: Browser) -> None:
    module = await browser.ask("GET", "static/0123456789abcdef/app/lib.js")
    assert (module.text, module.headers["cache-control"]) == (RELOAD.decode(), "no-store")
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    gone = await browser.ask("GET", "static/0123456789abcdef/app/of/yesterday.js")
    assert (gone.status, gone.text) == (200, RELOAD.decode())
    sheet = await browser.ask("GET", "static/0123456789abcdef/studio.css")
    assert (sheet.status, sheet.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("prefix", ["", "VERSION/", "0123456789abcdef/"])
async def test_nothing_else_is_served(browser: Browser, prefix: str) -> None:
    prefix = prefix.replace("VERSION", assets().version)
    for path in ("../pages.py", "%2e%2e/http/pages.py", "/etc/passwd", "", "x.css", "vendor/lock.json", "app"):
        assert (await browser.ask("GET", f"static/{prefix}{path}")).status == 404, path
    assert (await browser.ask("GET", f"static/{assets().version}/app/none.js")).status == 404


async def test_text_comes_compressed_to_who_takes_it(stage: Stage, browser: Browser) -> None:
    address = f"{stage.url}/static/{assets().version}/vendor/uplot.js"
    whole = (FOLDER / "vendor/uplot.js").read_bytes()
    tags = set()
    for accepted, is_packed in (("gzip, br", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False), ("br", False)):
        headers = {"Accept-Encoding": accepted}
        async with browser.session.get(address, headers=headers, auto_decompress=False) as answer:
            content = await answer.read()
            assert (answer.headers.get("Content-Encoding") == "gzip") is is_packed, accepted
            assert answer.headers["Vary"] == "Accept-Encoding"
            tags.add(answer.headers["ETag"])
        if is_packed:
            assert len(content) < len(whole) / 2
            content = zlib.decompress(content, 31)
        assert content == whole
    assert len(tags) == 2, "two representations have two tags"


# -- comments


def test_modules_are_served_without_comments_and_with_their_lines() -> None:
    source = b'// head\nimport "./x.js"; // stays\n\n/**\n * Two\n * lines.\n */\nlet a = "// no"; /* stays */\n'
    leaned = b'\nimport "./x.js"; // stays\n\n\n\n\n\nlet a = "// no"; /* stays */\n'
    assert lean("app/core/a.js", source) == leaned
    assert lean("vendor/a.js", source) == source, "the licences of libraries stay"


def test_no_text_of_a_module_looks_like_a_comment() -> None:
    for path in (FOLDER / "app").rglob("*.js"):
        source = path.read_bytes()
        lines = zip(source.splitlines(), lean(f"app/{path.name}", source).splitlines(), strict=True)
        ticks = 0
        for number, (line, leaned) in enumerate(lines, start=1):
            assert line == leaned or ticks % 2 == 0, f"{path.name}:{number}: within a template"
            ticks += leaned.count(b"`")


# -- the folder


def test_every_file_of_the_package_has_a_type_or_is_not_served() -> None:
    suffixes = {path.suffix for path in FOLDER.rglob("*") if path.is_file()}
    assert suffixes <= {*MEDIA_TYPES, ".json", ".map"}
    assert VERSION.fullmatch(assets().version)


def test_the_version_is_of_every_byte_and_name(tmp_path: Path) -> None:
    first = Assets(fill(tmp_path / "a", {"x.js": "1", "y.css": "2"})).version
    assert Assets(fill(tmp_path / "b", {"x.js": "1", "y.css": "2", "z.json": "not served"})).version == first
    assert Assets(fill(tmp_path / "c", {"x.js": "1", "y.css": "3"})).version != first
    assert Assets(fill(tmp_path / "d", {"x.js": "1", "z.css": "2"})).version != first


def test_what_is_edited_is_read_anew_only_where_files_are_edited(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"x.js": "1"})
    edited, installed = Assets(folder, is_edited=True), Assets(folder)
    before = edited.version
    edited.refresh()
    assert edited.version == before
    (folder / "x.js").write_text("2")
    os.utime(folder / "x.js", ns=(1, 1))
    edited.refresh()
    installed.refresh()
    assert edited.version != before
    assert installed.version == before
    assert (edited.find("x.js") or Asset("", b"")).content == b"2"


def test_what_a_module_needs_before_it_runs_is_found(tmp_path: Path) -> None:
    files = {
        "app/main.js": 'import { a } from "./core/a.js";\nimport "./once.js";\nconst b = () => import("./later.js");\n',
        "app/core/a.js": "import{b}from'../../vendor/b.js';\nexport {\n  c,\n} from \"./c.js\";\n",
        "app/core/c.js": '/** @type {import("./d.js").D} */\nexport const c = 1; // from "./gone.js"\n',
        "app/once.js": 'import "./main.js";\n',
        "app/later.js": "",
        "app/core/d.js": "",
        "vendor/b.js": "",
    }
    found = Assets(fill(tmp_path, files))
    assert found.needed(["app/main.js", "app/none.js"]) == [
        "app/main.js",
        "app/core/a.js",
        "app/once.js",
        "vendor/b.js",
        "app/core/c.js",
    ]

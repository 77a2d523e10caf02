"""The app's modules as values: layers, and that what the address says is the view."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from browser_stage import Tab
from studio_stage import ROOT

from livestream.events import JsonObject

STATIC: Final = ROOT / "livestream/studio/static"
LAYERS: Final = ("vendor", "core", "data", "parts", "table", "plots", "pages")
_IMPORT: Final = re.compile(r'(?:from|import)\s*\(?\s*"([^"]+)"')


def imports(file: Path) -> list[Path]:
    return [(file.parent / found).resolve() for found in _IMPORT.findall(file.read_text(encoding="utf-8"))]


def rank(file: Path) -> int:
    """The layer of a module: its folder; lib.js is the door to the libraries, main.js is above all."""
    inside = file.relative_to(STATIC)
    if inside.parts[0] == "vendor":
        return 0
    names = {"lib.js": 0, "main.js": len(LAYERS)}
    return names[inside.name] if len(inside.parts) == 2 else LAYERS.index(inside.parts[1])


def test_modules_stand_in_one_straight_line_of_layers() -> None:
    wrong = [
        f"{file.relative_to(STATIC)} imports {other.relative_to(STATIC)}"
        for file in (STATIC / "app").rglob("*.js")
        for other in imports(file)
        if rank(other) > rank(file)
    ]
    assert not wrong


def test_modules_import_only_what_is_there() -> None:
    missing = [
        f"{file.relative_to(STATIC)}: {other}"
        for file in (STATIC / "app").rglob("*.js")
        for other in imports(file)
        if not other.is_file()
    ]
    assert not missing


def test_core_knows_no_browser() -> None:
    """Functions of values: no document, window, clock, network or storage."""
    effects = re.compile(r"\b(document|window|fetch|localStorage|Date\.now|performance|setTimeout|EventSource)\b[.(]")
    wrong = [
        f"{file.name}: {line.strip()}"
        for file in (STATIC / "app/core").rglob("*.js")
        for line in file.read_text(encoding="utf-8").splitlines()
        if effects.search(line) and not line.lstrip().startswith(("//", "*", "/*"))
    ]
    assert not wrong


async def test_an_address_gives_the_view_back(modules: Tab) -> None:
    view: JsonObject = {
        "project": 3,
        "layout": "plots",
        "sort": [{"key": 'metrics[a,b.json]."x,y"', "falling": True}, {"key": "name", "falling": False}],
        "query": "lr=0.1 & more, of it",
        "filters": ["status=running", r"params[p\q].a<1"],
        "widths": {"metrics[m:1].a": 120},
        "goals": {"metrics[m].acc": "up"},
        "selected": [5, 3],
        "zoom": {"train/loss": [-1.5, 20]},
        "smoothing": 0.6,
        "outliers": False,
    }
    given = await modules.run(
        "core/view.js",
        """(module, fields) => {
            const view = { ...module.defaultView(), ...fields };
            const back = module.viewFromQuery(module.viewToQuery(view));
            return Object.fromEntries(Object.keys(fields).map((name) => [name, back[name]]));
        }""",
        view,
    )
    assert given == view


async def test_what_an_address_cannot_say_is_the_default(modules: Tab) -> None:
    given = await modules.run(
        "core/view.js",
        """(module) => {
            const view = module.viewFromQuery("?layout=all&project=x&smooth=2&zoom=a:5~1&select=1,x,2&unknown=1");
            return [view.layout, view.project, view.smoothing, view.zoom, view.selected, module.viewToQuery(view)];
        }""",
    )
    assert given == ["both", None, 0, {}, [1, 2], "?select=1,2"]


async def test_keys_name_their_leaf_whatever_it_is_called(modules: Tab) -> None:
    names = [["train", "loss"], ["a.b", 'quo"te'], ["__proto__"], ["", " spaced "], ["x=1<2"], ["[0]"]]
    for file in ("dvclive/metrics.json", 'odd].json"', " "):
        for path in names:
            parts = await modules.run(
                "core/cells.js",
                "(module, [file, path]) => module.partsOf(module.keyOf('metrics', file, path))",
                [file, path],
            )
            assert parts == {"group": "metrics", "file": file, "names": path}


async def test_a_foreign_name_is_a_cell_like_any_other(modules: Tab) -> None:
    cells = await modules.run(
        "core/cells.js",
        """(module) => [...module.cellsOf(JSON.parse(
            '{"metrics": {"__proto__": {"constructor": 1, "__proto__": {"x": 2}}}, "params": {}}'
        ))]""",
    )
    assert cells == [["metrics[__proto__].constructor", 1], ["metrics[__proto__].__proto__.x", 2]]

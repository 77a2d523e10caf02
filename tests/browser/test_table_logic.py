"""What the table does with values: the tree of rows, filters, differences, and CSV."""

from __future__ import annotations

import csv
import io
from typing import Final

from browser_stage import Tab

from livestream.events import Json

# -- the tree of rows

ROWS: Final = """
const sha = (letter) => letter.repeat(40);
const row = (id, letter, more = {}) => ({
    id, name: `run-${id}`, message: "", repository: "r", subdir: "", baseline_sha: sha(letter), clients: ["dvclive"],
    status: { kind: "completed" }, delivery: { behind_s: 0 }, step: id, created: id, updated: id, deleted: null,
    projects: [1], commit: { sha: sha(letter), short: letter, message: "", author: "", time: 0, branches: [] },
    ...more, cells: new Map(Object.entries(more.cells ?? {})),
});
const place = (letter) => ({ baseline_sha: sha(letter), commit: { sha: sha(letter), short: letter, message: "" } });
const branch = (name, letters, more = {}) =>
    ({ name, default: false, merged: false, more: 0, ...more, commits: letters.map(place) });
const { defaultView } = await import(new URL("view.js", url));
const arrange = module.createArranger();
const nothing = defaultView();
const input = (rows, view = {}, more = {}) => ({
    rows, keys: new Set(rows.flatMap((one) => [...one.cells.keys()])), history: null, projects: null,
    view: { ...nothing, project: 1, ...view }, ...more,
});
const drawn = ({ lines }) => lines.map(({ type, depth, row, commit, branch, project, count, hidden, open }) =>
    `${"  ".repeat(depth)}${row?.name ?? branch?.name ?? project?.name ?? commit?.short ?? type}` +
    (type === "experiment" ? "" : ` ${count}${hidden ? ` -${hidden}` : ""}${open ? "" : " folded"}`));
"""


async def arranged(modules: Tab, script: str) -> Json:
    return await modules.run("core/rows.js", f"async (module) => {{ {ROWS} {script} }}")


async def test_experiments_stand_below_commits_and_branches(modules: Tab) -> None:
    lines = await arranged(
        modules,
        """
        const history = { branches: [
            branch("main", ["c", "b", "a"], { default: true }),
            branch("old", ["d"], { merged: true }),
            branch("idle", ["e"]),
        ] };
        const late = row(7, "g");
        late.commit = { ...late.commit, branches: ["main"] };
        const rows = [late, row(6, "f", { commit: null }), row(5, "a"), row(4, "c"), row(3, "d"), row(2, "a")];
        rows.push(row(1, "c"));
        const shown = (view) => drawn(arrange(input(rows, view, { history })));
        return [
            shown({}), shown({ filters: ["id>3"] }), shown({ closed: ["branch:main", "branch:old"] }),
            shown({ commits: true, closed: ["branch:main"] }),
            shown({ grouping: "flat", sort: [{ key: "name", falling: false }] }),
        ];""",
    )
    detached = ["detached 1", "  fffffff 1", "    run-6"]
    head = ["main 5", "  g 1", "    run-7", "  c 2", "    run-4", "    run-1", "  a 2", "    run-5", "    run-2"]
    filtered = ["main 3 -2", "  g 1", "    run-7", "  c 1 -1", "    run-4", "  a 1 -1", "    run-5"]
    assert lines == [
        [*detached, *head, "old 1 folded"],
        [*detached, *filtered],
        [*detached, "main 5 folded", "old 1", "  d 1", "    run-3"],
        [*detached, "main 5 folded", "old 1 folded", "idle 0", "  e 0"],
        [f"run-{number}" for number in range(1, 8)],
    ]


async def test_without_a_project_each_repository_is_a_section(modules: Tab) -> None:
    lines = await arranged(
        modules,
        """
        const [x, y] = [{ repository: "x" }, { repository: "y" }];
        const rows = [row(3, "a", x), row(2, "a", y), row(1, "b", x)];
        const projects = [{ id: 4, name: "Iris", repository: "x", subdir: "" }];
        return drawn(arrange(input(rows, { project: null }, { projects })));""",
    )
    assert lines == ["Iris 2", "  a 1", "    run-3", "  b 1", "    run-1", "y 1", "  a 1", "    run-2"]


async def test_filters_scopes_and_differences_choose_rows(modules: Tab) -> None:
    names = await arranged(
        modules,
        """
        const acc = (value) => ({ cells: { "metrics[m].acc": value, "params[p].opt": "Adam" } });
        const rows = [
            row(5, "a", { status: { kind: "running" }, ...acc(0.9) }), row(4, "a", acc(0.5)), row(3, "a", acc("nan")),
            row(2, "b", { status: { kind: "failed" }, message: "Sweep ß" }), row(1, "b", { deleted: 5 }),
        ];
        const found = (view) => arrange(input(rows, { grouping: "flat", ...view })).shown.map((one) => one.id);
        return [
            found({}), found({ scope: "live" }), found({ scope: "selected", selected: [2, 4] }),
            found({ scope: "deleted" }),
            found({ statuses: ["failed", "running"] }), found({ query: "SWEEP ss" }), found({ query: "run-5 sweep" }),
            found({ query: "metrics.acc>0.6" }), found({ query: "delta.metrics.acc>0.1", baseline: 4 }),
            found({ query: "delta.metrics.acc>0.1" }), found({ filters: ["missing.metrics.acc=true"] }),
            found({ filters: ["params.opt~adam", "metrics.acc=nan"] }),
            found({ filters: ["id=4", "broken"], paused: ["id=4"] }),
            found({ sort: [{ key: "metrics[m].acc", falling: true }] }),
            found({ sort: [{ key: "metrics[m].acc", falling: false }] }),
        ];""",
    )
    assert names == [
        [5, 4, 3, 2], [5], [4, 2], [1], [5, 2], [2], [], [5], [5], [], [2],
        [3], [5, 4, 3, 2], [5, 4, 3, 2], [4, 5, 3, 2],
    ]  # fmt: skip


async def test_what_changes_nothing_of_order_keeps_the_lines(modules: Tab) -> None:
    facts = await arranged(
        modules,
        """
        const rows = [row(3, "a", { cells: { "metrics[m].x": 1 } }), row(2, "a"), row(1, "b")];
        const first = arrange(input(rows, { sort: [{ key: "step", falling: false }] }));
        const keys = input(rows).keys;
        const again = (changed, view = {}) =>
            arrange({ ...input(changed, { sort: [{ key: "step", falling: false }], ...view }), keys });
        const keysSet = again(rows);
        const untouched = again(rows, { widths: { name: 200 } });
        const changed = { ...rows[0], cells: new Map([["metrics[m].x", 2]]) };
        const valued = again([changed, rows[1], rows[2]]);
        const resorted = again([{ ...changed, step: 0 }, rows[1], rows[2]]);
        const at = (one, id) => one.lines.find((line) => line.row?.id === id);
        return {
            sameForOtherFields: untouched === keysSet,
            sameStructure: valued.structure === keysSet.structure,
            sameLine: at(valued, 2) === at(keysSet, 2),
            newRow: at(valued, 3).row === changed && valued.shown.includes(changed),
            newStructure: resorted.structure > valued.structure,
            order: resorted.shown.map((one) => one.id),
        };""",
    )
    assert facts == {
        "sameForOtherFields": True,
        "sameStructure": True,
        "sameLine": True,
        "newRow": True,
        "newStructure": True,
        "order": [3, 2, 1],
    }


async def test_1500_rows_are_arranged_within_five_milliseconds(modules: Tab) -> None:
    """What a change of 20 live runs costs, and everything anew; the least of many, as others use the machine too."""
    times = await arranged(
        modules,
        """
        const list = (length, make) => Array.from({ length }, (_, at) => make(at));
        const keysOf = (at) => Object.fromEntries(list(200, (key) => [`metrics[m].group.k${key}`, at * key]));
        let rows = list(1500, (at) => row(1500 - at, "abcdefghij"[at % 10], { cells: keysOf(at) }));
        const history = { branches: [branch("main", [..."abcdefg"])] };
        const { keys } = input(rows.slice(0, 1));
        const view = {
            sort: [{ key: "metrics[m].group.k7", falling: true }], query: "run metrics.group.k3>=0 status=completed",
            filters: ["delta.metrics.group.k5>-1e9"], baseline: 700,
        };
        const timed = (changed, more) => {
            const begin = performance.now();
            arrange({ ...input([], { ...view, ...more }, { history }), rows: changed, keys });
            return performance.now() - begin;
        };
        const least = (all) => Math.min(...all);
        const touch = (key) => {
            rows = rows.map((one, at) => at % 75 ? one : { ...one, cells: new Map(one.cells).set(key, Math.random()) });
            return timed(rows);
        };
        timed(rows);
        return {
            values: least(Array.from({ length: 30 }, () => touch("metrics[m].group.k9"))),
            sorted: least(Array.from({ length: 30 }, () => touch("metrics[m].group.k7"))),
            anew: least(Array.from({ length: 15 }, (_, at) => timed(rows, { statuses: at % 2 ? ["completed"] : [] }))),
        };""",
    )
    assert times["values"] < 5
    assert times["sorted"] < 5
    assert times["anew"] < 25


# -- differences, best values, CSV


async def test_differences_and_the_best(modules: Tab) -> None:
    answer = await modules.run(
        "core/compare.js",
        """(module) => {
            const row = (id, cells) => ({ id, step: id, cells: new Map(Object.entries(cells)) });
            const rows = [
                row(1, { a: 0.5, b: "nan", c: "x", p: 1 }), row(2, { a: 0.75, b: 2, c: "x" }),
                row(3, { a: "inf", b: 1, p: 1 }),
            ];
            const delta = (id, key) => module.deltaOf(rows[id - 1], rows[0], key);
            const goals = JSON.parse('{"a": "up", "b": "down", "p": "up", "__proto__": "up", "none": "up"}');
            const best = module.bestByKey(rows, goals);
            return {
                deltas: [delta(2, "a"), delta(3, "a"), delta(2, "b"), delta(2, "c"), delta(1, "a"), delta(3, "step")],
                verdicts: [[1, "up"], [1, "down"], [-1, "down"], [0, null], [1, null], [null, "up"]]
                    .map(([delta, goal]) => module.verdictOf(delta, goal)),
                best: [...best],
                goals: [module.goalOf({ a: "up" }, "a"), module.goalOf({}, "__proto__")],
                differing: module.differing(rows, ["a", "b", "c", "p", "none"]),
                alike: [["nan", "nan"], [1, "1.0"], ["a", 1], [undefined, 1]].map((pair) => module.isAlike(...pair)),
            };
        }""",
    )
    assert answer == {
        "deltas": [0.25, None, None, None, None, 2],
        "verdicts": ["better", "worse", "better", "same", None, None],
        "best": [["a", float("inf")], ["b", 1], ["p", 1]],
        "goals": ["up", None],
        "differing": ["a", "b", "c", "p"],
        "alike": [True, True, False, False],
    }


async def test_the_table_as_csv_says_what_stands_in_it_and_runs_nothing(modules: Tab) -> None:
    evil = '=HYPERLINK("http://x";"a")\n,b'
    text = await arranged_csv(modules, evil)
    assert text.startswith("\ufeff")
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert lines == [
        ["id", "repository", "commit", "name", "created", "metrics[m].a", "metrics[m].n", "params[p].t"],
        ["1", "r", "b" * 40, "'" + evil, "2026-11-20T00:00:00.000Z", "-0.30000000000000004", "-inf", "'@x"],
        ["2", "r", "b" * 40, "-1e3", "1970-01-01T00:00:00.000Z", "true", "", "'-rm"],
    ]


async def arranged_csv(modules: Tab, name: str) -> str:
    text = await modules.run(
        "core/table_csv.js",
        """(module, name) => {
            const facts = { repository: "r", baseline_sha: "b".repeat(40) };
            const row = (id, name, created, cells) =>
                ({ id, name, created, ...facts, cells: new Map(Object.entries(cells)) });
            return module.tableCsv([
                row(1, name, 1795132800, { "metrics[m].a": 0.1 - 0.4, "metrics[m].n": "-inf", "params[p].t": "@x" }),
                row(2, "-1e3", 0, { "metrics[m].a": true, "params[p].t": "-rm" }),
            ], ["name", "created", "metrics[m].a", "metrics[m].n", "params[p].t"]);
        }""",
        name,
    )
    assert isinstance(text, str)
    return text

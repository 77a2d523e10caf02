"""The query language on the page: as the server has it, and as it is typed among words."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from browser_stage import Tab

from livestream.events import JsonObject
from livestream.studio.query import (
    FieldKey,
    Held,
    QueryError,
    holds,
    parse_condition,
    parse_sort,
    sort_by,
)

# -- the language, against the server's own

KEYS: Final = (
    *("id", "name", "status", "step", "created", "updated", "repository", "baseline", "message", "client"),
    *("metrics.a", "metrics.train.loss", "params[params.yaml].lr", "metrics.my metric", "metrics.train/loss"),
    *('params["a]b"]."x.y"', 'metrics."\\u00e9"', "metrics[ spaced ].a", 'metrics["🚂"]."🚂"', "metrics.__proto__"),
)
BROKEN_KEYS: Final = (
    *("", "loss", "metrics", "metrics.", "metrics..a", "metrics[", "metrics[].a", "metrics[a", 'metrics."a', "names"),
    *('metrics."\x01"', 'metrics."\\ud800"', "metrics" + ".a" * 33, "STATUS", "🚂", "params[a]", 'metrics.a"b"'),
    *("-name", "delta.metrics.a", "missing.metrics.a", "machine.cpu", "delivery"),
)
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "~", "==", "=<", "", "!", "<>", " = ", "\u3000~\x85")
VALUES: Final = (
    *("", "1", "0.5", "-1e-3", "+.5", "5.", "1e999", "007", "1_000", "0x10", "٣", "1 ", "nan", "NaN", "-inf"),
    *("Infinity", "true", "False", "running", "adam", "ADAM", '"1"', '"nan"', '"a b"', '"unclosed', '"a" b', "ß", "SS"),
    *('"\\u0041"', '"\\ud83d\\ude82"'),
    *("9007199254740993", "9007199254740992", "-9007199254740993", "1" * 400, "1" * 401, "9" * 400 + ".5", "é", "🚂"),
    *("2026-11-20", "2026-11-20T12:00Z", "2026-11-20 12:00:30.5+02:00", "20261120", "20261120T120000", "2026-W47-5"),
    *("2026-W54", "2026-W53-1", "2027-W53", "2026W47", "2026-02-30", "2024-02-29", "0001-01-01", "2026-11-20T24:00"),
    *("2026-11-20T12", "2026-11-20T1234", "2026-11-20T12:34:56,789", "2026-11-20T12:00+0230", "2026-11", "yesterday"),
    *("2026-11-20T12:00:00.123Z", "2026-11-20x12:00", "2026-11-20🚂12:00", "2026-11-20T", "2026-11-20T12:00-00:30"),
)
HELD: Final[tuple[Held, ...]] = (
    *(None, 0, 1, -1, 7, 10, 0.5, -0.001, 1e-5, 1e-7, 1.5e300, 9007199254740992, 123456789.125, 0.1 + 0.2),
    *("", "nan", "NaN", "inf", "-inf", "+inf", "1", "0.5", "007", "true", "running", "adam", "Adam", "a b", "A"),
    *("straße", "STRASSE", "ΣΊΣΥΦΟΣ", "σίσυφος", "ﬁn", "FIN", "é", "🚂", "\ue000", "9007199254740993", "[1, 2]"),
    *(1_795_132_800, 1_795_132_800.5, 1_795_176_000),
)


JUNK: Final = re.compile(r"(created|updated).*\d{401}")
"""More digits than a number may have: CPython reads the first as a time and forgives the rest; the page does not."""


def some_held(chance: random.Random) -> list[Held]:
    return [chance.choice(HELD) for _ in range(chance.randint(1, 3))]


def cases() -> Iterator[tuple[str, list[Held]]]:
    """Every key with every operator, every operator with every value, and noise: each with something held."""
    chance = random.Random(4)
    for key in KEYS + BROKEN_KEYS:
        for operator in OPERATORS:
            yield f"{key}{operator}{chance.choice(VALUES)}", some_held(chance)
    for key in ("metrics.a", "name", "step", "created"):
        for operator in OPERATORS:
            for value in VALUES:
                yield f"{key}{operator}{value}", some_held(chance)
    for wanted in (
        "1",
        "nan",
        "0.5",
        "adam",
        '"1"',
        "a",
        "9007199254740993",
        "inf",
        "1e-05",
        "ss",
        "fi",
        "ΣΊΣ",
        "true",
    ):
        for operator in ("=", "!=", "<", "<=", ">", ">=", "~"):
            for one in HELD:
                yield f"metrics.a{operator}{wanted}", [one]
    for _ in range(1_500):
        text = f"{chance.choice(KEYS)}{chance.choice(OPERATORS)}{chance.choice(VALUES)}"
        at = chance.randrange(len(text) + 1)
        yield text[:at] + chance.choice('."[]=!<> \\~🚂\x1f-') + text[at + chance.randint(0, 1) :], some_held(chance)


def judged(text: str, held: list[Held]) -> JsonObject:
    """What the server makes of a condition."""
    try:
        condition = parse_condition(text)
    except QueryError as error:
        return {"at": place_of(str(error))}
    key = condition.key
    number = condition.wanted.number
    return {
        "key": [key.field] if isinstance(key, FieldKey) else [key.group, key.file, *key.names],
        "operator": condition.operator,
        "text": condition.wanted.text,
        "number": None if number is None else as_sent(number),
        "holds": holds(condition, held),
    }


def as_sent(number: float) -> str:
    """A number as text: whole ones that a double would round, whole."""
    return str(number) if isinstance(number, int) and abs(number) >= 2**53 else repr(float(number))


def place_of(message: str) -> str:
    """Where an error says that it is, else what it is about; of a value's text the page says it more exactly."""
    if "not a JSON string" in message:
        return "JSON"
    found = re.match(r"character \d+|[a-z]+:", message)
    assert found, message
    return found.group()


JUDGED: Final = """async (module, cases) => {
    const { holds } = await import(new URL("query_judge.js", url));
    return cases.map(([text, held]) => {
        try {
            const { key, operator, wanted } = module.parseCondition(text);
            const names = key.kind === "field" ? [key.field] : [key.group, key.file, ...key.names];
            const number = typeof wanted.number === "bigint" ? String(wanted.number) : wanted.number;
            return { key: names, operator, text: wanted.text, number, holds: holds({ operator, wanted }, held) };
        } catch (error) {
            if (!(error instanceof module.QueryError)) throw error;
            if (error.message.includes("not a JSON string")) return { at: "JSON" };
            return { at: /^character \\d+|^[a-z]+:/.exec(error.message)[0] };
        }
    });
}"""


async def test_a_condition_means_on_the_page_what_it_means_to_the_server(modules: Tab) -> None:
    asked = list(dict.fromkeys((text, tuple(held)) for text, held in cases() if not JUNK.search(text)))
    assert len(asked) > 3_000
    answers = await modules.run("core/query.js", JUDGED, [[text, list(held)] for text, held in asked])
    wrong = []
    for (text, held), answer in zip(asked, answers, strict=True):
        if isinstance(answer.get("number"), int | float):
            answer["number"] = as_sent(float(answer["number"]))
        if answer != (expected := judged(text, list(held))):
            wrong.append((text, held, answer, expected))
    assert not wrong, wrong[:10]


async def test_rows_are_sorted_as_the_server_sorts_them(modules: Tab) -> None:
    chance = random.Random(5)
    values = [value for value in HELD if value != "9007199254740993"]
    lists = [[[chance.choice(values), chance.choice(values), at] for at in range(40)] for _ in range(60)]
    for texts in (["metrics.a"], ["-metrics.a", "-name"], ["name", "-metrics.a"], ["-step"], ["-message", "params.b"]):
        sorts = [parse_sort(text) for text in texts]
        answers = await modules.run(
            "core/query.js",
            """async (module, [texts, lists]) => {
                const { sortBy } = await import(new URL("query_judge.js", url));
                const sorts = texts.map((text) => module.parseSort(text));
                return lists.map((items) => sortBy(items, sorts, (item, at) => item[at]).map((item) => item[2]));
            }""",
            [texts, lists],
        )
        for items, answer in zip(lists, answers, strict=True):
            assert answer == [item[2] for item in sort_by(items, sorts, lambda item, at: item[at])]


async def test_case_is_folded_as_in_python(modules: Tab) -> None:
    """Of every character there is; those that Python folds together must be one here too, and no others."""
    characters = [chr(code) for code in range(0x1E944) if unicodedata.category(chr(code)) not in {"Cs", "Cn"}]
    folded = await modules.run(
        "core/query_values.js",
        "(module, pairs) => pairs.map((pair) => pair.map((text) => module.fold(text)))",
        [[character, character.casefold()] for character in characters],
    )
    wrong = {
        character: pair
        for character, pair in zip(characters, folded, strict=True)
        if pair[0] != pair[1] or pair[0].casefold() != character.casefold()
    }
    assert not wrong


# -- words and conditions in one box


async def read_query(modules: Tab, text: str) -> JsonObject:
    answer = await modules.run(
        "core/query_mixed.js",
        """(module, text) => {
            const { words, conditions, problems } = module.parseQuery(text);
            const name = ({ of, field, names }) => [of, field ?? names.join(".")].filter(Boolean).join(" ");
            return {
                words,
                conditions: conditions.map(({ key, operator, wanted }) => [name(key), operator, wanted.text]),
                problems: problems.map((problem) => [problem.message, problem.unfinished]),
            };
        }""",
        text,
    )
    assert isinstance(answer, dict)
    return answer


async def test_words_and_conditions_stand_in_one_text(modules: Tab) -> None:
    text = 'lr sweep metrics.acc>0.9 status = running "two words" delta.metrics.a.b<=-1 name~"a b" metrics."c d"=1'
    found = await read_query(modules, text)
    assert found == {
        "words": ["lr", "sweep", "two words"],
        "conditions": [
            ["acc", ">", "0.9"],
            ["status", "=", "running"],
            ["delta a.b", "<=", "-1"],
            ["name", "~", "a b"],
            ["c d", "=", "1"],
        ],
        "problems": [],
    }


async def test_words_that_are_names_of_fields_are_words(modules: Tab) -> None:
    found = await read_query(modules, "status name-of-run metrics idea 2026-11-20 metrics/train")
    assert found["words"] == ["status", "name-of-run", "metrics", "idea", "2026-11-20", "metrics/train"]
    assert not found["problems"]


PROBLEMS: Final = (
    ("loss<1", "character 1 ('loss<1'): expected a column before the operator", True),
    ("a metrics.acc b", "character 15 ('b'): expected one of = != < <= > >= ~", False),
    ("metrics.acc>", "character 13 (''): expected a value", True),
    ("🚂 step=many x", "step: 'many'; expected a number", False),
    ('name="\\ud800"', "character 6: not a JSON string", True),
    ("delta.delta.step=1", "character 7", True),
    ("delta.metrics.a~1", "delta: ~ is for texts", True),
)


async def test_what_cannot_be_read_is_said_with_its_place(modules: Tab) -> None:
    for text, said, unfinished in PROBLEMS:
        found = await read_query(modules, text)
        ((message, is_unfinished),) = found["problems"]
        assert said in message
        assert is_unfinished is unfinished, text


async def test_no_text_throws(modules: Tab) -> None:
    chance = random.Random(6)
    pieces = [*'".[]a =<~\\🚂', "\ud800", "metrics", "delta.", "missing.", "status"]
    texts = ["".join(chance.choice(pieces) for _ in range(chance.randint(0, 14))) for _ in range(4_000)]
    answers = await modules.run(
        "core/query_mixed.js", "(module, texts) => texts.map((text) => module.parseQuery(text).words.length)", texts
    )
    assert len(answers) == len(texts)


async def test_what_could_be_typed_next_is_offered(modules: Tab) -> None:
    columns = ["metrics[m.json].acc", "metrics[m.json].train.acc", "metrics[n.json].train.acc", "params[p].my lr"]
    hints = await modules.run(
        "core/query_hints.js",
        """(module, [columns, texts]) => texts.map((text) => module.hintsAt(text, text.length, {
            columns: new Set(columns),
            valuesOf: (key) => (key.field === "status" ? ["running", "failed"] : []),
        }).hints.map((hint) => hint.text))""",
        [columns, ["word acc", "lr", "status=f", "metrics.acc", "sta", "delta.acc", "nothing-like-it", ""]],
    )
    assert hints[0][:2] == ["metrics.acc", "metrics[m.json].train.acc"]
    assert hints[1] == ['params."my lr"']
    assert hints[2] == ["status=failed"]
    assert hints[3][:2] == ["metrics.acc=", "metrics.acc!="]
    assert hints[4] == ["status"]
    assert hints[5][0] == "delta.metrics.acc"
    assert hints[6:] == [[], []]

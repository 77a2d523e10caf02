"""Single fields of a body: read with their type checked, or refused with their path.

A body is read in layers, each field from its own bytes (`msgspec.Raw`), because that is what tells known fields from
unknown ones, skips a plot of megabytes at 1 GB/s, and gives every error its path. Free-form objects (``params``,
``metrics``, ``machine``, props, unknown fields) are bounded in size and depth, and their whole numbers beyond 64 bits
become floats: everything downstream may encode, merge and walk them without looking again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from livestream.events import Json, JsonObject, Problem
from livestream.git import strip_credentials
from livestream.studio.repositories import normalise

Fields: TypeAlias = dict[str, msgspec.Raw]
"""An object whose values are not decoded yet."""
T = TypeVar("T")

MAX_TEXT_CHARS: Final = 1_000
"""Of names and paths, which are keys in the database."""
MAX_LONG_TEXT_CHARS: Final = 65_536
"""Of texts for people, messages and why a run failed: longer ones are cut, for the rest of their body is good."""
MAX_FREE_BYTES: Final = 4 * 1024 * 1024
"""Of one free-form field as JSON: decoded it takes up to twenty times as much, and it is merged at every update."""
MAX_EXTRA_BYTES: Final = 65_536
"""Of one unknown field: they are kept with the experiment's facts, which are read with every row of the table."""
MAX_DEPTH: Final = 64
"""Of nested objects and lists; Python's own bound is a thousand calls, and differs by who calls."""
MAX_NESTED: Final = 100_000
"""Objects and lists, about, of one free-form field: empty ones cost sixty times their text in memory, and as much in
time when Python looks for garbage."""
SMALLEST_INT: Final = -(2**63)
LARGEST_INT: Final = 2**63 - 1

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_WIDE_NUMBER: Final = re.compile(rb"(?<![0-9.])[0-9]{19}")
_SHA: Final = re.compile("[0-9a-h]{40}")  # a to h, as the stock schema has it

_FIELDS: Final = msgspec.json.Decoder(Fields)
_TEXT: Final = msgspec.json.Decoder(str)
_INT: Final = msgspec.json.Decoder(int)
_ANY: Final = msgspec.json.Decoder()
_OBJECT: Final = msgspec.json.Decoder(JsonObject)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, JsonObject])
_PROBLEM: Final = msgspec.json.Decoder(Problem)
_PROBLEMS: Final = msgspec.json.Decoder(list[Problem])


class WireError(Exception):
    """A body or a header that cannot be taken.

    Attributes:
        path: The bad field: ``metrics.dvclive/metrics.json.data``, or a header's name.
        problem: What is wrong with it.
    """

    def __init__(self, path: str, problem: str) -> None:
        path = _CONTROL.sub("?", path[:MAX_TEXT_CHARS]).encode(errors="replace").decode()
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def read(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw | bytes | memoryview, path: str) -> T:
    """Decode one field.

    Raises:
        WireError: It is of another type, or not JSON.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        problem, _, inner = str(error).partition(" - at `$")
        raise WireError(path + inner.rstrip("`"), _lower_first(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(path, f"not JSON: {error}") from None
    except RecursionError:
        raise WireError(path, f"nested more than {MAX_DEPTH} levels deep") from None


def read_fields(raw: msgspec.Raw | bytes | memoryview, path: str) -> Fields:
    """Read an object without decoding its values."""
    return read(_FIELDS, raw, path)


def required(fields: Fields, name: str) -> msgspec.Raw:
    """Give a field of the body that has to be there."""
    if name not in fields:
        raise WireError(name, "missing")
    return fields[name]


def read_text(raw: msgspec.Raw, path: str, *, longest: int | None = MAX_TEXT_CHARS) -> str:
    """Read a text of at most ``longest`` characters; None: of any length."""
    text = read(_TEXT, raw, path)
    if longest is not None and len(text) > longest:
        raise WireError(path, f"{len(text):,} characters; accepted: {longest:,} at most")
    return text


def read_key(raw: msgspec.Raw, path: str) -> str:
    """Read a name or path: not empty, one line, printable."""
    return check_key(read(_TEXT, raw, path), path)


def check_key(text: str, path: str) -> str:
    """Refuse names and paths that are empty, too long, or hold control characters."""
    if not text:
        raise WireError(path, "empty")
    problem = problem_of_key(text)
    if problem:
        raise WireError(path, problem)
    return text


def problem_of_key(text: str) -> str:
    """Say what keeps a text from being a key; empty if nothing does."""
    if len(text) > MAX_TEXT_CHARS:
        return f"{len(text):,} characters; accepted: {MAX_TEXT_CHARS:,} at most"
    if text.isprintable():  # nearly always, and ten times as quick
        return ""
    return "holds control characters" if _CONTROL.search(text) else ""


def locate(url: str, path: str) -> tuple[str, str]:
    """Give a repository's URL without credentials, and its normal form.

    Raises:
        WireError: There is no repository in it.
    """
    repo_url, repository = _locate(url)
    if not repository:
        raise WireError(path, "names no repository")
    return repo_url, repository


@lru_cache(maxsize=1_024)
def _locate(url: str) -> tuple[str, str]:
    repo_url = strip_credentials(url)
    return repo_url, normalise(repo_url)


def read_sha(raw: msgspec.Raw, path: str) -> str:
    """Read a commit's hash, in any case, as lower case."""
    return check_sha(read(_TEXT, raw, path), path)


def check_sha(text: str, path: str) -> str:
    """Give a commit's hash in lower case."""
    text = text.lower()
    if not _SHA.fullmatch(text):
        raise WireError(path, "expected 40 hexadecimal digits")
    return text


def read_int(raw: msgspec.Raw, path: str) -> int:
    """Read a whole number of 64 bits."""
    number = read(_INT, raw, path)
    if not SMALLEST_INT <= number <= LARGEST_INT:
        raise WireError(path, "beyond 64 bits")
    return number


def read_problem(raw: msgspec.Raw, path: str) -> Problem:
    """Read an ``error``: ``{"cls", "text"}``."""
    return _bounded(read(_PROBLEM, raw, path), path)


def read_problems(raw: msgspec.Raw, path: str) -> list[Problem]:
    """Read ``errors``."""
    _check_size(raw, path, MAX_FREE_BYTES)
    problems: list[Problem] = read(_PROBLEMS, raw, path)
    return [_bounded(problem, f"{path}[{index}]") for index, problem in enumerate(problems)]


def read_object(raw: msgspec.Raw, path: str) -> JsonObject:
    """Read a free-form object."""
    return _free(_OBJECT, raw, path)


def read_objects(raw: msgspec.Raw, path: str) -> dict[str, JsonObject]:
    """Read an object of free-form objects, keyed by file path."""
    objects = _free(_OBJECTS, raw, path)
    for name in objects:
        check_key(name, f"{path}.{name}")
    return objects


def read_extra(fields: Fields, known: frozenset[str], prefix: str = "") -> JsonObject:
    """Read all fields that are not known, to be kept."""
    return {name: _free(_ANY, raw, prefix + name, MAX_EXTRA_BYTES) for name, raw in fields.items() if name not in known}


def _free(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, path: str, max_bytes: int = MAX_FREE_BYTES) -> T:
    content = _check_size(raw, path, max_bytes)
    brackets = content.count(b"{") + content.count(b"[")
    if brackets > MAX_NESTED:
        raise WireError(path, f"more than {MAX_NESTED:,} objects and lists")
    value = read(decoder, content, path)
    if brackets > MAX_DEPTH or _WIDE_NUMBER.search(content):
        tidied: Any = _tidy(value, path, MAX_DEPTH)
        return tidied  # type: ignore[no-any-return] # of the same type: only numbers inside have changed
    return value


def _check_size(raw: msgspec.Raw, path: str, max_bytes: int) -> bytes:
    content = bytes(raw)
    if len(content) > max_bytes:
        raise WireError(path, f"{len(content):,} bytes; accepted: {max_bytes:,} at most")
    return content


def _tidy(value: Json, path: str, levels: int) -> Json:
    if isinstance(value, dict | list) and not levels:
        raise WireError(path, f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {key: _tidy(inner, path, levels - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tidy(inner, path, levels - 1) for inner in value]
    return narrow(value) if isinstance(value, int) else value


def narrow(number: int) -> int | float | str:
    """Make a whole number beyond 64 bits a float, or ``"inf"`` where floats end too: JSON has no infinity."""
    if SMALLEST_INT <= number <= LARGEST_INT:
        return number
    try:
        return float(number)
    except OverflowError:
        return "inf" if number > 0 else "-inf"


def check_depth(value: Json, path: str) -> None:
    """Refuse what is nested too deep."""
    _tidy(value, path, MAX_DEPTH)


def _bounded(problem: Problem, path: str) -> Problem:
    if len(problem.cls) > MAX_TEXT_CHARS:
        raise WireError(f"{path}.cls", f"{len(problem.cls):,} characters; accepted: {MAX_TEXT_CHARS:,} at most")
    return Problem(problem.cls, shortened(problem.text))


def shortened(text: str) -> str:
    """Cut a text for people that is too long, and say so in it."""
    if len(text) <= MAX_LONG_TEXT_CHARS:
        return text
    return f"{text[:MAX_LONG_TEXT_CHARS]}… ({len(text):,} characters)"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]

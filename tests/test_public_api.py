from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

import livestream
from livestream import errors

PROJECT = Path(__file__).resolve().parent.parent

INIT = [
    ("name", None),
    ("message", None),
    ("dir", "dvclive"),
    ("spool", None),
    ("durability", None),
    ("repo_url", None),
    ("baseline_sha", None),
    ("subdir", None),
    ("daemon", None),
    ("ranks", "first"),
]
NEWS = ["metrics", "step", "params", "images", "plots", "timestamp"]


@pytest.mark.parametrize("name", livestream.__all__)
def test_every_public_name_is_there_documented_and_listed(name: str) -> None:
    value = getattr(livestream, name)

    assert value is getattr(livestream, name)
    assert name in dir(livestream)
    assert name == "__version__" or inspect.getdoc(value)


def test_a_name_that_is_not_there_is_an_attribute_error_that_says_so() -> None:
    with pytest.raises(AttributeError, match="'livestream' has no attribute 'nothing'"):
        livestream.nothing  # noqa: B018 - looking it up is the test


def test_names_are_listed_in_order_and_once() -> None:
    assert livestream.__all__ == sorted(set(livestream.__all__))


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert livestream.__version__ == project["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", livestream.__version__)
    assert (PROJECT / "livestream" / "py.typed").is_file()


def test_init_has_the_documented_arguments_and_all_but_the_name_by_keyword() -> None:
    parameters = list(inspect.signature(livestream.init).parameters.values())

    assert [(parameter.name, parameter.default) for parameter in parameters] == INIT
    assert [parameter.kind for parameter in parameters[1:]] == [inspect.Parameter.KEYWORD_ONLY] * 9


def test_emit_has_the_documented_arguments_each_optional() -> None:
    parameters = list(inspect.signature(livestream.Run.emit).parameters.values())[1:]

    assert [parameter.name for parameter in parameters] == NEWS
    assert {parameter.default for parameter in parameters} == {None}
    assert [parameter.kind for parameter in parameters[1:]] == [inspect.Parameter.KEYWORD_ONLY] * 5
    assert next(iter(inspect.signature(livestream.emit).parameters)) == "metrics"


def test_every_error_is_ours_and_says_who_has_to_act() -> None:
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    assert len(ours) > 5
    assert all(issubclass(kind, livestream.LivestreamError) for kind in ours)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in ours)
    assert issubclass(livestream.InvalidEventError, ValueError)

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from dvclive.utils import clean_and_copy_into
from gto.constants import assert_name_is_valid
from gto.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from livestream.live.artifacts import Artifacts, name_problem
from livestream.live.error import InvalidNameError, InvalidParameterTypeError

NAME_SIGNS = "aZ09-_/. é\n"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_copies_are_the_files_that_dvclive_makes(tmp_path: Path) -> None:
    model, data = tmp_path / "model.pt", tmp_path / "data"
    (data / "below").mkdir(parents=True)
    for round_, source in enumerate((model, data, model, data)):
        model.write_bytes(b"%d" % round_)
        (data / "below" / f"{round_}.csv").write_text("x")
        if round_ == 3:
            (data / "below" / "1.csv").unlink()
        model.chmod(0o640)

        ours = Artifacts("run/artifacts").copy(source)
        theirs = clean_and_copy_into(source, tmp_path / "theirs")

        assert Path(ours).relative_to("run/artifacts") == Path(theirs).relative_to(tmp_path / "theirs")
        assert tree(Path("run/artifacts")) == tree(tmp_path / "theirs")
        assert os.stat(ours).st_mode == os.stat(theirs).st_mode
        assert int(os.stat(ours).st_mtime) == int(os.stat(source).st_mtime)
    assert sorted(os.listdir("run/artifacts")) == ["data", "model.pt"]


def test_a_file_takes_the_place_of_a_folder_and_of_a_link_whose_target_stays(tmp_path: Path) -> None:
    artifacts = Artifacts("artifacts")
    (tmp_path / "a").mkdir()
    artifacts.copy("a")
    (tmp_path / "a").rmdir()
    (tmp_path / "a").write_text("file")
    assert Path(artifacts.copy("a")).read_text() == "file"

    (tmp_path / "target").write_text("target")
    Path("artifacts/a").unlink()
    Path("artifacts/a").symlink_to(tmp_path / "target")
    assert Path(artifacts.copy(Path("a"))).read_text() == "file"
    assert (tmp_path / "target").read_text() == "target"


def test_a_copy_that_is_logged_again_stays_though_it_is_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("weights")
    copied = Artifacts("artifacts").copy("model.pt")

    assert Artifacts("artifacts").copy(copied) == copied
    assert Path(copied).read_text() == "weights"


def test_a_source_that_is_missing_leaves_the_copy_before_it(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("weights")
    copied = Artifacts("artifacts").copy("model.pt")
    (tmp_path / "model.pt").unlink()

    with pytest.raises(FileNotFoundError):
        Artifacts("artifacts").copy("model.pt")
    assert Path(copied).read_text() == "weights"
    assert os.listdir("artifacts") == ["model.pt"]


def test_a_folder_that_holds_the_run_is_copied_without_its_artifacts(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text("{}")

    assert Artifacts("run/artifacts").copy("run") == "run/artifacts/run"
    assert Artifacts("run/artifacts").copy(".") == f"run/artifacts/{tmp_path.name}"
    assert os.listdir("run/artifacts/run") == ["metrics.json"]


def test_the_root_of_the_file_system_is_not_copied() -> None:
    with pytest.raises(InvalidNameError):
        Artifacts("artifacts").copy("/")
    assert not os.path.exists("artifacts")


@given(st.text(alphabet=NAME_SIGNS, max_size=5))
@example("model")
@example("a")
@example("")
@example("group/model-1_b")
def test_names_are_taken_as_gto_takes_them(name: str) -> None:
    try:
        assert_name_is_valid(name)  # type: ignore[no-untyped-call]
    except ValidationError:
        taken = False
    else:
        taken = not name.endswith("\n")  # which gto overlooks, and Git's tags cannot hold
    assert (name_problem(name) is None) == taken


def test_what_is_said_of_an_artifact_is_kept_in_dvclives_order_without_what_is_not_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    artifacts = Artifacts("artifacts")
    artifacts.describe(Path("models/net.v1.pt"), None, {"type": "model", "desc": None, "labels": [], "meta": {"a": 1}})
    artifacts.describe("data.csv", "data/all", {"type": None, "desc": None, "labels": None, "meta": None})
    artifacts.describe("nothing.csv", None, {"type": None, "desc": "", "labels": None, "meta": None})
    with caplog.at_level(logging.WARNING, "livestream"):
        artifacts.describe("bad.csv", "bad name", {"desc": "it is bad"})

    expected = {"path": "models/net.v1.pt", "type": "model", "labels": [], "meta": {"a": 1}}
    assert list(artifacts.described) == ["data/all"]  # net.v1 has a dot
    artifacts.describe(Path("models/net.v1.pt"), "net", {"type": "model", "desc": None, "labels": [], "meta": {"a": 1}})
    assert list(artifacts.described["net"].items()) == list(expected.items())
    assert [record.getMessage() for record in caplog.records if "bad name" in record.getMessage()] == [
        "Can't use 'bad name' as artifact name (ID). It will not be included in the `artifacts` section."
    ]


def test_what_yaml_cannot_hold_is_an_error_at_once() -> None:
    artifacts = Artifacts("artifacts")

    with pytest.raises(InvalidParameterTypeError, match="cannot represent an object"):
        artifacts.describe("a.pt", None, {"meta": {"lock": object()}})
    assert artifacts.described == {}

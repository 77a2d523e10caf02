from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dvclive.dvc
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from training_cases import small_disk

from livestream.live.dvcyaml import Described, DvcYamlFile, entries, merge, own_prefix
from livestream.live.error import YAMLError

FOREIGN = """\
# our pipeline
vars:
- params.yaml   # shared
stages:
  prepare:
    cmd: >-
      python prepare.py
      --all
    outs: [data/a.csv, data/b.csv]   # flow style stays
  train:
    foreach: {a: 1, b: 2}
    do:
      cmd: python train.py ${item}

      params: &shared
      - lr
    # metrics are ours
params:
- other/params.yaml
- nested.yaml:
  - a.b
metrics:
- other/metrics.json
plots:
- other/plots: {x: step}
- roc:
    y:
      a.csv: [tpr, fpr]
    title: "a long title that is longer than eighty characters, and therefore folded by the one that writes YAML"
- {two: 1, keys: 2}
- images/a.png
artifacts:
  foreign:
    path: models/foreign.pt
    labels: &l [a, b]
  alias:
    path: x.pt
    labels: *l
# the end
"""
STALE = """\
params:
- dvclive/params.yaml
- ./dvclive/old.yaml
plots:
- dvclive/plots/metrics:
    x: step
- dvclive/plots/images
- stay.csv
metrics: [dvclive/metrics.json]
artifacts:
  gone:
    path: dvclive/artifacts/gone.pt
  pathless:
    type: model
  model:
    path: old.pt
    desc: will be replaced
"""
FILES = [
    None,
    "",
    "# only a comment\n",
    "{}\n",
    "---\nstages: {}\n...\n",
    "params: []\nmetrics: []\n",
    "plots:\r\n- a.csv\r\nstages:\r\n  a:\r\n    cmd: x  # crlf\r\n",
    "metrics:\n  - indented.json\n  # a comment in a list\n  - two.json\nstages:\n    a:\n        cmd: x\n",
    'stages:\n  "é":\n    cmd: "ünï"\n    desc: |\n      two\n      lines\n',
    "plots: [1, null, [a], dvclive/gone.csv]\n",
    FOREIGN,
    STALE,
]
PLOTS = (
    ("dvclive/plots/sklearn/roc.json", {"template": "simple", "x": "fpr", "y": "tpr", "title": "ROC: a" * 20}),
    ("dvclive/plots/custom/deep/ä b.json", {"template": "linear", "x": "x", "y": ["a", "b"]}),
)
ARTIFACTS = {
    "model": {"path": "models/m.pt", "type": "model", "desc": "of\nlines", "labels": ["a"], "meta": {"k": [1, None]}},
    "copied": {"path": "dvclive/artifacts/c.pt"},
    "outside": {"path": "/outside/o.pt"},
}
BARE = Described(directory="dvclive", dvc_file="dvc.yaml")
RUN = [
    BARE,
    msgspec.structs.replace(BARE, metrics=True, histories=True),
    msgspec.structs.replace(BARE, metrics=True, histories=True, params=True, images=True),
    msgspec.structs.replace(BARE, metrics=True, histories=True, params=True, images=True, plots=PLOTS[:1]),
    msgspec.structs.replace(BARE, metrics=True, params=True, plots=PLOTS, artifacts=ARTIFACTS),
    msgspec.structs.replace(BARE, metrics=True, plots=PLOTS, artifacts={"model": {"path": "new.pt"}}),
    BARE,
]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dvclive_writes(described: Described) -> None:
    """What the real DVCLive does for a run like that, with ``theirs`` in place of the file's name."""
    run = described.directory
    if described.histories:
        os.makedirs(os.path.join(run, "plots/metrics"), exist_ok=True)
    elif os.path.isdir(os.path.join(run, "plots/metrics")):
        os.rmdir(os.path.join(run, "plots/metrics"))
    plots = {path: SimpleNamespace(output_path=Path(path), plot_config=config) for path, config in described.plots}
    dvclive.dvc.make_dvcyaml(
        SimpleNamespace(
            dir=run,
            dvc_file=described.dvc_file,
            _params=described.params,
            params_file=os.path.join(run, "params.yaml"),
            _metrics=described.metrics,
            summary={},
            metrics_file=os.path.join(run, "metrics.json"),
            plots_dir=os.path.join(run, "plots"),
            _images=described.images,
            _plots=plots,
            _artifacts=dict(described.artifacts),
        )
    )


def assert_writes_as_dvclive(old: str | None, run: list[Described]) -> None:
    """Let both keep a file of the same content through a run, and hold each state of it to theirs."""
    path = Path(run[0].dvc_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old.encode())
    theirs = []
    for described in run:
        dvclive_writes(described)
        theirs.append(path.read_bytes())
    path.unlink()
    if old is not None:
        path.write_bytes(old.encode())
    ours = DvcYamlFile(run[0].dvc_file, run[0].directory)
    for step, described in enumerate(run):
        ours.write(described)
        assert path.read_bytes().decode() == theirs[step].decode(), f"in step {step}"


@pytest.mark.parametrize("old", FILES)
def test_a_run_leaves_the_bytes_that_dvclive_leaves_in_every_step(old: str | None) -> None:
    assert_writes_as_dvclive(old, RUN)
    assert_writes_as_dvclive(old, RUN[::-1])


@pytest.mark.parametrize(
    ("directory", "dvc_file"),
    [
        ("results/run", "dvc.yaml"),
        ("dvclive", "sub/folder/dvc.yaml"),
        ("/tmp/livestream-absolute/run", "dvc.yaml"),
        ("../sibling", "dvc.yaml"),
        ("./dvclive/", "./dvc.yaml"),
    ],
)
def test_paths_are_told_as_dvclive_tells_them_wherever_the_run_and_the_file_lie(directory: str, dvc_file: str) -> None:
    moved = [msgspec.structs.replace(described, directory=directory, dvc_file=dvc_file) for described in RUN]

    assert_writes_as_dvclive(FOREIGN, moved)


SECTION = st.lists(
    st.one_of(
        st.sampled_from(["dvclive/a.csv", "b.csv", "a/../c.csv", "longer/path with space.csv", "1", "ä"]),
        st.sampled_from(
            [{"dvclive/p": {"x": "step"}}, {"q.csv": {"y": ["a", "b"], "title": "t" * 90}}, {"a": 1, "b": 2}]
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["params", "metrics", "plots", "vars"]), SECTION), st.permutations(RUN))
def test_any_foreign_file_and_any_order_of_a_run_give_the_bytes_of_dvclive(
    content: dict[str, Any], run: list[Described]
) -> None:
    with open("old.yaml", "w", encoding="utf-8") as file:
        YAML().dump(content, file)

    assert_writes_as_dvclive(Path("old.yaml").read_text(), run)


def test_the_file_is_touched_only_when_there_is_something_else_to_say() -> None:
    file = DvcYamlFile("dvc.yaml", "dvclive")
    assert file.write(RUN[1])
    before = os.stat("dvc.yaml")

    assert not any(file.write(msgspec.structs.replace(RUN[1])) for _ in range(100))
    assert os.stat("dvc.yaml") == before
    assert file.write(RUN[2])


def test_what_somebody_else_writes_meanwhile_stays_and_what_is_removed_comes_back() -> None:
    file = DvcYamlFile("dvc.yaml", "dvclive")
    file.write(RUN[2])
    ours = Path("dvc.yaml").read_text()

    Path("dvc.yaml").write_text("stages:\n  a:\n    cmd: x\nmetrics: []\n")
    assert file.write(RUN[2])
    assert "cmd: x" in Path("dvc.yaml").read_text()
    assert "dvclive/metrics.json" in Path("dvc.yaml").read_text()

    Path("dvc.yaml").unlink()
    assert file.write(RUN[2])
    assert Path("dvc.yaml").read_text() == ours


def test_a_change_inside_what_was_described_is_seen() -> None:
    artifacts: dict[str, dict[str, Any]] = {"model": {"path": "m.pt", "labels": ["a"]}}
    file = DvcYamlFile("dvc.yaml", "dvclive")
    file.write(msgspec.structs.replace(BARE, artifacts=artifacts))
    artifacts["model"]["labels"].append("b")

    assert file.write(msgspec.structs.replace(BARE, artifacts=artifacts))
    assert "- b\n" in Path("dvc.yaml").read_text()
    assert artifacts["model"]["path"] == "m.pt"


def test_a_file_in_the_runs_own_folder_holds_each_entry_once_where_dvclive_repeats_them_at_each_step() -> None:
    run = [
        msgspec.structs.replace(described, dvc_file="dvclive/dvc.yaml", artifacts={"m": {"path": "models/m.pt"}})
        for described in RUN[1:4]
    ]
    file = DvcYamlFile("dvclive/dvc.yaml", "dvclive")
    for described in run:
        file.write(described)

    expected = {
        "metrics": ["metrics.json"],
        "plots": [
            {"plots/metrics": {"x": "step"}},
            "plots/images",
            {"plots/sklearn/roc.json": dict(PLOTS[0][1])},
        ],
        "params": ["params.yaml"],
        "artifacts": {"m": {"path": "../models/m.pt"}},
    }
    assert YAML(typ="safe").load(Path("dvclive/dvc.yaml")) == expected
    Path("dvclive/dvc.yaml").unlink()
    for described in run[-1:]:
        dvclive_writes(described)
    assert YAML(typ="safe").load(Path("dvclive/dvc.yaml")) == expected
    dvclive_writes(run[-1])
    assert YAML(typ="safe").load(Path("dvclive/dvc.yaml"))["metrics"] == ["metrics.json"] * 2


def test_the_entries_of_another_run_whose_folder_ends_in_the_same_name_stay_which_dvclive_drops() -> None:
    old = "metrics:\n- other/dvclive/metrics.json\n- mydvclive/metrics.json\n- dvclive/metrics.json\n"

    merged = merge(old, {"metrics": ["dvclive/metrics.json"]}, own_prefix("dvclive", "dvc.yaml"))

    assert merged == old


def test_sections_with_a_title_only_are_empty_where_dvclive_fails() -> None:
    merged = merge("params:\nmetrics:\nplots:\nartifacts:\n", {"metrics": ["m.json"]}, "dvclive/")

    assert YAML(typ="safe").load(merged) == {"metrics": ["m.json"]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"stages: [", "unable to read: 'dvc.yaml', YAML file structure is corrupted"),
        (b"a: 1\na: 2\n", "unable to read: 'dvc.yaml', YAML file structure is corrupted"),
        (b"a: 1\n---\nb: 2\n", "unable to read: 'dvc.yaml', YAML file structure is corrupted"),
        (b"a: \xff\n", "unable to read: 'dvc.yaml', is not valid utf-8"),
        (b"- a\n", "unable to read: 'dvc.yaml', it holds no sections"),
        (b"plots:\n  a.csv: {x: step}\n", "unable to read: 'dvc.yaml', `plots` is not a list"),
        (b"artifacts: [a]\n", "unable to read: 'dvc.yaml', `artifacts` is not a dict"),
    ],
)
def test_a_file_that_cannot_be_read_stays_as_it_is_and_is_told_of_once(
    content: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path("dvc.yaml").write_bytes(content)
    file = DvcYamlFile("dvc.yaml", "dvclive")

    with caplog.at_level(logging.WARNING, "livestream"):
        assert not any(file.write(described) for described in RUN)
    assert Path("dvc.yaml").read_bytes() == content
    assert [record.getMessage() for record in caplog.records] == [f"Error in make_dvcyaml: {why}"]

    Path("dvc.yaml").write_text("vars: [a]\n")
    assert file.write(RUN[1])
    assert YAML(typ="safe").load(Path("dvc.yaml")).keys() == {"vars", "metrics", "plots"}


@pytest.mark.parametrize("content", [b"stages: [", b"a: \xff\n"])
def test_the_words_for_a_broken_file_are_those_of_dvclive(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    Path("dvc.yaml").write_bytes(content)
    with pytest.raises(Exception, match="unable to read") as raised:
        dvclive_writes(RUN[1])

    with caplog.at_level(logging.WARNING, "livestream"):
        DvcYamlFile("dvc.yaml", "dvclive").write(RUN[1])
    assert [record.getMessage() for record in caplog.records] == [f"Error in make_dvcyaml: {raised.value}"]


def test_a_read_only_disk_is_told_of_once_and_the_file_comes_when_it_can(caplog: pytest.LogCaptureFixture) -> None:
    with small_disk("1m", ",ro") as disk, caplog.at_level(logging.WARNING, "livestream"):
        file = DvcYamlFile(str(disk / "dvc.yaml"), "dvclive")
        assert not any(file.write(described) for described in RUN)
    assert len(caplog.records) == 1

    Path("blocked").write_text("")
    file = DvcYamlFile("blocked/dvc.yaml", "dvclive")
    assert not file.write(RUN[1])
    Path("blocked").unlink()
    assert file.write(RUN[1])


def test_a_link_stays_a_link_and_its_file_is_written() -> None:
    Path("real").mkdir()
    Path("real/dvc.yaml").write_text("vars: [a]\n")
    Path("dvc.yaml").symlink_to("real/dvc.yaml")

    assert DvcYamlFile("dvc.yaml", "dvclive").write(RUN[1])
    assert Path("dvc.yaml").is_symlink()
    assert "dvclive/metrics.json" in Path("real/dvc.yaml").read_text()


def test_a_run_with_nothing_to_tell_has_no_sections() -> None:
    assert entries(BARE) == {}


def test_no_yaml_is_an_error_with_its_reason() -> None:
    with pytest.raises(YAMLError, match="corrupted"):
        merge("[", {}, "dvclive/")

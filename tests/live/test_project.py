from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import dvclive.dvc
import pytest
from dvc.repo import Repo
from project_cases import dvc, dvc_json, git, make_dvc, make_git
from training_cases import run, small_disk, succeed

from livestream.live.dvcyaml import Described, DvcYamlFile
from livestream.live.project import Project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # pygtrie's, which dvc uses
TAKEN = "Experiment conflicts with existing experiment 'taken'."


def find(folder: Path, environ: dict[str, str] | None = None) -> Project:
    return Project.find(environ or {}, folder)


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "livestream"]


def write_run(folder: Path, lr: float) -> None:
    """The files that a run leaves, by hand, and the dvc.yaml that tells of them."""
    live = folder / "dvclive"
    for path, content in {
        "params.yaml": f"lr: {lr}\n",
        "metrics.json": json.dumps({"loss": lr / 2, "step": 1}),
        "plots/metrics/loss.tsv": f"step\tloss\n0\t1.0\n1\t{lr / 2}\n",
        "plots/custom/points.json": json.dumps([{"x": 1, "y": lr}, {"x": 2, "y": 2 * lr}]),
        "plots/sklearn/roc.json": json.dumps({"roc": [{"fpr": 0, "tpr": lr}]}),
    }.items():
        (live / path).parent.mkdir(parents=True, exist_ok=True)
        (live / path).write_text(content)
    before = Path.cwd()
    os.chdir(folder)
    try:
        DvcYamlFile("dvc.yaml", "dvclive").write(
            Described(
                directory="dvclive",
                dvc_file="dvc.yaml",
                params=True,
                metrics=True,
                histories=True,
                plots=(
                    ("dvclive/plots/custom/points.json", {"template": "linear", "x": "x", "y": "y"}),
                    ("dvclive/plots/sklearn/roc.json", {"template": "simple", "x": "fpr", "y": "tpr"}),
                ),
                artifacts={"net": {"path": "model.pt", "type": "model"}},
            )
        )
    finally:
        os.chdir(before)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC repository in a Git repository, and the working folder."""
    folder = make_dvc(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


# -- what is found


def test_a_folder_with_nothing_around_it_is_no_project(tmp_path: Path) -> None:
    for found in (find(tmp_path), find(tmp_path / "absent"), Project()):
        assert (found.dvc_root, found.git, found.repo, found.tracks) == (None, None, None, False)
        assert (found.inside_pipeline, found.inside_experiment) == (False, False)
        found.prepare()
        assert found.experiment_name("mine") == "mine"
        assert found.experiment_name(None).count("-") == 2
        assert (found.add("a"), found.save("a", [], None), found.overlapping_stage("a")) == (None, None, None)
        found.track("a", "dvc.yaml")
    assert list(tmp_path.iterdir()) == []


def assert_agrees_with_dvc(folder: Path) -> Project:
    """Hold what we found to what dvc itself finds, and to what DVCLive makes of it."""
    found = find(folder)
    repo = Repo(os.path.realpath(folder))  # what os.getcwd() gives
    try:
        assert str(found.dvc_root) == repo.root_dir
        assert found.git is not None
        assert found.git.head == repo.scm.get_rev()
        assert found.tracks
        assert found.repo is not None
        assert found.repo.root_dir == repo.root_dir
    finally:
        found.close()
        repo.close()
    return found


def test_the_repositories_are_found_from_a_subfolder_and_through_a_link(project: Path, tmp_path: Path) -> None:
    (project / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(project / "a")

    assert_agrees_with_dvc(project / "a" / "b")
    assert_agrees_with_dvc(tmp_path / "link")


def test_a_dvc_repository_in_a_subfolder_of_git_is_its_own(tmp_path: Path) -> None:
    top = make_git(tmp_path / "mono")
    for name in ("one", "two"):
        make_dvc(top / name, "--subdir")

    found = assert_agrees_with_dvc(top / "one")
    assert found.dvc_root == top / "one"
    assert found.git is not None
    assert found.git.root == top
    assert find(top).dvc_root is None


def test_a_worktree_and_a_detached_head_have_their_own_commit(project: Path, tmp_path: Path) -> None:
    git(project, "commit", "--quiet", "--allow-empty", "--message=more")
    git(project, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"), "HEAD~1")

    found = assert_agrees_with_dvc(tmp_path / "other")
    assert found.git is not None
    assert found.git.branch is None
    assert found.git.head != git(project, "rev-parse", "HEAD")
    assert_agrees_with_dvc(project)


def test_a_repository_nested_in_a_dvc_repository_of_another_git_belongs_to_that_as_for_dvc(project: Path) -> None:
    make_git(project / "vendored")

    assert assert_agrees_with_dvc(project / "vendored").dvc_root == project


def test_without_git_a_dvc_repository_tracks_only_where_it_was_made_so(tmp_path: Path) -> None:
    alone = make_dvc(tmp_path / "alone", "--no-scm")
    found = find(alone)
    assert (found.dvc_root, found.git, found.tracks) == (alone, None, True)
    assert found.repo is not None
    found.close()

    (alone / ".dvc" / "config").write_text("")  # as in a container that was given .dvc and no .git
    found = find(alone)
    assert (found.dvc_root, found.git, found.tracks, found.repo) == (alone, None, False, None)


def test_no_scm_hides_a_git_repository_from_dvc_and_from_us(tmp_path: Path) -> None:
    folder = make_git(tmp_path / "project")
    dvc(folder, "init", "--quiet", "--no-scm")

    found = find(folder)
    assert (found.dvc_root, found.git, found.tracks) == (folder, None, True)


def test_git_dir_does_not_lead_us_elsewhere_as_it_does_not_lead_dvc(project: Path, tmp_path: Path) -> None:
    other = make_git(tmp_path / "other")

    found = find(project, {"GIT_DIR": str(other / ".git")})
    assert found.git is not None
    assert found.git.root == project


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (False, False)),
        ({"DVC_ROOT": "/p"}, (True, False)),
        ({"DVC_ROOT": "/p", "DVC_EXP_BASELINE_REV": "a" * 40}, (True, True)),
        ({"DVC_EXP_BASELINE_REV": "a" * 40}, (False, False)),
    ],
)
def test_a_pipeline_and_an_experiment_are_known_by_their_variables(
    environ: dict[str, str], expected: tuple[bool, bool], tmp_path: Path
) -> None:
    found = find(tmp_path, environ)

    assert (found.inside_pipeline, found.inside_experiment) == expected


# -- what is made


def test_a_git_repository_becomes_a_dvc_repository_as_dvclive_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = make_git(tmp_path / "ours"), make_git(tmp_path / "theirs")
    (ours / "below").mkdir()
    found = find(ours / "below")
    found.prepare()
    monkeypatch.chdir(theirs)
    made = dvclive.dvc.get_dvc_repo()
    assert made is not None
    made.close()

    assert found.dvc_root == ours
    assert git(ours, "status", "--short") == git(theirs, "status", "--short") != ""
    for name in git(theirs, "diff", "--cached", "--name-only").split():
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_an_empty_git_repository_becomes_one_too_and_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    found = find(tmp_path)
    found.prepare()

    assert found.dvc_root == tmp_path
    assert found.git is not None
    assert found.git.head is None
    assert found.experiment_name("mine") == "mine"


def test_trouble_with_making_one_is_told_and_the_run_goes_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_git(tmp_path)
    (tmp_path / ".gitignore").write_text(".dvc\n")
    found = find(tmp_path)
    found.prepare()

    assert found.dvc_root is None
    (text,) = texts(caplog)
    assert text.startswith("Error in _init_dvc: ")
    assert "is ignored by your SCM tool" in text


def test_a_read_only_repository_is_told_of_and_the_run_goes_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_git(tmp_path / "made")
    with small_disk("4m") as disk:
        shutil.copytree(made, disk / "project")
        os.system(f"mount -o remount,ro {disk}")
        found = find(disk / "project")
        found.prepare()
        assert (found.dvc_root, found.save("a", [], None)) == (None, None)
    assert [text.partition(":")[0] for text in texts(caplog)] == ["Error in _init_dvc"]


# -- names


def test_a_name_is_the_one_wanted_else_the_variables_else_random(project: Path) -> None:
    assert find(project, {"DVC_EXP_NAME": "said"}).experiment_name("wanted") == "wanted"
    assert find(project, {"DVC_EXP_NAME": "said"}).experiment_name(None) == "said"
    assert len({find(project, {"SLURM_JOB_ID": "12"}).experiment_name(None) for _ in range(20)}) == 20


def test_a_random_name_is_none_that_is_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git(project, "rev-parse", "HEAD")
    git(project, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/taken", head)
    drawn = iter(["taken", "taken", "free"])
    monkeypatch.setattr("livestream.names.random_name", lambda: next(drawn))

    assert find(project).experiment_name(None) == "free"


@pytest.mark.parametrize("packed", [False, True])
def test_a_taken_name_is_told_of_and_another_is_made(
    *, packed: bool, project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = git(project, "rev-parse", "HEAD")
    git(project, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/taken", head)
    git(project, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
    if packed:
        git(project, "pack-refs", "--all", "--prune")
        assert not (project / ".git" / "refs" / "exps" / head[:2]).exists()

    for folder in (project, tmp_path / "other"):
        caplog.clear()
        assert find(folder).experiment_name("taken").count("-") == 2
        assert find(folder).experiment_name("take") == "take"
        assert texts(caplog) == [TAKEN]

    git(project, "commit", "--quiet", "--allow-empty", "--message=another baseline")
    assert find(project).experiment_name("taken") == "taken"


@pytest.mark.parametrize("name", ["a/b", "a b", "a..b", "x.lock", "-" * 300, "../../heads/main"])
def test_a_name_that_git_cannot_hold_is_told_of_in_dvclives_words(
    name: str, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert find(project).experiment_name(name) != name
    assert texts(caplog) == [
        f"Invalid exp name {name}, the exp name must follow rules in https://git-scm.com/docs/git-check-ref-format"
    ]


def test_inside_an_experiment_the_name_is_dvcs_even_if_it_is_taken(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = git(project, "rev-parse", "HEAD")
    git(project, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/taken", head)
    environ = {"DVC_ROOT": str(project), "DVC_EXP_BASELINE_REV": head, "DVC_EXP_NAME": "taken"}

    assert find(project, environ).experiment_name("wanted") == "taken"
    assert texts(caplog) == []


# -- artifacts and pipelines


def test_an_artifact_is_added_as_dvc_add_adds_it(project: Path, tmp_path: Path) -> None:
    (project / "models").mkdir()
    (project / "models" / "net.pt").write_text("weights")
    found = find(project)

    assert found.add("models/net.pt") == "models/net.pt.dvc"
    by_us = (project / "models/net.pt.dvc").read_bytes(), (project / "models/.gitignore").read_bytes()
    found.close()
    dvc(project, "remove", "models/net.pt.dvc")
    dvc(project, "add", "--quiet", "models/net.pt")
    assert by_us == ((project / "models/net.pt.dvc").read_bytes(), (project / "models/.gitignore").read_bytes())


def test_what_cannot_be_added_is_told_of(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = find(project)

    assert found.add("absent.pt") is None
    assert [text.partition(":")[0] for text in texts(caplog)] == ["Error in cache"]
    found.close()


PIPELINE = """\
stages:
  train:
    cmd: python train.py
    outs:
    - model
    - results/run
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model", "train"),
        ("model/part.bin", "train"),
        ("results/run/dvc.yaml", "train"),
        ("tracked/deep/dvc.yaml", "tracked.dvc"),
        ("dvc.yaml", None),
        ("other/dvc.yaml", None),
        ("model.pt", None),  # DVCLive takes it for a part of `model`, and does not cache it
        ("results/running/dvc.yaml", None),
    ],
)
@pytest.mark.parametrize("environ", [{}, {"DVC_ROOT": "/p"}])
def test_the_stage_that_has_a_path_among_its_outputs_is_found(
    project: Path, path: str, expected: str | None, environ: dict[str, str]
) -> None:
    (project / "dvc.yaml").write_text(PIPELINE)
    (project / "tracked.dvc").write_text("outs:\n- path: tracked\n")
    found = find(project, environ)

    stage = found.overlapping_stage(path)
    assert (stage and stage.addressing) == expected
    assert stage is None or stage.cmd == ("python train.py" if expected == "train" else None)
    assert found.overlapping_stage(str(project / path)) == stage
    found.close()


def test_a_broken_pipeline_is_told_of(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    (project / "dvc.yaml").write_text("stages: [dvclive/dvc.yaml")
    found = find(project)

    assert found.overlapping_stage("dvclive/dvc.yaml") is None
    assert texts(caplog) == ["Error in _init_dvc: unable to read: 'dvc.yaml', YAML file structure is corrupted"]
    found.close()


def test_inside_an_experiment_the_new_files_of_the_run_come_into_gits_index_but_for_dvcs_outputs(
    project: Path,
) -> None:
    write_run(project, 0.5)
    for path in ("other/dvclive/metrics.json", "dvclive/plots/images/a.png", "dvclive2/x"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("x")
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(f"{text}stages:\n  t:\n    cmd: x\n    outs: [dvclive/plots/images]\n")
    found = find(project)

    found.track("dvclive", "dvc.yaml")
    found.close()
    assert git(project, "diff", "--cached", "--name-only").split() == [
        "dvc.yaml",
        "dvclive/metrics.json",
        "dvclive/params.yaml",
        "dvclive/plots/custom/points.json",
        "dvclive/plots/metrics/loss.tsv",
        "dvclive/plots/sklearn/roc.json",
    ]


# -- saved experiments


def saved(folder: Path, name: str) -> str | None:
    return find(folder).save(name, ["dvclive", "dvc.yaml"], f"message of {name}")


def test_dvcs_commands_read_what_a_run_leaves_and_what_is_saved_of_it(project: Path) -> None:
    write_run(project, 0.5)
    first = saved(project, "first")
    write_run(project, 0.25)
    second = saved(project, "second")

    assert first is not None
    assert second is not None
    assert git(project, "log", "-1", "--format=%s", second) == "message of second"
    rows = {row["rev"]: row for row in dvc_json(project, "exp", "show", "--all-commits")}
    baseline = rows[git(project, "rev-parse", "HEAD")]
    experiments = {experiment["name"]: experiment["revs"][0] for experiment in baseline["experiments"]}
    assert {name: shown["rev"] for name, shown in experiments.items()} == {"first": first, "second": second}
    shown = experiments["first"]["data"]
    assert shown["params"]["dvclive/params.yaml"]["data"] == {"lr": 0.5}
    assert shown["metrics"]["dvclive/metrics.json"]["data"] == {"loss": 0.25, "step": 1}
    metrics = dvc_json(project, "metrics", "diff", "first", "second")
    assert metrics == {"dvclive/metrics.json": {"loss": {"old": 0.25, "new": 0.125, "diff": -0.125}}}
    params = dvc_json(project, "params", "diff", "first")
    assert params == {"dvclive/params.yaml": {"lr": {"old": 0.5, "new": 0.25, "diff": -0.25}}}
    plots = dvc_json(project, "plots", "diff", "first", "second")
    assert plots.keys() == {"data"}  # no errors
    points = {path: drawn[0]["content"]["data"]["values"] for path, drawn in plots["data"].items()}
    assert {path: len(rows) for path, rows in points.items()} == {
        "dvclive/plots/metrics/loss.tsv": 4,
        "dvclive/plots/custom/points.json": 4,
        "dvclive/plots/sklearn/roc.json": 2,
    }
    listed = csv.DictReader(io.StringIO(dvc(project, "exp", "show", "--csv")))
    assert {row["Experiment"] for row in listed} >= {"first", "second"}
    assert Repo(str(project)).artifacts.read()["dvc.yaml"]["net"].path == "model.pt"


def test_an_experiment_is_saved_from_a_monorepo_a_worktree_and_a_detached_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = make_git(tmp_path / "mono")
    make_dvc(top / "sub", "--subdir")
    git(top, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
    for folder in (top / "sub", tmp_path / "other" / "sub"):
        monkeypatch.chdir(folder)
        write_run(folder, 0.5)
        before = git(folder, "rev-parse", "HEAD"), git(folder, "status", "--short")
        revision = saved(folder, f"of-{folder.parent.name}")

        assert revision is not None
        assert "sub/dvclive/metrics.json" in git(folder, "show", "--format=", "--name-only", revision)
        assert (git(folder, "rev-parse", "HEAD"), git(folder, "status", "--short")) == before
        assert find(folder).experiment_name(f"of-{folder.parent.name}") != f"of-{folder.parent.name}"


def test_what_cannot_be_saved_is_told_of_in_dvclives_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_dvc(tmp_path / "project", "--no-scm")

    assert saved(folder, "any") is None
    assert [text.partition(":")[0] for text in texts(caplog)] == ["Error in save_dvc_exp"]


def test_a_lock_that_another_dvc_holds_is_told_of(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    (project / "model.pt").write_text("x")
    other = Repo(str(project))
    found = find(project)
    with other.lock:
        assert found.add("model.pt") is None
    assert "Unable to acquire lock" in texts(caplog)[0]
    found.close()
    other.close()


def test_saving_leaves_threads_the_working_folder_logs_and_signals_alone(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = make_dvc(tmp_path / "project")
    write_run(folder, 0.5)
    script = """
    import logging, signal, sys, threading, time
    from pathlib import Path
    os.chdir(sys.argv[1])
    os.mkdir("below")
    os.chdir("below")
    logging.basicConfig(level=logging.INFO, format="%(name)s:%(message)s", stream=sys.stderr)
    logging.getLogger("aiohttp").setLevel(logging.INFO)
    logging.getLogger("livestream").setLevel(logging.INFO)
    def state():
        loggers = ["", "livestream", "aiohttp", "asyncio", "dvclive"]
        return (
            sys.stdout, sys.stderr, sys.excepthook, threading.excepthook, os.getcwd(), dict(os.environ),
            [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in loggers],
            [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        )
    from livestream.live.project import Project
    before = state()
    stopped, folders, written = threading.Event(), set(), []
    def work():
        while not stopped.is_set():
            folders.add(os.getcwd())
            Path("untracked.tsv").open("a").write("x\\n")
            written.append(1)
            time.sleep(0.001)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    project = Project.find(os.environ, Path.cwd())
    revision = project.save("busy", ["../dvclive", "../dvc.yaml"], None)
    stopped.set()
    for thread in threads: thread.join()
    after = state()
    say(revision is not None, len(folders), len(written) > 10, Path("untracked.tsv").stat().st_size == 2 * len(written))
    say([a == b for a, b in zip(before, after, strict=True)])
    say(logging.getLogger("dvc").level == logging.WARNING)
    """
    done = run(script, environ, folder)

    assert done.stdout.splitlines() == ["True 1 True True", str([True] * 8), "True"], done.stderr
    assert done.returncode == 0


# -- without dvc


@pytest.mark.parametrize("pipeline", [{}, {"DVC_ROOT": "/p"}])
def test_dvc_is_not_imported_where_there_is_a_repository(
    environ: dict[str, str], tmp_path: Path, pipeline: dict[str, str]
) -> None:
    folder = make_dvc(tmp_path / "project")
    (folder / "dvc.yaml").write_text(PIPELINE)
    script = """
    from pathlib import Path
    os.chdir(sys.argv[1])
    from livestream.live.project import Project
    project = Project.find(os.environ, Path.cwd())
    project.prepare()
    say(project.dvc_root == Path.cwd(), project.git is not None, project.experiment_name("mine"))
    say(project.overlapping_stage("dvc.yaml"), project.overlapping_stage("dvclive/dvc.yaml"))
    loaded = {name.partition(".")[0] for name in sys.modules}
    say({"dvc", "scmrepo", "dulwich", "pygit2", "ruamel", "subprocess"} & loaded)
    """

    assert succeed(script, environ | pipeline, folder).splitlines() == ["True True mine", "None None", "set()"]


def test_a_live_imports_dvc_when_it_saves_and_not_before(environ: dict[str, str], tmp_path: Path) -> None:
    folder = make_dvc(tmp_path / "project")
    script = """
    os.chdir(sys.argv[1])
    from livestream import Live
    with Live(exp_name="mine") as live:
        for step in range(3):
            live.log_metric("loss", step)
            live.log_param("lr", 0.1)
            live.next_step()
        say("dvc" in sys.modules)
    say("dvc" in sys.modules)
    """

    assert succeed(script, environ, folder).splitlines() == ["False", "True"]
    assert "mine" in git(folder, "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps").splitlines()


def test_without_dvc_what_is_skipped_is_said_once_and_everything_else_works(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = make_git(tmp_path / "project")
    script = """
    from pathlib import Path
    sys.modules["dvc"] = None
    os.chdir(sys.argv[1])
    from livestream.live.project import Project
    project = Project.find(os.environ, Path.cwd())
    project.prepare()
    say(project.dvc_root, project.experiment_name("mine"), project.add("a"), project.save("a", [], None), project.repo)
    os.mkdir(".dvc")
    project = Project.find(os.environ, Path.cwd())
    project.prepare()
    say(project.tracks, project.add("a"), project.save("a", [], None), project.overlapping_stage("a"))
    """
    done = run(script, environ, folder)

    assert done.stdout.splitlines() == ["None mine None None None", "True None None None"]
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["livestream.dvc_missing"] * 2


def test_a_folder_that_is_called_dvc_is_not_taken_for_the_package(environ: dict[str, str], tmp_path: Path) -> None:
    folder = make_git(tmp_path / "project")
    (folder / "dvc").mkdir()
    script = """
    import importlib.machinery, importlib.util
    from pathlib import Path
    os.chdir(sys.argv[1])
    from livestream.live.project import Project
    found = importlib.machinery.PathFinder.find_spec("dvc", [os.getcwd()])
    importlib.util.find_spec = lambda name: found
    Project.find(os.environ, Path.cwd()).prepare()
    say(os.path.exists(".dvc"))
    """
    done = run(script, environ, folder)

    assert done.stdout == "False\n"
    assert done.stderr.startswith("livestream.dvc_missing")

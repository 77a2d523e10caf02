from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livestream.git import GitInfo, has_reference, local_url, read_git, repo_url, resolve_remote, strip_credentials

QUIET = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
SECRET = "s3cr3t"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=QUIET, timeout=20).stdout.decode().strip()


def make_repository(folder: Path, *init: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main", *init)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message=one more")
    return git(folder, "rev-parse", "HEAD")


def read(folder: Path, environ: dict[str, str] | None = None) -> GitInfo:
    found = read_git(folder, environ or {})
    assert found is not None
    return found


def assert_agrees_with_git(folder: Path) -> GitInfo:
    """Hold what we read to what git says of the same folder."""
    found = read(folder)
    assert found.head == git(folder, "rev-parse", "HEAD")
    assert (found.branch or "") == git(folder, "branch", "--show-current")
    assert str(found.root) == git(folder, "rev-parse", "--show-toplevel")
    assert sorted(found.remotes) == sorted(git(folder, "remote").split())
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project")


def test_a_folder_outside_git_has_no_repository(tmp_path: Path) -> None:
    assert read_git(tmp_path, {}) is None
    assert read_git(tmp_path / "absent", {}) is None


def test_a_fresh_commit_is_found_from_a_subfolder(repository: Path) -> None:
    below = repository / "a" / "b"
    below.mkdir(parents=True)

    assert_agrees_with_git(below)


def test_a_symbolic_link_into_a_repository_is_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "src").mkdir()
    link = tmp_path / "link"
    link.symlink_to(repository / "src")

    assert read(link).root == repository


def test_an_unborn_branch_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")

    found = read(tmp_path)

    assert (found.head, found.branch, found.remote_url) == (None, "trunk", None)


def test_packed_references_are_found(repository: Path) -> None:
    git(repository, "branch", "main-2")
    git(repository, "tag", "-a", "-m", "peeled in packed-refs", "v1")
    git(repository, "pack-refs", "--all", "--prune")
    assert not (repository / ".git/refs/heads/main").exists()

    assert_agrees_with_git(repository)


def test_a_loose_reference_wins_over_its_packed_past(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    commit(repository)

    assert_agrees_with_git(repository)


def test_a_detached_head_keeps_its_commit_and_has_no_branch(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/o.git")
    git(repository, "remote", "add", "fork", "https://example.com/f.git")
    commit(repository)
    git(repository, "checkout", "--quiet", "HEAD~1")

    found = assert_agrees_with_git(repository)

    assert found.branch is None
    assert found.remote_url == "https://example.com/o.git"


def test_a_worktree_has_its_own_head_and_shares_remotes(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/o.git")
    other = tmp_path / "other"
    git(repository, "worktree", "add", "--quiet", "-b", "topic/one", str(other))
    commit(other)

    found = assert_agrees_with_git(other)

    assert found.branch == "topic/one"
    assert found.remote_url == "https://example.com/o.git"
    assert found.head != read(repository).head


def test_a_worktree_reads_its_own_config(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repository, "worktree", "add", "--quiet", "-b", "topic", str(other))
    git(repository, "config", "extensions.worktreeConfig", "true")
    git(other, "config", "--worktree", "remote.own.url", "https://example.com/own.git")

    assert assert_agrees_with_git(other).remotes == {"own": "https://example.com/own.git"}
    assert assert_agrees_with_git(repository).remotes == {}


def test_a_submodule_is_its_own_repository(repository: Path, tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(library), "vendored")

    found = assert_agrees_with_git(repository / "vendored")

    assert found.root == repository / "vendored"
    assert found.remote_url == str(library)


def test_a_clones_tracked_remote_is_found(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--origin", "upstream", str(repository), str(clone))
    git(clone, "remote", "add", "origin", "https://example.com/o.git")

    found = assert_agrees_with_git(clone)

    assert found.remote_url == git(clone, "remote", "get-url", "upstream")


def test_origin_comes_before_other_remotes_and_a_lone_remote_is_enough(repository: Path) -> None:
    git(repository, "remote", "add", "b", "https://example.com/b.git")
    assert read(repository).remote_url == "https://example.com/b.git"

    git(repository, "remote", "add", "c", "https://example.com/c.git")
    assert read(repository).remote_url is None

    git(repository, "remote", "add", "origin", "https://example.com/o.git")
    assert read(repository).remote_url == "https://example.com/o.git"


def test_a_branch_that_tracks_itself_or_a_removed_remote_falls_back_to_origin(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/o.git")
    for tracked in (".", "removed"):
        git(repository, "config", "branch.main.remote", tracked)
        assert read(repository).remote_url == "https://example.com/o.git"

    git(repository, "config", "branch.main.remote", "https://me:pw@example.com/direct.git")
    assert read(repository).remote_url == "https://example.com/direct.git"


def test_a_bare_repository_is_read(repository: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(bare))

    found = read(bare)

    assert (found.root, found.head) == (bare, git(bare, "rev-parse", "HEAD"))


def test_git_dir_is_honoured(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    environ = {"GIT_DIR": str(repository / ".git")}

    found = read(outside, environ)

    assert (found.head, found.root) == (git(repository, "rev-parse", "HEAD"), outside)
    assert read(outside, environ | {"GIT_WORK_TREE": str(repository)}).root == repository
    assert read(repository, {"GIT_DIR": ".git"}).root == repository
    assert read_git(repository, {"GIT_DIR": str(tmp_path / "absent")}) is None


def test_an_empty_git_folder_does_not_hide_the_repository_above(repository: Path) -> None:
    (repository / "a" / ".git").mkdir(parents=True)

    assert assert_agrees_with_git(repository / "a").root == repository


def test_a_pointer_to_nowhere_is_no_repository_as_for_git(repository: Path) -> None:
    (repository / "a").mkdir()
    (repository / "a" / ".git").write_text("gitdir: /nonexistent\n")

    assert read_git(repository / "a", {}) is None
    with pytest.raises(subprocess.CalledProcessError):
        git(repository / "a", "rev-parse", "HEAD")


def test_symbolic_references_are_followed_five_deep_and_no_deeper(repository: Path) -> None:
    git(repository, "symbolic-ref", "refs/heads/s1", "refs/heads/main")
    for depth in range(2, 7):
        git(repository, "symbolic-ref", f"refs/heads/s{depth}", f"refs/heads/s{depth - 1}")

    (repository / ".git/HEAD").write_text("ref: refs/heads/s4\n")
    assert read(repository).head == git(repository, "rev-parse", "main")

    (repository / ".git/HEAD").write_text("ref: refs/heads/s6\n")
    assert read(repository).head is None
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "rev-parse", "--verify", "HEAD")


def test_a_symlink_as_head_is_a_branch(repository: Path) -> None:
    git(repository, "config", "core.preferSymlinkRefs", "true")
    git(repository, "checkout", "--quiet", "-b", "topic")
    assert (repository / ".git/HEAD").is_symlink()

    assert assert_agrees_with_git(repository).branch == "topic"


@pytest.mark.parametrize(
    "head",
    ["", "ref: ../../../etc/passwd", "ref: refs/heads/../../config", "ref: refs/heads/a\0b", "junk", "f" * 39, "ref: "],
)
def test_a_head_that_makes_no_sense_is_no_commit(repository: Path, head: str) -> None:
    (repository / ".git/HEAD").write_text(head)

    assert read(repository).head is None


def test_an_empty_reference_after_a_crash_is_no_commit_though_an_old_one_is_packed(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    (repository / ".git/refs/heads/main").write_text("")

    assert read(repository).head is None


def test_a_sha256_repository_has_no_valid_baseline(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "wide", "--object-format=sha256")
    assert len(git(folder, "rev-parse", "HEAD")) == 64

    found = read(folder)

    assert (found.head, found.branch) == (None, "main")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"echo {'a' * 40}; echo refs/heads/topic", ("a" * 40, "topic")),
        (f"echo {'a' * 40}; echo HEAD", ("a" * 40, None)),
        ("echo fatal >&2; exit 128", (None, None)),
        ("exec sleep 30", (None, None)),
    ],
)
def test_a_reftable_repository_is_asked_through_git(
    repository: Path, tmp_path: Path, script: str, expected: tuple[str | None, str | None]
) -> None:
    (repository / ".git/config").write_text(
        '[extensions]\n\trefStorage = reftable\n[remote "origin"]\n\turl = /srv/o\n'
    )
    (repository / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{script}\n')
    program.chmod(0o755)

    started = time.monotonic()
    found = read(repository, {"PATH": f"{program.parent}:{os.environ['PATH']}"})

    assert (found.head, found.branch) == expected
    assert found.remote_url == "/srv/o"
    assert time.monotonic() - started < 10
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_the_question_for_reftables_is_one_that_git_answers(repository: Path, tmp_path: Path) -> None:
    """This git is too old for reftables, so a config that hides them from it stands for a newer one."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncp {tmp_path}/plain {repository}/.git/config\nexec "$REAL_GIT" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "plain").write_bytes((repository / ".git/config").read_bytes())
    expected = git(repository, "rev-parse", "HEAD")
    git(repository, "config", "extensions.refStorage", "reftable")
    real = subprocess.run(["which", "git"], capture_output=True, check=True, timeout=10).stdout.decode().strip()

    found = read(repository, QUIET | {"PATH": f"{program.parent}:{os.environ['PATH']}", "REAL_GIT": real})

    assert (found.head, found.branch) == (expected, "main")


def test_references_are_there_where_git_has_them_loose_or_packed(repository: Path, tmp_path: Path) -> None:
    git(repository, "update-ref", "refs/exps/ab/cdef/kept-otter", "HEAD")
    git(repository, "pack-refs", "--all", "--prune")
    git(repository, "update-ref", "refs/exps/ab/cdef/loose-otter", "HEAD")
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
    known = set(git(repository, "for-each-ref", "--format=%(refname)").split())
    asked = {"refs/exps/ab/cdef/otter", "refs/exps/ab/cdef", "refs/exps/ab/cdef/kept", "refs/../config", "config", ""}

    for folder in (repository, tmp_path / "other"):
        assert {name for name in known | asked if has_reference(folder, {}, name)} == known
    assert len(known) == 3
    assert not has_reference(tmp_path, {}, "refs/heads/main")


@pytest.mark.parametrize(("answer", "expected"), [(f"echo {'a' * 40}", True), ("exit 1", False)])
def test_a_reftable_repository_is_asked_for_its_references(
    repository: Path, tmp_path: Path, answer: str, *, expected: bool
) -> None:
    git(repository, "config", "extensions.refStorage", "reftable")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{answer}\n')
    program.chmod(0o755)

    assert has_reference(repository, {"PATH": str(program.parent)}, "refs/heads/main") == expected
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.endswith("rev-parse --verify --quiet refs/heads/main")


@pytest.mark.parametrize(
    "value",
    [
        "https://example.com/plain.git",
        "/srv/with space/x.git",
        '/srv/quo"ted.git',
        "/srv/back\\slash",
        "/srv/hash#tag;semi",
        "/srv/tab\tbed",
        "/srv/ünïcode",
    ],
)
def test_values_read_as_git_wrote_them(repository: Path, value: str) -> None:
    git(repository, "config", "remote.we.ird.url", value)
    git(repository, "config", "branch.main.remote", "we.ird")

    assert git(repository, "config", "--get", "remote.we.ird.url") == value
    assert read(repository).remotes == {"we.ird": value}
    assert read(repository).remote_url == value


def test_a_config_written_by_hand_reads_as_git_reads_it(repository: Path) -> None:
    (repository / ".git/config").write_text(
        "# a comment\n"
        "[core] bare = false ; a key beside its section\n"
        '\t[REMOTE "Origin \\"1\\""]\n'
        'URL = "https://example.com/a" b# a comment\n'
        "  url = second\n"
        '[remote "cut"]\n url = https://exam\\\nple.com/cut.git\n pushurl\n'
        "[branch.main]\n  remote = cut\n"
        "[remote]\n  pushDefault = cut\n"
    )
    keys = {'Origin "1"': 'remote.Origin "1".url', "cut": "remote.cut.url"}

    found = read(repository)

    expected = {name: git(repository, "config", "--get-all", key).splitlines()[0] for name, key in keys.items()}
    assert found.remotes == expected
    assert found.remote_url == "https://example.com/cut.git"


def test_bytes_that_are_not_utf8_do_not_stop_a_run(repository: Path) -> None:
    with (repository / ".git/config").open("ab") as config:
        config.write(b'[remote "origin"]\n\turl = /srv/\xff\xfe\n')
    (repository / ".git/HEAD").write_bytes(b"ref: refs/heads/br\xffanch\n")

    found = read(repository)

    assert found.remote_url == "/srv/\ufffd\ufffd"
    assert found.branch == "br\ufffdanch"


def test_credentials_of_a_remote_are_never_seen(repository: Path) -> None:
    git(repository, "remote", "add", "origin", f"https://me:{SECRET}@example.com/o.git?private_token={SECRET}")

    found = read(repository)

    assert found.remote_url == "https://example.com/o.git"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://user:pw@github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://ghp_token@github.com/o/r", "https://github.com/o/r"),
        ("https://user:p@w:x@github.com:8443/o/r", "https://github.com:8443/o/r"),
        ("https://user:p/w@github.com/o/r", "https://github.com/o/r"),
        ("https://user:p#w?@github.com/o/r", "https://github.com/o/r"),
        ("https://user:pw@[::1]:8443/o/r", "https://[::1]:8443/o/r"),
        ("https://[::1]:8443/@o/r", "https://[::1]:8443/@o/r"),
        ("https://github.com:8443/@o/r", "https://github.com:8443/@o/r"),
        ("HTTPS://user:pw@github.com/o", "HTTPS://github.com/o"),
        ("git+https://user:pw@github.com/o", "git+https://github.com/o"),
        ("https://gitlab.com/o/r.git?private_token=x", "https://gitlab.com/o/r.git"),
        ("https://gitlab.com/o/r.git?a=1&access_token=x&b=2", "https://gitlab.com/o/r.git?a=1&b=2"),
        ("https://gitlab.com/o/r.git?a=1;job_token=x", "https://gitlab.com/o/r.git?a=1"),
        ("https://gitlab.com/o/r.git?a=1;b=2", "https://gitlab.com/o/r.git?a=1;b=2"),
        ("https://s3/o?X-Amz-Credential=k&X-Amz-Signature=s", "https://s3/o"),
        ("https://host/o#access_token=x", "https://host/o"),
        ("https://host/o#readme", "https://host/o#readme"),
        ("ssh://git@github.com/o/r.git", "ssh://git@github.com/o/r.git"),
        ("ssh://git:pw@github.com:22/o/r.git", "ssh://git@github.com:22/o/r.git"),
        ("ssh://alice:pw@host/o/r.git", "ssh://host/o/r.git"),
        ("git+ssh://git@host/o", "git+ssh://git@host/o"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("alice@host:o/r.git", "host:o/r.git"),
        ("alice:pw@host:o/r.git", "host:o/r.git"),
        ("git:pw@host:o/r.git", "git@host:o/r.git"),
        ("git@[::1]:o/r@v1.git", "git@[::1]:o/r@v1.git"),
        ("host:o/r.git", "host:o/r.git"),
        ("/srv/git@host:x/r.git", "/srv/git@host:x/r.git"),
        ("../git@host:x", "../git@host:x"),
        ("file:///srv/a@b:c/r.git", "file:///srv/a@b:c/r.git"),
        ("ext::ssh git@host %S /r", "ext::ssh git@host %S /r"),
        ("local://host/home/me", "local://host/home/me"),
        (" https://user:pw@github.com/o\n", "https://github.com/o"),
        ("", ""),
    ],
)
def test_credentials_are_stripped_and_nothing_else(url: str, expected: str) -> None:
    assert strip_credentials(url) == expected


WORD = st.text(st.sampled_from("abz019-._~%!$"), min_size=1, max_size=6)


@given(
    scheme=st.sampled_from(["http", "https", "ssh", "git+ssh", "git", "ftp"]),
    user=WORD,
    password=st.text(st.sampled_from("ab:@%!$&=+"), max_size=6),
    path=st.text(st.sampled_from("ab/@:-."), max_size=8),
)
@example(scheme="https", user="git", password="", path="@")
def test_a_password_never_survives_and_the_address_always_does(
    scheme: str, user: str, password: str, path: str
) -> None:
    stripped = strip_credentials(f"{scheme}://{user}:{password}{SECRET}@host.example:22/{path}")

    assert SECRET not in stripped
    assert stripped in {f"{scheme}://host.example:22/{path}", f"{scheme}://git@host.example:22/{path}"}


@given(url=st.text(st.sampled_from("ab:/@?#&=git.[]token"), max_size=24))
@example(url="a@a:@:")
def test_stripping_never_fails_and_a_second_time_changes_nothing(url: str) -> None:
    once = strip_credentials(url)

    assert strip_credentials(once) == once


def test_the_repository_url_has_its_precedence(tmp_path: Path) -> None:
    info = GitInfo(root=tmp_path, remote_url="https://h/tracked", remotes={"fork": "https://h/fork"})

    def decide(git: GitInfo | None, configured: str | None, git_remote: str | None) -> str:
        return repo_url(git, configured, git_remote, host="node1", folder=Path("/home/me/project"))

    assert decide(info, "https://u:p@h/configured", "fork") == "https://h/fork"
    assert decide(info, "https://u:p@h/configured", "https://u:p@h/url") == "https://h/url"
    assert decide(info, "https://u:p@h/configured", "no-such-remote") == "https://h/configured"
    assert decide(info, "https://u:p@h/configured", None) == "https://h/configured"
    assert decide(info, None, None) == "https://h/tracked"
    assert decide(None, None, "fork") == "local://node1/home/me/project"
    assert decide(GitInfo(root=tmp_path), None, None) == "local://node1/home/me/project"


def test_a_remotes_name_is_no_url() -> None:
    assert resolve_remote({"origin": "https://h/o"}, "origin") == "https://h/o"
    assert resolve_remote({}, "origin") is None
    assert resolve_remote({}, "git@h:o") == "git@h:o"


def test_a_local_url_can_always_be_encoded() -> None:
    folder = Path(os.fsdecode(b"/home/\xff/x"))

    assert local_url("node1", folder).encode() == "local://node1/home/\ufffd/x".encode()


def test_a_large_repository_is_read_in_less_than_two_milliseconds(repository: Path) -> None:
    packed = "".join(f"{number:040x} refs/heads/feature/number-{number}\n" for number in range(20_000))
    (repository / ".git/packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + packed)
    (repository / ".git/HEAD").write_text("ref: refs/heads/feature/number-19999\n")

    times_s = []
    for _ in range(20):
        started = time.perf_counter()
        assert read(repository).head == f"{19_999:040x}"
        times_s.append(time.perf_counter() - started)

    assert min(times_s) < 0.002


def test_reading_a_repository_loads_no_subprocess_module(repository: Path) -> None:
    program = (
        "import sys, pathlib, livestream.git as g; g.read_git(pathlib.Path(sys.argv[1]), {});"
        "print(sorted({'subprocess', 'configparser', 'asyncio', 'urllib.request'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(repository)], capture_output=True, check=True, timeout=20
    )

    assert answer.stdout.decode().strip() == "[]"

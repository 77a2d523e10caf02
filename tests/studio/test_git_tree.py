from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import stat
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from git_cases import Repository, experiment_reference, until
from hypothesis import given
from hypothesis import strategies as st

from livestream.errors import ConfigError
from livestream.studio.git_tree import git as git_module
from livestream.studio.git_tree import graph
from livestream.studio.git_tree import source as source_module
from livestream.studio.git_tree.remote import parse_remote
from livestream.studio.git_tree.tree import GitTree

KEY = "127.0.0.1:1/owner/repo"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "work")
    made.commit("first")
    return made


@asynccontextmanager
async def attached(
    tmp_path: Path, sources: Sequence[str | Path], *, look_s: float = 0.1, fetch_s: float = 60.0
) -> AsyncIterator[GitTree]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    names = [str(source) for source in sources]
    tree = GitTree(tmp_path / "data", names, environ=environ, host="node7", look_s=look_s, fetch_s=fetch_s)
    await tree.start()
    try:
        yield tree
    finally:
        await tree.stop()


def local_name(repository: Repository) -> str:
    return f"local://node7{repository.folder}"


async def test_a_folder_is_read_at_the_start(tmp_path: Path, repository: Repository) -> None:
    sha = repository.commit("Fix: the loss\n\nA body that is not shown.", author="Grace H\u00f6pper")
    async with attached(tmp_path, [repository.folder]) as tree:
        commit = tree.commit(local_name(repository), sha)
        assert commit is not None
        assert (commit.short, commit.subject, commit.author) == (sha[:7], "Fix: the loss", "Grace H\u00f6pper")
        assert commit.email_hash == hashlib.sha256(b"ada@example.org").hexdigest()
        assert commit.time_s == repository.time_s
        assert commit.branches == ("main",)
        assert len(commit.parents) == 1
        assert tree.commit(local_name(repository), "0" * 40) is None
        assert [branch.name for branch in tree.branches(local_name(repository))] == ["main"]
        assert not tree.knows("github.com/else/where")
        assert tree.branches("github.com/else/where") == []
        assert tree.experiment_refs("github.com/else/where") == {}


async def test_a_repository_goes_by_all_its_names(tmp_path: Path, repository: Repository) -> None:
    repository.git("remote", "add", "origin", "http://me:hunter2@127.0.0.1:1/owner/repo.git")
    repository.git("remote", "add", "upstream", "ssh://git@git.lab.org:2222/g/r.git")
    async with attached(tmp_path, [repository.folder]) as tree:
        for name in (
            KEY,
            "http://127.0.0.1:1/owner/repo/",
            "git.lab.org/g/r",
            local_name(repository),
            f"{local_name(repository)}/sub/project",
        ):
            assert tree.knows(name), name
        assert not tree.knows(f"local://node8{repository.folder}")
        assert not tree.knows(f"{local_name(repository)}-other")
        assert "hunter2" not in repr(tree.sources())
        assert tree.sources()[0].repositories[0] == KEY


async def test_new_commits_and_experiments_are_seen(tmp_path: Path, repository: Repository) -> None:
    name = local_name(repository)
    async with attached(tmp_path, [repository.folder]) as tree:
        sha = repository.commit("second")
        await until(lambda: tree.commit(name, sha))
        revision = repository.experiment(sha, "tiny-bug")
        repository.git("update-ref", "refs/exps/stash", sha)
        repository.git("update-ref", "refs/exps/exec/EXEC_HEAD", sha)
        await until(lambda: tree.experiment_refs(name) == {(sha, "tiny-bug"): revision})
        experiment = tree.commit(name, revision)
        assert experiment is not None
        assert experiment.branches == ()
        assert experiment.parents == (sha,)
        repository.git("update-ref", "-d", experiment_reference(sha, "tiny-bug"))
        await until(lambda: not tree.experiment_refs(name))


async def test_the_nearest_branch_comes_first_and_each_commit_has_one_home(
    tmp_path: Path, repository: Repository
) -> None:
    name = local_name(repository)
    fork = repository.commit("fork")
    repository.git("checkout", "--quiet", "-b", "feature")
    own = repository.commit("own")
    repository.git("checkout", "--quiet", "-b", "merged", fork)
    side = repository.commit("side")
    repository.git("checkout", "--quiet", "main")
    later = repository.commit("later")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merge it", "merged")
    merge = repository.git("rev-parse", "HEAD")
    async with attached(tmp_path, [repository.folder]) as tree:
        commits = {sha: tree.commit(name, sha) for sha in (fork, own, side, later, merge)}
        named = {sha: commit.branches for sha, commit in commits.items() if commit}
        assert named[own] == ("feature",)
        assert named[side] == ("merged", "main")
        assert named[later] == ("main",)
        assert set(named[fork]) == {"main", "feature", "merged"}
        assert named[fork][0] in {"feature", "merged"}
        merged = commits[merge]
        assert merged is not None
        assert merged.parents == (later, side)
        branches = {branch.name: branch for branch in tree.branches(name)}
        assert next(iter(branches)) == "main"
        assert branches["main"].default
        assert branches["merged"].merged
        assert not branches["feature"].merged
        assert branches["feature"].commits == (own,)
        assert set(branches["main"].commits) >= {fork, side, later, merge}
        assert branches["main"].commits[0] == merge
        assert branches["merged"].commits == ()


async def test_detached_heads_and_worktrees_are_known(tmp_path: Path, repository: Repository) -> None:
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "other tree"))
    other = Repository.__new__(Repository)
    other.folder, other.time_s = tmp_path / "other tree", repository.time_s
    lost = other.commit("on no branch")
    async with attached(tmp_path, [other.folder]) as tree:
        for name in (f"local://node7{other.folder}", local_name(repository)):
            commit = tree.commit(name, lost)
            assert commit is not None
            assert commit.branches == ()
            assert commit.subject == "on no branch"
        lost_again = other.commit("and on")
        await until(lambda: tree.commit(local_name(repository), lost_again))


async def test_branches_of_the_remote_stand_beside_those_of_the_clone(tmp_path: Path, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "theirs")
    repository.commit("theirs")
    repository.git("checkout", "--quiet", "main")
    clone = Repository(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(repository.folder))
    clone.git("fetch", "--quiet", "origin")
    clone.git("remote", "set-head", "origin", "main")
    clone.git("reset", "--quiet", "--hard", "origin/main")
    async with attached(tmp_path, [clone.folder]) as tree:
        assert [branch.name for branch in tree.branches(local_name(clone))] == ["main", "origin/theirs"]
        clone.commit("ahead")
        await until(lambda: len(tree.branches(local_name(clone))) == 3)
        assert {branch.name for branch in tree.branches(local_name(clone))} == {"main", "origin/main", "origin/theirs"}


async def test_experiments_on_the_remote_of_a_folder_are_known_without_a_fetch(
    tmp_path: Path, repository: Repository
) -> None:
    baseline = repository.git("rev-parse", "HEAD")
    revision = repository.experiment(baseline, "pushed-one")
    clone = Repository(tmp_path / "clone")
    clone.git("remote", "add", "origin", f"file://{repository.folder}")
    clone.git("fetch", "--quiet", "origin")
    before = sorted(path for path in clone.folder.rglob("*"))
    async with attached(tmp_path, [clone.folder], fetch_s=0.2) as tree:
        await until(lambda: tree.experiment_refs(local_name(clone)) == {(baseline, "pushed-one"): revision})
        assert tree.knows(f"file://{repository.folder}")
        second = repository.experiment(baseline, "pushed-two")
        tree.refresh(local_name(clone))
        await until(lambda: (baseline, "pushed-two") in tree.experiment_refs(local_name(clone)))
        assert tree.experiment_refs(local_name(clone))[baseline, "pushed-two"] == second
    assert sorted(path for path in clone.folder.rglob("*")) == before


async def test_a_url_is_cloned_bare_and_fetched_again(tmp_path: Path, repository: Repository) -> None:
    origin = Repository(tmp_path / "origin.git", bare=True)
    repository.git("remote", "add", "origin", str(origin.folder))
    repository.git("checkout", "--quiet", "-b", "trunk")
    sha = repository.commit("second")
    repository.experiment(sha, "one")
    repository.git("push", "--quiet", "origin", "main", "trunk", "refs/exps/*:refs/exps/*")
    origin.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    url = f"file://{origin.folder}"
    async with attached(tmp_path, [url], fetch_s=0.3) as tree:
        await until(lambda: tree.branches(url) and tree.branches(url)[0].name == "trunk")
        assert tree.commit(url, sha) is not None
        assert tree.branches(url)[0].default
        assert set(tree.experiment_refs(url)) == {(sha, "one")}
        newer = repository.commit("third")
        repository.git("push", "--quiet", "origin", "trunk", ":main", f":{experiment_reference(sha, 'one')}")
        tree.refresh(url)
        await until(lambda: tree.commit(url, newer))
        await until(lambda: not tree.experiment_refs(url))
        assert [branch.name for branch in tree.branches(url)] == ["trunk"]
        assert tree.sources()[0].problem is None
    clones = list((tmp_path / "data" / "repositories").iterdir())
    assert len(clones) == 1
    assert stat.S_IMODE((tmp_path / "data" / "repositories").stat().st_mode) == 0o700
    assert not [path for path in clones[0].rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


async def test_a_clone_is_there_after_a_restart_without_its_remote_and_survives_stale_locks(
    tmp_path: Path, repository: Repository
) -> None:
    url = f"file://{repository.folder}"
    async with attached(tmp_path, [url]) as tree:
        await until(lambda: tree.branches(url))
    clone = next((tmp_path / "data" / "repositories").iterdir())
    (clone / "packed-refs.lock").touch()
    (clone / "refs" / "heads" / "main.lock").touch()
    repository.folder.rename(tmp_path / "gone")
    async with attached(tmp_path, [url], fetch_s=0.2) as tree:
        await until(lambda: tree.branches(url))
        await until(lambda: tree.sources()[0].problem)
        (tmp_path / "gone").rename(repository.folder)
        sha = repository.commit("back")
        await until(lambda: tree.commit(url, sha))
        await until(lambda: tree.sources()[0].problem is None)


BROKEN = [
    "https://me:hunter2@127.0.0.1:1/owner/repo.git",
    "ssh://git:hunter2@127.0.0.1:1/owner/repo",
    "git://127.0.0.1:1/owner/repo",
    "file:///nowhere/at/all",
    "/nowhere/at/all",
    "ext::sh -c 'touch hunter2'",
    "--upload-pack=touch hunter2",
    "ftp://host/x",
    "me:hunter2@host:path",
    "https://h/\x1b]0;x",
    "~nobody-has-this-name/x",
]


@pytest.mark.parametrize("url", BROKEN)
async def test_what_cannot_be_read_is_told_and_hurts_nobody(
    tmp_path: Path, repository: Repository, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with attached(tmp_path, [url, repository.folder], fetch_s=0.2) as tree:
        assert tree.branches(local_name(repository))
        await until(lambda: tree.sources()[0].problem)
        assert tree.branches(url) == []
        secret = "hunter2" if "@" in url else "no secret"
        assert secret not in repr(tree.sources())
        assert all(secret not in repr(record.__dict__) for record in caplog.records)
    assert "hunter2" not in [name for _, _, names in os.walk(tmp_path) for name in names]


async def test_two_spellings_of_a_url_are_one_clone(tmp_path: Path, repository: Repository) -> None:
    url = f"file://{repository.folder}"
    async with attached(tmp_path, [url, f"{url}/", url, repository.folder]) as tree:
        await until(lambda: tree.branches(url))
        assert [state.source for state in tree.sources()] == [url, str(repository.folder)]


async def test_a_folder_that_becomes_a_repository_later_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with attached(tmp_path, [folder]) as tree:
        assert "later" in (tree.sources()[0].problem or "")
        made = Repository(folder)
        await until(lambda: tree.sources()[0].problem is None)
        assert tree.branches(local_name(made)) == []
        sha = made.commit("first")
        await until(lambda: tree.commit(local_name(made), sha))


async def test_without_git_the_state_says_so(tmp_path: Path, repository: Repository) -> None:
    tree = GitTree(tmp_path / "data", [str(repository.folder)], environ={"PATH": str(tmp_path)}, host="node7")
    await tree.start()
    assert "install it" in (tree.sources()[0].problem or "")
    await tree.stop()


async def test_a_hostile_repository_runs_nothing_and_its_texts_are_harmless(
    tmp_path: Path, repository: Repository
) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    hostile = "<script>alert(1)</script> \x1b[31mred \u202egnitfil \x00"
    sha = repository.commit(hostile.replace("\x00", "\x1f\r") + "x" * 10_000, author="<img src=x onerror=alert(1)>")
    raw = f"tree {repository.git('rev-parse', 'HEAD^{tree}')}\nparent {sha}\n".encode()
    raw += b"author \xff\xfe <> 1 +0000\ncommitter x <y> 99999999999999999999 +0000\n\n\xff\xfe\ncommit " + b"0" * 40
    odd = repository.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=raw)
    branch = "a'\"<b>;$(touch${IFS}sprung)&\u202e\u00e9--"
    repository.git("branch", branch, odd)
    for setting in (
        "core.fsmonitor",
        "core.sshCommand",
        "gpg.program",
        "core.pager",
        "core.hooksPath",
        "diff.external",
    ):
        repository.git("config", setting, str(trap))
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "remote.origin.url", f"ext::{trap}")
    repository.git("config", "protocol.ext.allow", "always")
    async with attached(tmp_path, [repository.folder], fetch_s=0.1) as tree:
        name = local_name(repository)
        commit = tree.commit(name, sha)
        assert commit is not None
        assert commit.subject.startswith("<script>alert(1)</script> \ufffd[31mred \ufffdgnitfil ")
        assert len(commit.subject) == 300
        assert commit.subject.isprintable()
        assert commit.author == "img src=x onerror=alert(1)"
        strange = tree.commit(name, odd)
        assert strange is not None
        assert strange.parents == (sha,)
        assert strange.subject.startswith("\ufffd\ufffd")
        assert branch in [found.name for found in tree.branches(name)]
        await until(lambda: "ext" in (tree.sources()[0].problem or ""))
    assert not (tmp_path / "sprung").exists()
    assert not (repository.folder / "sprung").exists()


async def test_ten_thousand_commits_and_a_hundred_branches_are_quick(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work")
    repository.many_commits(10_000)
    shas = repository.git("rev-list", "main").split("\n")
    updates = "".join(f"create refs/heads/topic-{number} {shas[number * 50]}\n" for number in range(100))
    updates += "".join(f"create {experiment_reference(sha, 'e')} {sha}\n" for sha in shas[:2_000])
    repository.git("update-ref", "--stdin", feed=updates.encode())
    name = local_name(repository)
    begun = time.perf_counter()
    async with attached(tmp_path, [repository.folder]) as tree:
        assert time.perf_counter() - begun < 30  # a walk of every branch by itself takes minutes
        assert tree.sources()[0].commits == 10_000
        oldest = tree.commit(name, shas[-1])
        assert oldest is not None
        assert oldest.branches[0] == "topic-99"
        assert len(oldest.branches) == 20
        assert len(tree.experiment_refs(name)) == 2_000
        begun = time.process_time()
        for sha in shas[:2_000]:
            tree.commit(name, sha)
        assert time.process_time() - begun < 0.5


async def test_only_the_newest_commits_are_known(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MAX_COMMITS", 3)
    shas = [repository.commit(f"commit {number}") for number in range(5)]
    async with attached(tmp_path, [repository.folder]) as tree:
        known = [tree.commit(local_name(repository), sha) is not None for sha in shas]
        assert known == [False, False, True, True, True]


async def test_output_without_an_end_is_cut(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_module, "MAX_OUTPUT_BYTES", 300_000)
    long = repository.commit("x" * 1_000_000)
    newest = repository.commit("newest")
    async with attached(tmp_path, [repository.folder]) as tree:
        assert tree.sources()[0].problem is None
        assert tree.commit(local_name(repository), newest) is not None
        assert tree.commit(local_name(repository), long) is None


async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.close()


async def test_a_remote_that_never_answers_is_given_up(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "FIRST_FETCH_TIMEOUT_S", 0.3)
    server = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with attached(tmp_path, [f"git://127.0.0.1:{port}/o/r", repository.folder]) as tree:
        assert tree.branches(local_name(repository))
        await until(lambda: "took more than" in (tree.sources()[0].problem or ""))
    server.close()


async def test_a_stop_during_a_fetch_leaves_no_process(tmp_path: Path) -> None:
    server = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tree = GitTree(tmp_path / "data", [f"http://me:hunter2@127.0.0.1:{port}/o/r"], environ=dict(os.environ))
    await tree.start()
    lines: list[str] = []

    def fetching() -> bool:
        lines[:] = [line for line in command_lines() if f"127.0.0.1:{port}" in line]
        return bool(lines)

    await until(fetching)
    assert not [line for line in lines if "hunter2" in line]
    await tree.stop()
    await until(lambda: not fetching())
    server.close()
    assert "hunter2" not in "".join(path.read_text() for path in (tmp_path / "data").rglob("config"))


def command_lines() -> list[str]:
    lines = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                lines.append((folder / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return lines


async def test_credentials_of_a_url_go_as_a_header(tmp_path: Path) -> None:
    requests: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with attached(tmp_path, [f"http://me:hunter2@127.0.0.1:{port}/o/r"]) as tree:
        await until(lambda: tree.sources()[0].problem)
        assert "not found" in (tree.sources()[0].problem or "")
    server.close()
    assert b"Authorization: Basic bWU6aHVudGVyMg==" in requests[0]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:a/b@host.org/o/r", "https://host.org/o/r"),
        ("HTTPS://host.org/o/r", "https://host.org/o/r"),
        ("ssh://me:pw@host.org:22/o/r", "ssh://me@host.org:22/o/r"),
        ("me@host.org:o/r", "me@host.org:o/r"),
        ("../r.git", "../r.git"),
    ],
)
def test_what_git_is_told_holds_no_password(url: str, shown: str) -> None:
    assert parse_remote(url).url == shown


@pytest.mark.parametrize("url", ["", "name", "-x", "fd::7", "ext::sh", "javascript://x", "a\nb"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_remote(url)


PIECES = st.sampled_from(
    [
        *(b"\0", b"\n", b"\r", b"\t", b" ", b"*", b"\xff", b"9" * 5_000),
        *(b"a" * 40, b"b" * 40, b"c" * 64, b"commit ", b"ref: ", b"HEAD", b"worktree "),
        *(b"refs/heads/x", b"refs/remotes/origin/HEAD", b"refs/exps/aa/" + b"a" * 38 + b"/n"),
    ]
)
GARBAGE = st.lists(PIECES | st.binary(max_size=5), max_size=40).map(b"".join)


@given(GARBAGE, GARBAGE, st.booleans())
def test_no_output_of_git_is_too_strange(listed: bytes, commits: bytes, bare: bool) -> None:  # noqa: FBT001 - drawn
    references = graph.parse_references(listed)
    built = graph.build(references, commits, bare=bare)
    assert all(len(commit.parents) <= len(commits) for commit in built.commits.values())
    graph.parse_remote_references(listed)
    graph.parse_worktrees(listed)


@pytest.mark.parametrize(
    "reference",
    ["refs/exps/stash", "refs/exps/exec/EXEC_HEAD", "refs/heads/main", "refs/exps/aa/" + "a" * 38, "", "refs/exps/"],
)
def test_dvcs_other_references_are_no_experiments(reference: str) -> None:
    assert graph.split_experiment(reference) is None
    assert graph.split_experiment(experiment_reference("a" * 40, "tiny-bug")) == ("a" * 40, "tiny-bug")

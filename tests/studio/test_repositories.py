from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.studio.repositories import normalise, normalise_subdir, project_name, shows

SPELLINGS = [
    "https://github.com/Owner/Repo",
    "https://github.com/owner/repo.git",
    "https://github.com/owner/repo.git/",
    "http://www.github.com/owner/repo",
    "https://GITHUB.com:443/owner//repo/",
    "https://github.com/owner/repo?private_token=x#readme",
    "https://me:secret@github.com/owner/repo",
    "https://me:sec/ret@github.com/owner/repo",
    "https://x-access-token:ghs_1@github.com/owner/repo.git",
    "ssh://git@github.com/owner/repo.git",
    "ssh://git@github.com:22/owner/repo",
    "ssh://git@ssh.github.com:443/owner/repo.git",
    "git+ssh://git@github.com/owner/repo.git",
    "git://github.com/owner/repo.git",
    "git@github.com:owner/repo.git",
    "git@github.com:/owner/repo.git",
    "github.com:owner/repo",
    "github.com/owner/repo",
    "me:secret@github.com:owner/repo",
    "  git@github.com:Owner/Repo.git\n",
]


@pytest.mark.parametrize("url", SPELLINGS)
def test_every_spelling_of_a_repository_is_one(url: str) -> None:
    assert normalise(url) == "github.com/owner/repo"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("ssh://git@git.lab.org:2222/Group/sub/repo.git", "git.lab.org/Group/sub/repo"),
        ("https://git.lab.org:8443/Group/sub/repo", "git.lab.org/Group/sub/repo"),
        ("http://localhost:3000/o/r.git", "localhost:3000/o/r"),
        ("http://127.0.0.1:80/o/r", "127.0.0.1/o/r"),
        ("ssh://git@[2001:db8::1]:22/o/r", "[2001:db8::1]/o/r"),
        ("git@[::1]:o/r", "[::1]/o/r"),
        ("file:///srv/git/r.git", "/srv/git/r"),
        ("/srv/git/r.git/", "/srv/git/r"),
        ("/home/me/r/.git", "/home/me/r"),
        ("local://node7/home/me/r.git", "local://node7/home/me/r.git"),
        ("local://node7/home/me/r/", "local://node7/home/me/r"),
        ("https://org@dev.azure.com/org/My%20Project/_git/repo", "dev.azure.com/org/My Project/_git/repo"),
        ("git@ssh.dev.azure.com:v3/org/My%20Project/repo", "dev.azure.com/org/My Project/_git/repo"),
        ("", ""),
        ("https://user:password@", ""),
    ],
)
def test_what_differs_stays_apart(url: str, normal: str) -> None:
    assert normalise(url) == normal


@given(st.text(alphabet="aB1.:/@[]%27eE0~?# \\-gitlocal", max_size=40) | st.text(max_size=40))
def test_a_normal_form_is_its_own_and_anything_has_one(url: str) -> None:
    normal = normalise(url)
    assert normalise(normal) == normal
    assert project_name(url)


@given(st.sampled_from(["https", "http", "ssh", "git+ssh"]), st.text(alphabet="abc/:%&+=.-", max_size=10))
def test_no_password_survives(scheme: str, rest: str) -> None:
    secret = f"hunter2{rest}"
    url = f"{scheme}://me:{secret}@host.org/owner/repo"
    assert normalise(url) == "host.org/owner/repo"
    assert project_name(url) == "owner/repo"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:Owner/Repo.git", "Owner/Repo"),
        ("https://t@gitlab.com/group/sub/Repo.git", "sub/Repo"),
        ("local://node7/home/me/iris", "iris"),
        ("local://node7/", "node7"),
        ("/srv/git/r.git", "r"),
        ("host.org:r", "r"),
        ("git@ssh.dev.azure.com:v3/org/proj/repo", "proj/repo"),
        ("https://host.org/a\x1b[31m/b\u202e", "a [31m/b"),
        ("", "unnamed"),
    ],
)
def test_a_project_is_called_after_its_repository(url: str, name: str) -> None:
    assert project_name(url) == name


def test_a_project_shows_its_folder_and_what_names_none() -> None:
    assert shows("", "")
    assert shows("", "models/a")
    assert shows("models/a", "")
    assert shows("models/a", "./models//a/")
    assert not shows("models/a", "models/b")
    assert not shows("models", "models/a")
    assert normalise_subdir(None) == ""

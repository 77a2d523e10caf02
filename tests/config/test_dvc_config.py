from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from config_cases import TOKEN, dvc_environ, read_repository, write
from hypothesis import given
from hypothesis import strategies as st

from livestream import config
from livestream.config import Secret


def test_levels_win_in_dvcs_order(tmp_path: Path) -> None:
    for place, value in (
        ("system/config", "1"),
        ("user/config", "2"),
        (".dvc/config", "3"),
        (".dvc/config.local", "4"),
    ):
        write(tmp_path / place, f"[studio]\n    url = https://{value}\n    level{value} = x\n")
        assert config.read_dvc_config(tmp_path, dvc_environ(tmp_path)).url == f"https://{value}"


def test_keys_of_several_levels_are_merged(tmp_path: Path) -> None:
    write(tmp_path / "user/config", f"[studio]\n    token = {TOKEN}\n    offline = true\n")
    write(
        tmp_path / ".dvc/config",
        "[studio]\n    url = https://h\n    repo_url = git@h:o/r\n[exp]\n    git_remote = up\n",
    )
    write(tmp_path / ".dvc/config.local", "[studio]\n    offline = false\n")

    found = config.read_dvc_config(tmp_path, dvc_environ(tmp_path))

    assert found.token == Secret(TOKEN)
    assert (found.url, found.repo_url, found.offline, found.git_remote) == ("https://h", "git@h:o/r", "false", "up")
    assert found.problems == ()
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, ["/etc/xdg/dvc/config", "/h/.config/dvc/config"]),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x", "XDG_CONFIG_DIRS": "/a:/b"}, ["/a/dvc/config", "/x/dvc/config"]),
        ({"DVC_SYSTEM_CONFIG_DIR": "/s", "DVC_GLOBAL_CONFIG_DIR": "/g"}, ["/s/config", "/g/config"]),
    ],
)
def test_the_machines_and_the_users_level_are_where_dvc_has_them(
    tmp_path: Path, environ: dict[str, str], expected: list[str]
) -> None:
    assert [str(file) for file in config.dvc_config_files(tmp_path, environ)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[studio]\n    url = https://h\n", "https://h"),
        ("[studio]\nurl=https://h", "https://h"),
        ("[studio]\r\n\turl = https://h\r\n", "https://h"),
        ("\ufeff[studio]\nurl = https://h\n", "https://h"),
        ("# url = no\n[studio] # comment\n  # url = no\n  url = https://h # comment\n", "https://h"),
        ('[studio]\nurl = "https://h#part" # comment\n', "https://h#part"),
        ("[studio]\nurl = 'a \"quoted\" word'\n", 'a "quoted" word'),
        ("[studio]\nurl = '''both ' and \"'''\n", "both ' and \""),
        ('[studio]\nurl = """two\r\nlines"""\nrepo_url = x\n', "two\nlines"),
        ("[studio]\nurl = '''\nit's ''\n'''' # comment\n", "\nit's ''\n'"),
        ("[studio]\nurl = %(interpolated)s $x\n", "%(interpolated)s $x"),
        ("[studio]\nurl = a=b\n", "a=b"),
        ("[studio]\nurl =\n", ""),
        ("[studio]\nURL = https://h\n", "https://h"),
        ("[Studio]\nurl = https://h\n", "https://h"),
        ("['studio']\n'url' = https://h\n", "https://h"),
        ("[studio]\n  url = no\n[studio]\n  url = https://h\n", "https://h"),
        ("[core]\n    remote = r\n['remote \"r\"']\n    url = no\n[studio]\n    url = https://h\n", "https://h"),
        ("[studio]\n    url = https://h\n['remote \"studio\"']\n    url = no\n", "https://h"),
        ("[studio]\n    url = https://h\n[[studio]]\n    url = no\n", "https://h"),
        ("[remote]\nurl = no\n", None),
        ("url = no\n", None),
        ("", None),
    ],
)
def test_sections_are_read_as_dvc_writes_them(tmp_path: Path, text: str, expected: str | None) -> None:
    found = read_repository(tmp_path, text)

    assert (found.url, found.problems) == (expected, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"[studio]\n    token {TOKEN}\n".encode(), "line 2 is neither `[section]` nor `key = value`"),
        (f"[studio\n    token = {TOKEN}\n".encode(), "line 1 is neither `[section]` nor `key = value`"),
        (f"[studio]\n    token = '''{TOKEN}\n".encode(), "the quotes opened in line 2 are never closed"),
        (b"[studio]\n    token = \xff\xfe\n", "not UTF-8"),
        (b"#" * (config.MAX_CONFIG_BYTES + 1), "not a regular file of at most 1048576 bytes"),
    ],
)
def test_a_broken_file_is_skipped_and_reported_without_its_content(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    write(tmp_path / "user/config", "[studio]\n    token = other\n    url = https://h\n")
    local = tmp_path / ".dvc/config.local"
    write(local, "")
    local.write_bytes(content)

    found = config.read_dvc_config(tmp_path, dvc_environ(tmp_path))

    assert found.problems == (f"{local}: {problem}",)
    assert (found.token, found.url) == (Secret("other"), "https://h")
    assert config.resolve_studio({}, found).problems == found.problems


def test_a_folder_or_a_fifo_in_a_files_place_is_reported_and_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / ".dvc" / "config").mkdir(parents=True)
    os.mkfifo(tmp_path / ".dvc" / "config.local")

    assert len(config.read_dvc_config(tmp_path, dvc_environ(tmp_path)).problems) == 2


def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    loop = tmp_path / ".dvc" / "config"
    loop.parent.mkdir()
    loop.symlink_to(loop)

    assert config.read_dvc_config(tmp_path, dvc_environ(tmp_path)).problems == (
        f"{loop}: Too many levels of symbolic links",
    )


@given(text=st.text(st.sampled_from("[]\"'= #\nstudiourl\t\\é"), max_size=60))
def test_no_text_makes_the_reader_fail(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"

    found = read_repository(folder, text)

    assert found.url is None or not found.problems


def test_a_large_broken_file_is_given_up_in_linear_time(tmp_path: Path) -> None:
    started = time.perf_counter()

    found = read_repository(tmp_path, "[studio]\n    url = '''\n" + "\n" * 900_000)

    assert len(found.problems) == 1
    assert time.perf_counter() - started < 10


def test_the_nearest_dvc_folder_is_the_root_but_not_above_the_git_repository(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    project = tmp_path / "project"
    nested = project / "package" / "src"
    nested.mkdir(parents=True)
    assert config.find_dvc_root(nested) == tmp_path

    (project / ".git").mkdir()
    assert config.find_dvc_root(nested) is None

    (project / ".dvc").mkdir()
    assert config.find_dvc_root(nested) == project

    (project / "package" / ".dvc").mkdir()
    assert config.find_dvc_root(nested) == project / "package"


def test_the_stamp_changes_with_every_file_and_only_then(tmp_path: Path) -> None:
    environ = dvc_environ(tmp_path)
    stamps = [config.dvc_stamp(tmp_path, environ)]

    for place, text in (
        ("user/config", "a"),
        (".dvc/config", "a"),
        (".dvc/config", "bc"),
        (".dvc/config.local", "a"),
        ("system/config", "a"),
    ):
        write(tmp_path / place, text)
        stamps.append(config.dvc_stamp(tmp_path, environ))
        assert config.read_dvc_config(tmp_path, environ).stamp == stamps[-1]
    (tmp_path / ".dvc/config.local").unlink()
    stamps.append(config.dvc_stamp(tmp_path, environ))

    assert len(set(stamps)) == 7
    assert config.dvc_stamp(tmp_path, environ) == stamps[-1]


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / ".dvc" / "config"
    write(file, "[studio]\n    url = a\n")
    before = config.dvc_stamp(tmp_path, dvc_environ(tmp_path))
    write(tmp_path / "new", "[studio]\n    url = b\n")
    times = file.stat()
    os.utime(tmp_path / "new", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "new").rename(file)

    assert config.dvc_stamp(tmp_path, dvc_environ(tmp_path)) != before

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs
import pytest
from config_cases import TOKEN

from livestream import config, git, names
from livestream.errors import ConfigError


class Recorder(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_by_name = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def test_every_variable_that_is_read_stands_in_the_table(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True, timeout=20)
    environ = Recorder({"HOME": str(tmp_path), "GIT_DIR": ".git", "SLURM_ARRAY_JOB_ID": "1"})

    config.read_settings(environ)
    config.resolve_studio(environ, config.read_dvc_config(tmp_path, environ))
    config.read_local_studio(environ)
    config.studio_data_folder(environ)
    git.read_git(tmp_path, environ)
    names.rank(environ)
    names.experiment_name(environ)
    names.experiment_name(Recorder({}))

    listed = [variable.name for variable in config.VARIABLES]
    assert environ.asked <= set(listed)
    assert len(environ.asked) >= 30
    assert len(listed) == len(set(listed))


def test_the_table_explains_every_variable_and_marks_the_secret_ones() -> None:
    assert all(variable.meaning.endswith(".") and variable.default for variable in config.VARIABLES)
    assert {"DVC_STUDIO_TOKEN", "STUDIO_TOKEN"} <= {one.name for one in config.VARIABLES if one.secret}


def test_without_variables_the_defaults_hold(tmp_path: Path) -> None:
    found = config.read_settings({"HOME": str(tmp_path)})

    assert found == config.Settings(spool=tmp_path / ".local/state/livestream/spool")
    assert (found.end_wait_s, found.orphan_after_s, found.retention_s) == (0.0, 300.0, 0.0)
    assert (found.daemon, found.signals, found.quota_bytes) == ("auto", True, None)


def test_every_setting_is_read() -> None:
    environ = {
        "LIVESTREAM_SPOOL": "/scratch/spool",
        "LIVESTREAM_SPOOL_MODE": "shared",
        "LIVESTREAM_DURABILITY": " Power ",
        "LIVESTREAM_DAEMON": "OFF",
        "LIVESTREAM_QUOTA_BYTES": "1000000",
        "LIVESTREAM_END_WAIT_S": "2.5",
        "LIVESTREAM_SIGNALS": "off",
        "LIVESTREAM_RETENTION_S": "3600",
        "LIVESTREAM_ORPHAN_AFTER_S": "60",
    }

    assert config.read_settings(environ) == config.Settings(
        spool=Path("/scratch/spool"),
        spool_mode="shared",
        durability="power",
        daemon="off",
        quota_bytes=1_000_000,
        end_wait_s=2.5,
        signals=False,
        retention_s=3600.0,
        orphan_after_s=60.0,
    )


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    environ = {one.name: "" for one in config.VARIABLES if one.name.startswith("LIVESTREAM_")}

    assert config.read_settings(environ | {"HOME": str(tmp_path)}) == config.read_settings({"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("variable", "value", "shape", "accepted"),
    [
        ("LIVESTREAM_SPOOL_MODE", "nfs", "a text of 3 characters", "auto, local, shared"),
        ("LIVESTREAM_DURABILITY", "1", "a whole number", "process, power"),
        ("LIVESTREAM_DAEMON", "on", "a text of 2 characters", "auto, off"),
        ("LIVESTREAM_SIGNALS", "0.5", "a number with a fraction", "on, off"),
        ("LIVESTREAM_QUOTA_BYTES", "10GB", "a text of 4 characters", "a whole number of bytes, 1 or more"),
        ("LIVESTREAM_QUOTA_BYTES", "0", "a whole number", "a whole number of bytes, 1 or more"),
        ("LIVESTREAM_QUOTA_BYTES", "-5", "a negative whole number", "a whole number of bytes, 1 or more"),
        ("LIVESTREAM_QUOTA_BYTES", "1.5", "a number with a fraction", "a whole number of bytes, 1 or more"),
        ("LIVESTREAM_QUOTA_BYTES", "9" * 5000, "not a finite number", "a whole number of bytes, 1 or more"),
        ("LIVESTREAM_END_WAIT_S", "-1", "a negative whole number", "a number of seconds, 0 or more"),
        ("LIVESTREAM_END_WAIT_S", "inf", "not a finite number", "a number of seconds, 0 or more"),
        ("LIVESTREAM_END_WAIT_S", "nan", "not a finite number", "a number of seconds, 0 or more"),
        ("LIVESTREAM_RETENTION_S", "1h", "a text of 2 characters", "a number of seconds, 0 or more"),
        ("LIVESTREAM_ORPHAN_AFTER_S", "0", "a whole number", "a number of seconds, 1 or more"),
    ],
)
def test_nonsense_is_refused_by_name_shape_and_what_is_accepted(
    variable: str, value: str, shape: str, accepted: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read_settings({"HOME": "/home/me", variable: value})

    assert str(caught.value) == f"{variable} is {shape}; accepted: {accepted}"


def test_a_token_in_the_wrong_variable_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        config.read_settings({"HOME": "/home/me", "LIVESTREAM_DAEMON": TOKEN})

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected_s"), [("true", 60), ("1", 60), ("woodpecker", 60), ("", 0), ("0", 0), ("False", 0), ("no", 0)]
)
def test_an_exit_waits_for_delivery_only_under_ci(value: str, expected_s: float) -> None:
    environ = {"HOME": "/home/me", "CI": value}

    assert config.read_settings(environ).end_wait_s == expected_s
    assert config.read_settings(environ | {"LIVESTREAM_END_WAIT_S": "7"}).end_wait_s == 7


def test_the_spool_is_where_platformdirs_puts_a_users_state() -> None:
    assert config.spool_folder(os.environ) == platformdirs.user_state_path("livestream") / "spool"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("/abs/spool", "/abs/spool"),
        ("~", "/home/me"),
        ("~/spool", "/home/me/spool"),
        ("~other/spool", "/cwd/~other/spool"),
        ("rel/spool", "/cwd/rel/spool"),
    ],
)
def test_the_spools_path_is_always_absolute(named: str, expected: str) -> None:
    environ = {"HOME": "/home/me", "LIVESTREAM_SPOOL": named}

    assert config.spool_folder(environ, Path("/cwd")) == Path(expected)


def test_the_state_folder_of_xdg_is_used_where_it_is_absolute() -> None:
    assert config.spool_folder({"HOME": "/h", "XDG_STATE_HOME": "/state"}) == Path("/state/livestream/spool")
    assert config.spool_folder({"HOME": "/h", "XDG_STATE_HOME": "state"}) == Path("/h/.local/state/livestream/spool")


def test_a_studios_data_lies_in_the_users_data_folder_unless_a_variable_names_another() -> None:
    assert config.studio_data_folder({"HOME": "/h"}) == Path("/h/.local/share/livestream/studio")
    assert config.studio_data_folder({"HOME": "/h", "XDG_DATA_HOME": "/data"}) == Path("/data/livestream/studio")
    named = {"HOME": "/h", "LIVESTREAM_STUDIO_DATA": "~/studio"}
    assert config.studio_data_folder(named) == Path("/h/studio")
    assert config.studio_data_folder({"LIVESTREAM_STUDIO_DATA": "here"}, Path("/cwd")) == Path("/cwd/here")


def test_a_user_without_any_home_is_told_what_to_set() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become a user that is in no user database")
    program = (
        "import os\nfrom livestream import config\nos.setuid(54321)\n"
        "print(config.livestream_config_folder({}), config.read_local_studio({}))\n"
        "try: config.spool_folder({})\nexcept config.ConfigError as error: print(error)"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=20)

    assert answer.stdout.decode().splitlines() == [
        "None (None, None)",
        "LIVESTREAM_SPOOL is not set and the user has no home; accepted: a folder to write to",
    ]


def test_resolving_loads_no_heavy_module() -> None:
    program = (
        "import sys, pathlib, livestream.config as c\n"
        "c.read_settings({'HOME': '/h'}); c.resolve_studio({}, c.read_dvc_config(pathlib.Path('/'), {'HOME': '/h'}))\n"
        "print(sorted({'platformdirs', 'configparser', 'hmac', 'hashlib', 'subprocess', 'asyncio'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=20)

    assert answer.stdout.decode().strip() == "[]"

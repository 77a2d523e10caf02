from __future__ import annotations

import msgspec
import pytest
from config_cases import TOKEN
from dvc_studio_client.config import get_studio_config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livestream import config
from livestream.config import DvcConfig, Secret, StudioArguments, StudioConfig

ODD_VALUES = st.sampled_from([None, "", "0", "1", "no", "yes", "off", "only", "TRUE", "any"])
VALUES = (
    st.none()
    | st.sampled_from(["", "a", "b"])
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5).map(str.strip)
)
URLS = st.sampled_from([None, "", "https://a", "http://b/prefix/", "https://c:8000"])
VARIABLES = ("DVC_STUDIO_TOKEN", "STUDIO_TOKEN", "DVC_STUDIO_REPO_URL", "STUDIO_REPO_URL")


def ask_stock_client(environ: dict[str, str], section: dict[str, str], arguments: StudioArguments) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:  # their function reads os.environ
        for name in (*VARIABLES, "DVC_STUDIO_URL", "DVC_STUDIO_OFFLINE"):
            patch.delenv(name, raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        found: dict[str, str] = get_studio_config(
            section,
            offline=arguments.offline,
            studio_token=arguments.token.reveal() if arguments.token else None,
            studio_repo_url=arguments.repo_url,
            studio_url=arguments.url,
        )
    return found


def keep(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


@settings(max_examples=400, deadline=None)
@given(
    environ=st.builds(
        keep,
        DVC_STUDIO_TOKEN=VALUES,
        STUDIO_TOKEN=VALUES,
        DVC_STUDIO_REPO_URL=VALUES,
        STUDIO_REPO_URL=VALUES,
        DVC_STUDIO_URL=URLS,
        DVC_STUDIO_OFFLINE=ODD_VALUES,
    ),
    section=st.builds(keep, token=VALUES, repo_url=VALUES, url=URLS, offline=ODD_VALUES),
    arguments=st.builds(
        StudioArguments,
        token=st.none() | VALUES.map(lambda text: Secret(text or "")),
        repo_url=VALUES,
        url=URLS,
        offline=st.booleans(),
    ),
)
@example(environ={"STUDIO_TOKEN": "a", "DVC_STUDIO_TOKEN": "b"}, section={}, arguments=StudioArguments(repo_url="r"))
def test_the_stock_client_decides_alike(
    environ: dict[str, str], section: dict[str, str], arguments: StudioArguments
) -> None:
    token = section.get("token")
    dvc = DvcConfig(
        token=Secret(token) if token is not None else None,
        url=section.get("url"),
        repo_url=section.get("repo_url"),
        offline=section.get("offline"),
    )

    ours = config.resolve_studio(environ, dvc, arguments)

    # Without a repository the stock client would look for one: told of one, it decides on the rest.
    fallback = "https://stand-in" if ours.repo_url is None else arguments.repo_url
    theirs = ask_stock_client(environ, section, msgspec.structs.replace(arguments, repo_url=fallback))
    if ours.offline or ours.token is None:
        assert theirs == {}
    else:
        assert theirs == {
            "token": ours.token.reveal(),
            "url": ours.url,
            "repo_url": ours.repo_url or "https://stand-in",
        }


@given(st.text(st.characters(codec="utf-8")))
def test_truth_is_as_loose_as_the_stock_clients(text: str) -> None:
    section = {"offline": text, "token": "t", "repo_url": "r"}

    assert config.to_bool(text) == (ask_stock_client({}, section, StudioArguments()) == {})


def test_each_decision_names_its_source() -> None:
    environ = {"STUDIO_TOKEN": TOKEN, "DVC_STUDIO_OFFLINE": "1"}
    dvc = DvcConfig(url="https://h", token=Secret("other"), repo_url="git@h:o/r")

    found = config.resolve_studio(environ, dvc, StudioArguments(repo_url="mine"))

    assert (found.token, found.token_source) == (Secret(TOKEN), "environment")
    assert (found.url, found.url_source) == ("https://h", "dvc-config")
    assert (found.repo_url, found.repo_url_source) == ("mine", "argument")
    assert (found.offline, found.offline_source) == (True, "environment")


def test_with_nothing_said_there_is_the_hosted_studio_and_no_token() -> None:
    found = config.resolve_studio({})

    assert found == StudioConfig(
        token=None,
        token_source=None,
        url="https://studio.datachain.ai",
        url_source="default",
        repo_url=None,
        repo_url_source=None,
        git_remote=None,
        endpoint="api/live",
        offline=False,
        offline_source="default",
    )


def test_whitespace_around_a_token_is_cut() -> None:
    environ = {"DVC_STUDIO_TOKEN": " \n", "STUDIO_TOKEN": f"{TOKEN}\n"}

    assert config.resolve_studio(environ).token == Secret(TOKEN)


def test_credentials_in_the_studios_url_are_left_out_and_said() -> None:
    found = config.resolve_studio({"DVC_STUDIO_URL": "https://me:pw@h:8000/p@th"})

    assert found.url == "https://h:8000/p@th"
    assert len(found.problems) == 1
    assert "pw" not in found.problems[0]


def test_the_remote_named_by_dvc_wins_over_a_configured_repository_but_not_over_an_argument() -> None:
    environ = {"DVC_EXP_GIT_REMOTE": "up", "DVC_STUDIO_REPO_URL": "https://h/r"}
    dvc = DvcConfig(git_remote="down")

    assert config.resolve_studio(environ, dvc).git_remote == "up"
    assert config.resolve_studio({}, dvc).git_remote == "down"
    assert config.resolve_studio(environ, dvc, StudioArguments(repo_url="https://h/mine")).git_remote is None


def test_the_endpoint_can_be_set() -> None:
    assert config.resolve_studio({"STUDIO_ENDPOINT": "/v2/live"}).endpoint == "/v2/live"

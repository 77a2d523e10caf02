"""What a rule says of a run, and that an episode is told once; pure."""

from __future__ import annotations

import msgspec
import pytest

from livestream.events import Json, Problem
from livestream.studio.alerts.keeper import MAX_WAITING, State, done_with, noted, with_rule, without_rule
from livestream.studio.alerts.message import encoded, host_shown, message_of, problem_of
from livestream.studio.alerts.rules import (
    MAX_TEXT,
    Look,
    On,
    OnNan,
    OnPlateau,
    OnStatus,
    OnThreshold,
    Rule,
    Window,
    checked,
    find,
    judge,
)
from livestream.studio.experiment import Facts
from livestream.studio.query import QueryError
from livestream.studio.settings import StatusBounds
from livestream.studio.status import derive
from livestream.studio.store.base import ExperimentRow, Project
from livestream.studio.update import Identity

NOW_US = 1_700_000_000_000_000
FILE = "dvclive/metrics.json"


def look(
    metrics: Json = None,
    *,
    experiment: int = 1,
    name: str = "run",
    errors: list[Problem] | None = None,
    window: Window | None = None,
    subdir: str = "",
    params: Json = None,
) -> Look:
    facts = Facts(event_us=NOW_US, start_us=NOW_US, step=7, done_us=None if errors is None else NOW_US)
    facts.errors = errors or []
    row = ExperimentRow(
        id=experiment,
        identity=Identity(repository="host/r", repo_url="https://host/r", baseline_sha="a" * 40, name=name),
        subdir=subdir,
        created_us=NOW_US,
        updated_us=NOW_US,
        deleted_us=None,
        facts=facts,
        metrics=msgspec.Raw(msgspec.json.encode({FILE: metrics or {}})),
        params=msgspec.Raw(msgspec.json.encode({"params.yaml": params or {}})),
    )
    return Look(row, derive(facts, NOW_US, StatusBounds()), lambda _on: window)


def rule(on: On, number: int = 1, *, project: int | None = None, enabled: bool = True, revision: int = 0) -> Rule:
    return Rule(
        id=number,
        name="rule",
        project=project,
        on=on,
        enabled=enabled,
        url="https://user:pass@hooks.example.com/secret",
        format="json",
        created_us=NOW_US,
        revision=revision,
    )


def told(state: State, *looks: Look, projects: dict[int, Project] | None = None) -> State:
    rules = tuple(state.rules.values())
    return noted(state, [judge(rules, one, projects or {}) for one in looks], NOW_US)


FAILED = OnStatus(("failed", "lost"))
BROKE = [Problem(cls="ValueError", text="no data")]


@pytest.mark.parametrize(
    ("on", "seen", "reason"),
    [
        (FAILED, look(errors=BROKE), "failed: ValueError: no data"),
        (FAILED, look(errors=[]), None),
        (FAILED, look(), None),
        (OnNan(), look({"train": {"loss": "nan"}}), "train/loss is NaN"),
        (OnNan(), look({"a": "nan", "b": {"c": "nan"}, "d": "NaN", "e": "nan"}), "a, b/c, d and 1 more are NaN"),
        (OnNan(), look({"loss": "inf", "text": "nano", "nan": 1, "list": ["nan"]}), None),
        (OnNan("train/loss"), look({"train": {"loss": "nan"}}), "train/loss is NaN"),
        (OnNan("train.loss"), look({"train": {"loss": "nan"}}), "train/loss is NaN"),
        (OnNan(f"metrics[{FILE}].train.loss"), look({"train": {"loss": "nan"}}), "train/loss is NaN"),
        (OnNan("metrics[other.json].train.loss"), look({"train": {"loss": "nan"}}), None),
        (OnNan("other"), look({"train": {"loss": "nan"}}), None),
        (OnThreshold("metrics.loss>5"), look({"loss": 5.5}), "metrics.loss>5: it is 5.5"),
        (OnThreshold("metrics.loss>5"), look({"loss": 5}), None),
        (OnThreshold("metrics.loss>5"), look({"loss": "nan"}), None),
        (OnThreshold("metrics.loss>5"), look({"loss": {"deep": 9}}), None),
        (OnThreshold("metrics.loss>5"), look(), None),
        (OnThreshold("params.lr=0.1"), look(params={"lr": 0.1}), "params.lr=0.1: it is 0.1"),
        (OnThreshold("step>=7"), look(), "step>=7: it is 7"),
        (OnThreshold("status=failed"), look(errors=BROKE), "status=failed: it is failed"),
        (OnThreshold("metrics.acc!=1"), look(), "metrics.acc!=1: it is nothing"),
        (
            OnPlateau("loss", 10),
            look(window=Window(0.5, 0.5)),
            "loss did not get better for 10 steps; the best was 0.5",
        ),
        (OnPlateau("loss", 10), look(window=Window(0.5, 0.499)), None),
        (OnPlateau("loss", 10, 0.01), look(window=Window(0.5, 0.495)), "loss did not get better by more than 0.01"),
        (OnPlateau("loss", 10, 0.01), look(window=Window(0.5, 0.48)), None),
        (OnPlateau("acc", 10, 0.0, "maximum"), look(window=Window(0.5, 0.6)), None),
        (OnPlateau("acc", 10, 0.0, "maximum"), look(window=Window(0.5, 0.4)), "acc did not get better for 10 steps"),
        (OnPlateau("loss", 10), look(window=Window(0.5, None)), "loss did not get better for 10 steps"),
        (OnPlateau("loss", 10), look(window=Window(None, 0.5)), None),
        (OnPlateau("loss", 10), look(window=None), None),
        (OnPlateau("loss", 10), look(window=Window(0.5, 0.5), errors=[]), None),
    ],
)
def test_each_kind_holds_exactly_where_it_should(on: On, seen: Look, reason: str | None) -> None:
    found = find(on, seen)

    assert (found is None) if reason is None else (found is not None and found.reason.startswith(reason)), found


def test_an_episode_is_told_once_and_again_only_after_its_end() -> None:
    state = with_rule(State(), rule(OnThreshold("metrics.loss>5")), ())
    high, low = look({"loss": 9}), look({"loss": 1})

    state = told(state, high)
    assert [alert.id for alert in state.waiting] == [1]
    assert told(state, high) is state, "nothing to write where nothing changed"
    state = told(state, low, high)
    assert [alert.id for alert in state.waiting] == [1, 2]
    state = told(state, look({"loss": 9}, experiment=2))
    assert [alert.experiment for alert in state.waiting] == [1, 1, 2]


def test_what_held_before_a_rule_was_made_is_told_only_anew() -> None:
    state = with_rule(State(), rule(FAILED), [1])

    assert not told(state, look(errors=BROKE)).waiting
    assert told(state, look(), look(errors=BROKE)).waiting


def test_a_rule_that_is_off_or_gone_or_begun_anew_is_not_told() -> None:
    judged = [judge((rule(FAILED),), look(errors=BROKE), {})]

    for other in (
        State(),
        with_rule(State(), rule(FAILED, enabled=False), ()),
        with_rule(State(), rule(FAILED, revision=1), ()),
    ):
        assert noted(other, judged, NOW_US) is other
    state = noted(with_rule(State(), rule(FAILED), ()), judged, NOW_US)
    assert without_rule(state, 1) == State(next_rule=2, next_alert=2)


def test_a_rule_of_a_project_is_about_its_experiments_only() -> None:
    projects = {
        1: Project(id=1, name="a", repository="host/r", repo_url="", subdir="vision"),
        2: Project(id=2, name="b", repository="host/other", repo_url=""),
    }
    for project, subdir, count in ((1, "vision", 1), (1, "", 1), (1, "text", 0), (2, "", 0), (3, "", 0)):
        state = with_rule(State(), rule(FAILED, project=project), ())
        state = told(state, look(errors=BROKE, subdir=subdir), projects=projects)
        assert len(state.waiting) == count, (project, subdir)


def test_more_than_can_wait_is_dropped_and_said() -> None:
    state = with_rule(State(), rule(FAILED), ())

    state = told(state, *(look(errors=BROKE, experiment=number) for number in range(1, MAX_WAITING + 4)))

    assert (len(state.waiting), state.dropped) == (MAX_WAITING, 3)
    assert state.results[1].detail.startswith("dropped")
    assert len(done_with(state, state.waiting[0], None).waiting) == MAX_WAITING - 1


@pytest.mark.parametrize(
    "on",
    [OnThreshold("loss>5"), OnThreshold("metrics.loss"), OnNan("metrics."), OnNan("a[b"), OnPlateau("params.x=", 1)],
)
def test_what_cannot_be_read_is_refused(on: On) -> None:
    with pytest.raises(QueryError):
        checked(on)


def test_a_plateau_is_of_a_series_without_a_file() -> None:
    with pytest.raises(QueryError, match="without a file"):
        checked(OnPlateau(f"metrics[{FILE}].loss", 1))


def test_numbers_that_json_readers_do_not_take_go_as_texts() -> None:
    for value in (1 << 53, (1 << 53) + 1, 10**40):
        state = told(with_rule(State(), rule(OnThreshold("metrics.count>5")), ()), look({"count": value}))
        (alert,) = state.waiting
        assert alert.value == (value if value <= 1 << 53 else str(value))
        assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


# -- messages


def test_hostile_texts_stay_texts() -> None:
    name = "<!channel> <https://evil|x> & \u202e\n*b*\0" + "x" * 1_000
    state = told(with_rule(State(), rule(FAILED), ()), look(errors=BROKE, name=name))
    message = message_of(state.rules[1], state.waiting[0], "https://studio.example.com/base")

    text = msgspec.json.decode(encoded(message, "slack"))["text"]
    assert text.startswith("*rule*\n&lt;!channel&gt; &lt;https://evil|x&gt; &amp; *b* xxx")
    assert text.count("\n") == 2
    assert text.endswith("\nhttps://studio.example.com/base/experiments/1")
    assert "\u202e" not in text
    assert len(text) < 2 * MAX_TEXT
    answer = msgspec.json.decode(encoded(message, "json"))
    assert answer["experiment"]["name"] == name[: MAX_TEXT - 1] + "…"
    assert (answer["kind"], answer["status"], answer["alert"]) == ("status", "failed", 1)
    assert "secret" not in encoded(message, "json").decode()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks",
        "ftp://host/x",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://h:0/",
        "http://h:99999/",
        "http://[::1",
        "http://h/a b",
        "http://h/\r\nX: y",
        "javascript:alert(1)",
        "http://h/" + "x" * 2_000,
    ],
)
def test_only_an_address_of_http_is_taken(url: str) -> None:
    assert problem_of(url) is not None


def test_of_an_address_its_host_is_shown() -> None:
    assert problem_of("http://127.0.0.1:9/x") is None, "loopback is allowed"
    assert host_shown("https://user:pass@Hooks.example.com/services/secret?token=x#y") == "hooks.example.com"
    assert host_shown("http://[::1]:8080/secret") == "[::1]:8080"

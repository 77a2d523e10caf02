from __future__ import annotations

from email.utils import formatdate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.pipeline.decide import (
    MAX_DETAIL_CHARS,
    Accepted,
    Ack,
    Context,
    DeadLetter,
    Decision,
    Hold,
    Misdirected,
    Outcome,
    Rejected,
    Retry,
    Split,
    Suspect,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    backoff_s,
    classify,
    decide,
    parse_retry_after,
)

NOW = 1_700_000_000.0
STATUSES = st.integers(100, 599)
OUTCOMES = st.one_of(
    st.just(Accepted()),
    st.builds(Rejected, st.sampled_from([400, 409, 422]), st.text(max_size=3)),
    st.builds(Unauthorized, st.sampled_from([401, 403]), st.text(max_size=3)),
    st.builds(Misdirected, st.sampled_from([302, 404]), st.none() | st.just("/login"), st.text(max_size=3)),
    st.just(TooLarge()),
    st.builds(Throttled, st.sampled_from([429, 503]), st.none() | st.floats(0, 3600)),
    st.builds(Unavailable, st.none() | st.integers(500, 599), st.text(max_size=3), st.booleans()),
)
CONTEXTS = st.builds(
    Context,
    attempts=st.integers(0, 10**6),
    others_succeeded=st.booleans(),
    events=st.integers(1, 100),
    items=st.integers(0, 200),
    is_start=st.booleans(),
    accepted_data=st.booleans(),
    earlier_suspects=st.integers(0, 3),
    jitter=st.floats(0, 1, exclude_max=True),
)


def outcome_of(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Outcome:
    return classify(status, headers or {}, body, now_epoch=NOW)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, Rejected(status, "")) for status in (400, 409, 422)),
        *((status, Unauthorized(status, "")) for status in (401, 403)),
        *((status, Misdirected(status, None, "")) for status in (201, 202, 204, 206, 301, 302, 303, 304, 307, 308)),
        *(
            (status, Misdirected(status, None, ""))
            for status in (402, 404, 405, 407, 410, 411, 414, 415, 418, 431, 451)
        ),
        *((status, Misdirected(status, None, "")) for status in (100, 101, 600, 999)),
        *((status, Unavailable(status, "")) for status in (408, 425, 500, 501, 502, 503, 504, 507, 520, 599)),
        (200, Accepted()),
        (413, TooLarge(413)),
        (429, Throttled(429, None)),
    ],
)
def test_each_status_has_its_outcome(status: int, expected: Outcome) -> None:
    assert outcome_of(status) == expected


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"{}", b'{"url": "x"}', b"[]", b"null", b'"ok"', b"\xef\xbb\xbf{}", b'{"cut": [1,']
)
def test_200_with_json_or_nothing_is_accepted(body: bytes) -> None:
    assert outcome_of(200, body, {"Content-Type": "text/html"}) == Accepted()


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>Sign in</title>", b"  <html>", b"Service is starting", b"[starting]", b"\xff\xfe"]
)
def test_200_with_a_page_is_not_an_answer_of_a_studio(body: bytes) -> None:
    outcome = outcome_of(200, body, {"Content-Type": "application/json"})

    assert isinstance(outcome, Misdirected)
    assert outcome.detail.startswith("not JSON: ")


def test_a_redirect_is_shown_with_where_it_leads() -> None:
    outcome = outcome_of(302, b"", {"Location": "https://sso.example.org/"})

    assert outcome == Misdirected(302, "https://sso.example.org/", "")
    assert decide(outcome, Context()) == Hold(
        "studio", "this URL is no Studio (302: to https://sso.example.org/)", 300.0
    )


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_headers_are_found_in_any_case(name: str) -> None:
    assert outcome_of(429, b"", {name: "7"}) == Throttled(429, 7.0)


def test_503_is_a_request_for_patience_only_where_it_says_how_long() -> None:
    assert outcome_of(503, b"", {"Retry-After": "7"}) == Throttled(503, 7.0)
    assert outcome_of(503, b"", {"Retry-After": "soon"}) == Unavailable(503, "")
    assert outcome_of(500, b"", {"Retry-After": "7"}) == Unavailable(500, "")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"detail": "no such repo"}', "no such repo"),
        (b'{"detail": {"step": ["must be int"]}}', '{"step":["must be int"]}'),
        (b'{"error": 1}', '{"error": 1}'),
        (b'{"detail": ""}', '{"detail": ""}'),
        (b"plain\r\n\x1b[31mtext\x00", "plain [31mtext"),
        (b"\xff" * 3, "\ufffd" * 3),
        (b"x" * 100_000, "x" * MAX_DETAIL_CHARS),
    ],
)
def test_the_servers_words_are_kept_short_and_printable(body: bytes, detail: str) -> None:
    assert outcome_of(400, body) == Rejected(400, detail)


@given(status=STATUSES, body=st.binary(max_size=40), header=st.text(max_size=30))
def test_any_answer_has_an_outcome_and_only_200_is_accepted(status: int, body: bytes, header: str) -> None:
    outcome = outcome_of(status, body, {"Retry-After": header, "Location": header})

    assert isinstance(outcome, Accepted) <= (status == 200)
    assert isinstance(outcome, Rejected) == (status in {400, 409, 422})
    assert isinstance(decide(outcome, Context()), Ack) == isinstance(outcome, Accepted)


MANY = Context(events=2)
LONE = Context(accepted_data=True)
START = Context(is_start=True, accepted_data=True)
REFUSED = Rejected(422, "bad step")
DOWN = Unavailable(502, "bad gateway")


@pytest.mark.parametrize(
    ("outcome", "context", "kind"),
    [
        (Accepted(), LONE, Ack),
        (REFUSED, MANY, Split),
        (REFUSED, LONE, DeadLetter),
        (REFUSED, START, Hold),
        (REFUSED, Context(), Suspect),
        (REFUSED, Context(earlier_suspects=1), Hold),
        (REFUSED, Context(earlier_suspects=2), Hold),
        (REFUSED, Context(events=2, earlier_suspects=1), Split),
        (TooLarge(), MANY, Split),
        (TooLarge(), Context(items=2), Split),
        (TooLarge(), Context(items=1), DeadLetter),
        (TooLarge(), Context(items=0), DeadLetter),
        (TooLarge(), START, Hold),
        (Unauthorized(401, ""), LONE, Hold),
        (Misdirected(404, None, ""), START, Hold),
        (Throttled(429, 3.0), LONE, Retry),
        (DOWN, Context(attempts=1, others_succeeded=True), Retry),
        (DOWN, Context(attempts=4, others_succeeded=True, events=2), Retry),
        (DOWN, Context(attempts=5, others_succeeded=True, events=2), Split),
        (DOWN, Context(attempts=5, others_succeeded=True), DeadLetter),
        (DOWN, Context(attempts=5, others_succeeded=True, is_start=True), Hold),
        (DOWN, Context(attempts=10**6), Retry),
    ],
)
def test_each_row_of_the_table(outcome: Outcome, context: Context, kind: type[Decision]) -> None:
    assert type(decide(outcome, context)) is kind


@pytest.mark.parametrize(
    ("outcome", "scope"),
    [
        (Unauthorized(403, ""), "studio"),
        (Misdirected(404, None, ""), "studio"),
        (REFUSED, "experiment"),
        (TooLarge(), "experiment"),
    ],
)
def test_a_wrong_address_or_token_holds_the_studio_a_refused_start_only_its_experiment(
    outcome: Outcome, scope: str
) -> None:
    decision = decide(outcome, START)

    assert isinstance(decision, Hold)
    assert decision.scope == scope


def test_refused_events_say_what_the_server_said() -> None:
    assert decide(REFUSED, LONE) == DeadLetter("refused (422: bad step)", 422, parked=False)
    assert decide(REFUSED, Context()) == Suspect("refused (422: bad step)", 422)


def test_a_lone_body_that_fails_while_others_pass_is_parked_not_given_up() -> None:
    context = Context(attempts=5, others_succeeded=True)

    assert decide(DOWN, context) == DeadLetter(
        "failed 5 times while others passed (502: bad gateway)", 502, parked=True
    )
    assert decide(Unavailable(None, "reset"), context) == DeadLetter(
        "failed 5 times while others passed (no answer: reset)", None, parked=True
    )


def test_a_stale_connection_costs_one_immediate_retry_and_is_no_trouble() -> None:
    stale = Unavailable(None, "closed", stale_connection=True)

    assert decide(stale, Context(attempts=1)) == Retry(0.0, trouble=False)
    assert decide(stale, Context(attempts=2, jitter=0.5)) == Retry(0.5, trouble=True)


def test_a_throttled_body_waits_as_told_and_without_a_time_some_seconds() -> None:
    assert decide(Throttled(429, 30.0), Context()) == Retry(30.0, trouble=False)
    assert decide(Throttled(429, None), Context(jitter=0.5)) == Retry(7.5, trouble=False)
    assert decide(Throttled(429, 0.0), Context(jitter=0.0)) == Retry(5.0, trouble=False)


@given(outcome=OUTCOMES, context=CONTEXTS)
def test_no_start_and_nothing_with_company_is_ever_a_dead_letter(outcome: Outcome, context: Context) -> None:
    decision = decide(outcome, context)

    if isinstance(decision, DeadLetter):
        assert not context.is_start
        assert context.events == 1


@given(outcome=OUTCOMES, context=CONTEXTS)
def test_a_refusal_costs_no_data_before_anything_was_accepted(outcome: Outcome, context: Context) -> None:
    decision = decide(outcome, msgspec.structs.replace(context, accepted_data=False))

    assert not (isinstance(outcome, Rejected) and isinstance(decision, DeadLetter))


@given(outcome=OUTCOMES, context=CONTEXTS)
def test_only_a_200_is_an_ack_and_only_several_events_or_plots_are_split(outcome: Outcome, context: Context) -> None:
    decision = decide(outcome, context)

    assert isinstance(decision, Ack) == isinstance(outcome, Accepted)
    assert not isinstance(decision, Split) or context.events > 1 or context.items > 1


@given(outcome=OUTCOMES, context=CONTEXTS)
def test_waits_are_bounded(outcome: Outcome, context: Context) -> None:
    decision = decide(outcome, context)

    if isinstance(decision, Retry):
        assert 0 <= decision.after_s <= 3600
    if isinstance(decision, Hold):
        assert 60 <= decision.probe_after_s <= 3600


@pytest.mark.parametrize(
    ("attempts", "ceiling_s"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (7, 32), (8, 60), (9, 60), (10**9, 60)]
)
def test_the_backoff_doubles_up_to_its_cap(attempts: int, ceiling_s: float) -> None:
    assert backoff_s(attempts, 0.0) == 0
    assert backoff_s(attempts, 0.5) == ceiling_s / 2
    assert backoff_s(attempts, 1.0) == ceiling_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("1.5", 1.5),
        ("999999", 3600.0),
        ("9" * 12, 3600.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW + 10**6, usegmt=True), 3600.0),
        ("Tuesday, 14-Nov-23 22:14:50 GMT", 90.0),
        ("", None),
        ("-5", None),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("soon", None),
        ("\u0665", None),
        ("Fri, 14 Nov 99999 22:14:50 GMT", None),
        (f"14 Nov {'9' * 30} 22:14:50 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: float | None) -> None:
    assert parse_retry_after(text, NOW) == expected


DATE_LIKE = st.text(st.sampled_from("0123456789:,-+ GMTJanue"), max_size=40)


@given(text=st.text(max_size=40) | DATE_LIKE)
def test_no_retry_after_breaks_the_reader(text: str) -> None:
    wait_s = parse_retry_after(text, NOW)

    assert wait_s is None or 0 <= wait_s <= 3600

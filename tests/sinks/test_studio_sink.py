from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import msgspec
import orjson
import pytest
from sink_cases import start

from livestream.pipeline.chunk import Limits
from livestream.pipeline.decide import (
    Accepted,
    Misdirected,
    Outcome,
    Rejected,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from livestream.pipeline.update import Profile
from livestream.sinks import Capabilities, Request, Sink, StudioSink, Target, Timeouts
from livestream.testing import DEFAULT_TOKEN, Answer, FakeStudio
from livestream.testing.script import Moment


async def test_a_body_arrives_byte_for_byte_with_the_headers_of_the_wire(
    studio: FakeStudio, sink: StudioSink, target: Target
) -> None:
    request = start(message="hello")
    assert await sink.send(target, request) == Accepted()

    (entry,) = studio.ledger.requests
    assert entry.body == orjson.loads(request.body)
    assert entry.headers["content-type"] == "application/json"
    assert entry.headers["content-length"] == str(len(request.body))
    assert entry.headers["user-agent"] == "livestream"
    assert [name for name in entry.headers if name.startswith(("livestream", "content-encoding", "transfer"))] == []
    assert studio.ledger.violations == []


async def test_the_sink_is_a_sink_and_its_requests_carry_the_extensions_headers(
    studio: FakeStudio, sink: Sink, target: Target
) -> None:
    headers = {"Livestream-Update": "w1/1/1/1/1", "Livestream-Losses": "quota=2"}
    assert await sink.send(target, Request(body=start().body, headers=headers)) == Accepted()

    assert studio.ledger.marks.marks == {"w1": 1}
    assert studio.ledger.experiment("run").losses == {"quota": 2}


async def test_compressed_bodies_arrive_whole_and_smaller(studio: FakeStudio, sink: StudioSink, target: Target) -> None:
    for length in (10, 10_000, 1_000_000):
        request = Request(body=start(message="x" * length).body, compress=True)
        assert await sink.send(target, request) == Accepted()

    assert [len((entry.body or {})["message"]) for entry in studio.ledger.requests] == [10, 10_000, 1_000_000]
    tiny, medium, large = studio.ledger.requests
    assert tiny.wire_size == tiny.size  # not worth it
    assert medium.wire_size < medium.size / 20
    assert large.wire_size < large.size / 20


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(status=200), Accepted()),
        (Answer.error(400, "no"), Rejected(400, "no")),
        (Answer.error(401, "who?"), Unauthorized(401, "who?")),
        (Answer.error(403, "no"), Unauthorized(403, "no")),
        (Answer.error(404, "no"), Misdirected(404, None, "no")),
        (Answer.redirect("https://x/login"), Misdirected(302, "https://x/login", "")),
        (Answer.error(413), TooLarge(413)),
        (Answer.error(429, retry_after="7"), Throttled(429, 7.0)),
        (Answer.error(503, retry_after="9"), Throttled(503, 9.0)),
        (Answer.error(500, "oops"), Unavailable(500, "oops")),
    ],
)
async def test_an_answer_becomes_its_outcome(
    studio: FakeStudio, sink: StudioSink, target: Target, answer: Answer, outcome: Outcome
) -> None:
    studio.script(answer)
    assert await sink.send(target, start()) == outcome
    assert await sink.send(target, start()) == Accepted()


async def test_a_page_is_no_acknowledgement(studio: FakeStudio, sink: StudioSink, target: Target) -> None:
    studio.script(Answer.html(200, "Please log in"))
    outcome = await sink.send(target, start())
    assert isinstance(outcome, Misdirected)
    assert "Please log in" in outcome.detail


async def test_a_date_to_come_back_at_is_read_with_the_sinks_clock(studio: FakeStudio, target: Target) -> None:
    studio.script(Answer.error(429, retry_after=formatdate(1_000_030, usegmt=True)))
    async with StudioSink(environ={}, clock=lambda: 1_000_000.0) as sink:
        assert await sink.send(target, start()) == Throttled(429, 30.0)


@pytest.mark.parametrize("at", ["before_body", "mid_body", "before_answer", "mid_answer"])
@pytest.mark.parametrize("length", [10, 3_000_000])
async def test_a_broken_connection_is_unavailable_and_the_next_request_works(
    studio: FakeStudio, sink: StudioSink, target: Target, at: Moment, length: int
) -> None:
    studio.script(Answer.reset(at))
    outcome = await sink.send(target, start(message="x" * length))
    assert isinstance(outcome, Unavailable)
    assert (outcome.status, outcome.stale_connection) == (None, False)
    assert outcome.detail.startswith(f"127.0.0.1:{studio.port}: ")
    assert await sink.send(target, start()) == Accepted()


@pytest.mark.parametrize("at", ["before_body", "before_answer", "mid_answer"])
async def test_a_server_that_falls_silent_is_given_up_in_time(
    studio: FakeStudio, sink: StudioSink, target: Target, at: Moment
) -> None:
    studio.script(Answer.hang(at))
    begun = time.monotonic()
    outcome = await sink.send(target, start(message="x" * 6_000_000))
    assert isinstance(outcome, Unavailable)
    assert outcome.detail.endswith("silent for 0.5 s")
    assert 0.4 < time.monotonic() - begun < 10


async def test_a_slow_line_may_take_longer_than_the_silence_that_is_allowed() -> None:
    with FakeStudio(bandwidth=400_000) as studio:
        async with StudioSink(Timeouts(silence_s=1.2), environ={}) as sink:
            begun = time.monotonic()
            slow = Target(url=studio.url, token=DEFAULT_TOKEN)
            assert await sink.send(slow, start(message="x" * 800_000)) == Accepted()
            assert time.monotonic() - begun > 1.5


async def test_outages_come_and_go(studio: FakeStudio, sink: StudioSink, target: Target) -> None:
    for _ in range(2):
        assert await sink.send(target, start()) == Accepted()
        studio.stop()
        outcome = await sink.send(target, start())
        assert outcome == Unavailable(None, f"127.0.0.1:{studio.port}: cannot connect (connection refused)")
        studio.start()
    assert await sink.send(target, start()) == Accepted()


async def test_an_unknown_host_is_unavailable(sink: StudioSink) -> None:
    outcome = await sink.send(Target(url="http://studio.invalid", token="t"), start())
    assert isinstance(outcome, Unavailable)
    assert "studio.invalid:80: cannot connect" in outcome.detail


async def test_eight_sends_run_beside_each_other(studio: FakeStudio, target: Target) -> None:
    studio.script(*[Answer.late(0.4)] * 8)
    async with StudioSink(environ={}) as sink:
        begun = time.monotonic()
        outcomes = await asyncio.gather(*(sink.send(target, start(name=f"run{n}")) for n in range(8)))
        elapsed_s = time.monotonic() - begun

    assert outcomes == [Accepted()] * 8
    assert elapsed_s < 8 * 0.4 / 2
    assert {key.name for key in studio.ledger.experiments} == {f"run{n}" for n in range(8)}


async def test_a_cancelled_send_ends_at_once_and_the_sink_goes_on(
    studio: FakeStudio, target: Target, sink: StudioSink
) -> None:
    studio.script(Answer.hang())
    sending = asyncio.create_task(sink.send(target, start()))
    await studio.ledger.until(lambda ledger: len(ledger.requests) == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sending, 0.3)
    assert await sink.send(target, start()) == Accepted()


async def test_a_closed_sink_opens_again_when_it_is_used(sink: StudioSink, target: Target) -> None:
    for _ in range(2):
        assert await sink.send(target, start()) == Accepted()
        await sink.close()


class TestCapabilities:
    async def test_of_a_livestream_studio_are_what_it_says(self, sink: StudioSink) -> None:
        limits = Limits(max_request_bytes=5_000_000, max_plot_bytes=4_000_000, max_plots=7)
        with FakeStudio("livestream", limits=limits) as studio:
            found = await sink.capabilities(Target(url=studio.url, token=DEFAULT_TOKEN))
        assert found == Capabilities(
            limits=Limits(
                max_request_bytes=5_000_000, max_plot_bytes=4_000_000, max_plots=7, target_request_bytes=5_000_000
            ),
            profile=Profile(image_history=True, live_plots=True, idempotent=True),
            compression=("gzip",),
            heartbeats=False,
            advertised=True,
        )

    @pytest.mark.parametrize(("said", "meant"), [(15.0, 15.0), (4.5, 4.5), (0.0, 1.0), (-1.0, 1.0), (1e9, 300.0)])
    async def test_say_how_often_heartbeats_are_wanted_within_reason(
        self, sink: StudioSink, said: float, meant: float
    ) -> None:
        with FakeStudio("livestream", heartbeat_s=said) as studio:
            found = await sink.capabilities(Target(url=studio.url, token=DEFAULT_TOKEN))
        assert isinstance(found, Capabilities)
        assert (found.heartbeats, found.heartbeat_s) == (True, meant)

    @pytest.mark.parametrize(
        "answer",
        [
            Answer.error(404),
            Answer.error(405),
            Answer.error(400),
            Answer.error(403),
            Answer.redirect("https://x/"),
            Answer.html(),
            Answer(status=200, body=b"{}"),
            Answer(status=200, body=b"[]"),
            Answer(status=200, body=b'{"livestream": "1"}'),
            Answer(status=200, body=b'{"livestream": 0}'),
            Answer(status=200, body=b'{"livestream": 1, "limits": {"max_plots": 0}}'),
            Answer(status=200, body=b'{"livestream": 1, "limits": {"max_plot_bytes": 10}}'),
        ],
    )
    async def test_of_whatever_else_answers_are_the_stock_ones(
        self, studio: FakeStudio, sink: StudioSink, target: Target, answer: Answer
    ) -> None:
        studio.script_capabilities(answer)
        assert await sink.capabilities(target) == Capabilities()

    async def test_of_a_stock_studio_are_the_stock_ones(self, sink: StudioSink) -> None:
        with FakeStudio("stock") as studio:
            found = await sink.capabilities(Target(url=studio.url, token=DEFAULT_TOKEN))
            assert [entry.path for entry in studio.ledger.others] == ["/api/live/capabilities"]
        assert found == Capabilities()
        assert not Capabilities().advertised

    async def test_of_a_later_version_leave_out_what_we_do_not_know(
        self, studio: FakeStudio, sink: StudioSink, target: Target
    ) -> None:
        studio.capabilities = {"livestream": 2, "compression": ["zstd", "gzip"], "telepathy": True}
        assert await sink.capabilities(target) == Capabilities(compression=("gzip",), advertised=True)

    async def test_cannot_be_told_where_nobody_answers(
        self, studio: FakeStudio, sink: StudioSink, target: Target
    ) -> None:
        studio.script_capabilities(Answer.error(503), Answer.error(429, retry_after="2"), Answer.hang())
        assert isinstance(await sink.capabilities(target), Unavailable)
        assert await sink.capabilities(target) == Throttled(429, 2.0)
        assert isinstance(await sink.capabilities(target), Unavailable)
        studio.tokens.clear()
        assert await sink.capabilities(target) == Unauthorized(401, "Invalid token.")


class TestHeartbeats:
    @pytest.fixture
    def studio(self) -> Iterator[FakeStudio]:
        with FakeStudio("livestream", heartbeat_s=15.0) as running:
            yield running

    @pytest.mark.parametrize("endpoint", ["api/live", "api/live/"])
    async def test_go_beside_the_updates(
        self, studio: FakeStudio, sink: StudioSink, target: Target, endpoint: str
    ) -> None:
        experiment = {"repo_url": "r", "baseline_sha": "a" * 40, "name": "run"}
        facts = {"rows": 1, "bytes": 2, "oldest_s": 3, "losses": {}}
        names = [f"w{number}" for number in range(1000)]
        body = orjson.dumps({"beats": [{**experiment, "writer": name, **facts} for name in names]})
        there = msgspec.structs.replace(target, endpoint=endpoint)
        for compress in (False, True):
            assert await sink.beat(there, Request(body=body, compress=compress)) == Accepted()
        assert [beat.writer for beat in studio.ledger.beats] == names * 2
        assert studio.ledger.requests == ()
        plain, packed = studio.ledger.others
        assert plain.size == plain.wire_size == packed.size == len(body)
        assert packed.wire_size < len(body) / 4

    async def test_end_in_an_outcome_whatever_happens(
        self, studio: FakeStudio, sink: StudioSink, target: Target
    ) -> None:
        studio.script_beats(Answer.error(429, retry_after="7"), Answer.error(404), Answer.hang())
        request = Request(body=b'{"beats": []}')
        assert await sink.beat(target, request) == Throttled(429, 7.0)
        assert isinstance(await sink.beat(target, request), Misdirected)
        assert isinstance(await sink.beat(target, request), Unavailable)
        studio.tokens.clear()
        assert await sink.beat(target, request) == Unauthorized(401, "Invalid token.")
        bad = msgspec.structs.replace(target, url="ftp://studio.example")
        assert isinstance(await sink.beat(bad, request), Misdirected)


class TestTheToken:
    async def test_is_hidden_in_every_text_of_a_target(self, target: Target) -> None:
        shown = [repr(target), str(target), f"{target}", repr([target]), repr(target.__rich_repr__())]
        assert not any(DEFAULT_TOKEN in text for text in shown)

    @pytest.mark.parametrize(
        "answer",
        [
            Answer.error(401, f"Invalid token: {DEFAULT_TOKEN}"),
            Answer.error(400, f"token {DEFAULT_TOKEN} is bad"),
            Answer.error(500, DEFAULT_TOKEN),
            Answer.html(200, DEFAULT_TOKEN),
            Answer.redirect(f"https://x/login?token={DEFAULT_TOKEN}"),
            Answer.error(404, DEFAULT_TOKEN),
        ],
    )
    async def test_is_struck_out_of_answers_that_repeat_it(
        self, studio: FakeStudio, sink: StudioSink, target: Target, answer: Answer
    ) -> None:
        studio.script(answer)
        outcome = await sink.send(target, start())
        assert DEFAULT_TOKEN not in repr(outcome)
        assert "***" in repr(outcome)

    async def test_does_not_follow_a_redirect(self, studio: FakeStudio, sink: StudioSink, target: Target) -> None:
        with FakeStudio() as other:
            for status in (301, 302, 303, 307, 308):
                studio.script(Answer.redirect(other.url + "/api/live", status))
                outcome = await sink.send(target, start())
                assert outcome == Misdirected(status, other.url + "/api/live", "")
            assert (other.ledger.requests, other.ledger.others) == ((), ())

    @pytest.mark.parametrize("token", ["", "with space", "line\nbreak", "tökén", "tab\t"])
    async def test_that_no_header_can_carry_is_not_sent(self, studio: FakeStudio, sink: StudioSink, token: str) -> None:
        for outcome in (
            await sink.send(Target(url=studio.url, token=token), start()),
            await sink.capabilities(Target(url=studio.url, token=token)),
        ):
            assert isinstance(outcome, Unauthorized)
            assert "not sent" in outcome.detail
        assert (studio.ledger.requests, studio.ledger.others) == ((), ())

    async def test_is_sent_whatever_a_netrc_says(
        self, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login thief password secret\ndefault login thief password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with StudioSink() as sink:
            assert await sink.send(target, start()) == Accepted()
            assert isinstance(await sink.capabilities(target), Capabilities)

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import SHA

from livestream.studio.update import Backlog, UpdateKey
from livestream.studio.wire.beats import decode_beats
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.headers import Extension, parse
from livestream.studio.wire.packing import PIECE_BYTES, Gunzip


def test_stock_clients_say_nothing() -> None:
    assert parse({}) == Extension()


def test_all_headers_are_read() -> None:
    said = parse(
        {
            "Livestream-Update": "w-1/3/9/2/4",
            "Livestream-Backlog": "10,2048,12",
            "Livestream-Losses": "quota=2, images trimmed=1",
            "Livestream-Repair": "1",
        }
    )

    assert said.key == UpdateKey("w-1", 3, 9, 2, 4)
    assert said.backlog == Backlog(10, 2048, 12.0)
    assert said.losses == {"quota": 2, "images trimmed": 1}
    assert said.repair


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Livestream-Update", ""),
        ("Livestream-Update", "w/1/2/3"),
        ("Livestream-Update", "/1/2/1/1"),
        ("Livestream-Update", "w/0/2/1/1"),
        ("Livestream-Update", "w/3/2/1/1"),
        ("Livestream-Update", "w/1/2/0/1"),
        ("Livestream-Update", "w/1/2/2/1"),
        ("Livestream-Update", "w/1/2/-1/1"),
        ("Livestream-Update", "w/1/2/1/999999"),
        ("Livestream-Update", "w/1/99999999999999999999/1/1"),
        ("Livestream-Update", "w/1/9223372036854775808/1/1"),
        ("Livestream-Update", "w/1/٢/1/1"),
        ("Livestream-Update", "w" * 201 + "/1/2/1/1"),
        ("Livestream-Backlog", "1,2"),
        ("Livestream-Backlog", "1,2,x"),
        ("Livestream-Backlog", "1,2,nan"),
        ("Livestream-Backlog", "-1,2,3"),
        ("Livestream-Losses", "quota"),
        ("Livestream-Losses", "quota=x"),
        ("Livestream-Losses", "=1"),
        ("Livestream-Losses", ",".join(f"r{index}=1" for index in range(101))),
        ("Livestream-Repair", "yes"),
    ],
)
def test_a_header_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(WireError) as caught:
        parse({name: value})

    assert caught.value.path == name


@given(
    st.dictionaries(
        st.sampled_from(["Livestream-Update", "Livestream-Backlog", "Livestream-Losses", "Livestream-Repair"]),
        st.text(max_size=30),
    )
)
def test_any_headers_are_read_or_named(headers: dict[str, str]) -> None:
    try:
        parse(headers)
    except WireError as error:
        assert error.path in headers  # noqa: PT017 - passing is fine too


# -- beats


def beat(**fields: Any) -> dict[str, Any]:
    return {"repo_url": "git@github.com:team/iris.git", "baseline_sha": SHA, "name": "run", "writer": "w", **fields}


def beats(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"beats": list(entries)}).encode()


def test_beats_are_read() -> None:
    (found,) = decode_beats(beats(beat(rows=3, bytes=4, oldest_s=1.5, losses={"quota": 1}, later="field")), 77)

    assert (found.identity.repository, found.identity.name) == ("github.com/team/iris", "run")
    assert (found.writer, found.received_us) == ("w", 77)
    assert (found.backlog, found.losses) == (Backlog(3, 4, 1.5), {"quota": 1})


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{}", "body"),
        (beats(beat(writer="")), "beats[0].writer"),
        (beats(beat(), beat(name="")), "beats[1].name"),
        (beats(beat(repo_url="")), "beats[0].repo_url"),
        (beats(beat(baseline_sha="x")), "beats[0].baseline_sha"),
        (beats(beat(rows=-1)), "body.beats[0].rows"),
        (beats(beat(rows=2**63)), "body.beats[0].rows"),
        (beats(beat(oldest_s="x")), "body.beats[0].oldest_s"),
        (beats(beat(losses={"a": -1})), "body.beats[0].losses[...]"),
        (beats(beat(losses={"a\0": 1})), "beats[0].losses"),
        (beats(*[beat()] * 1_001), "body.beats"),
    ],
)
def test_bad_beats_are_named(payload: bytes, path: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_beats(payload, 0)

    assert caught.value.path == path


# -- gzip


def unpacked(packed: bytes, step: int = 1_000) -> bytes:
    gunzip = Gunzip()
    pieces = [piece for at in range(0, len(packed), step) for piece in gunzip.feed(packed[at : at + step])]
    return b"".join([*pieces, *gunzip.end()])


@given(st.binary(max_size=5_000), st.integers(1, 400))
def test_gzip_is_unpacked_however_it_is_cut(content: bytes, step: int) -> None:
    assert unpacked(gzip.compress(content), step) == content


def test_a_bomb_comes_in_small_pieces() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))

    sizes = [len(piece) for piece in Gunzip().feed(bomb)]

    assert sum(sizes) == 64 * 1024 * 1024
    assert max(sizes) <= PIECE_BYTES


@pytest.mark.parametrize(
    "packed",
    [b"", b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x", b"\x1f\x8b"],
    ids=["nothing", "plain", "cut", "more", "magic"],
)
def test_what_is_no_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(WireError) as caught:
        unpacked(packed)

    assert caught.value.path == "Content-Encoding"

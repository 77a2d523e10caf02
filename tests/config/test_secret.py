from __future__ import annotations

import copy
import pickle

import msgspec
import orjson
import pytest
from config_cases import TOKEN

from livestream import config
from livestream.config import Secret


def test_a_secret_shows_itself_only_to_who_asks() -> None:
    secret = Secret(TOKEN)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{[secret]}", "%s" % secret]  # noqa: UP031

    assert not [text for text in shown if TOKEN in text]
    assert repr(secret) == "***"
    assert secret.reveal() == TOKEN


def test_a_secret_is_not_encoded_pickled_or_copied_by_accident() -> None:
    resolved = config.resolve_studio({"DVC_STUDIO_TOKEN": TOKEN})
    assert resolved.token == Secret(TOKEN)

    for leak in (
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        orjson.dumps,
        pickle.dumps,
        copy.deepcopy,
    ):
        with pytest.raises(TypeError) as caught:
            leak(resolved.token)
        assert TOKEN not in str(caught.value)
    with pytest.raises(TypeError):
        msgspec.json.encode(resolved)
    assert TOKEN not in repr(resolved)


def test_equal_secrets_are_equal_and_nothing_else_is() -> None:
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_a_fingerprint_tells_tokens_apart_under_one_key_only() -> None:
    one = config.fingerprint(Secret(TOKEN), b"k" * 32)

    assert one == config.fingerprint(TOKEN, b"k" * 32)
    assert len(one) == 16
    assert int(one, 16)
    assert one != config.fingerprint(TOKEN, b"l" * 32)
    assert one != config.fingerprint(TOKEN + "x", b"k" * 32)


def test_the_fingerprint_is_hmac_sha256() -> None:
    # RFC 4231, test case 2.
    assert config.fingerprint("what do ya want for nothing?", b"Jefe") == "5bdcc146bf60754e"

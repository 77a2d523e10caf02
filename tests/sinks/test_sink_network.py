from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import pytest
from sink_cases import OK, Peer, raw_server, start
from yarl import URL

from livestream.pipeline.decide import Accepted, Misdirected, Unavailable
from livestream.sinks import StudioSink, Target
from livestream.sinks.network import SettingError, address_of, proxy_for
from livestream.testing import DEFAULT_TOKEN, FakeStudio


@pytest.mark.parametrize(
    ("url", "endpoint", "address"),
    [
        ("https://studio.example", "api/live", "https://studio.example/api/live"),
        ("https://studio.example/", "api/live", "https://studio.example/api/live"),
        ("http://h/prefix", "api/live", "http://h/api/live"),
        ("http://h/prefix/", "api/live", "http://h/prefix/api/live"),
        ("http://h/prefix/", "/v2/x", "http://h/v2/x"),
        ("http://h:8080", "", "http://h:8080/api/live"),
        ("https://h", "https://h:443/other", "https://h:443/other"),
        ("HTTP://H", "api/live", "http://h/api/live"),
        ("http://[::1]:80", "api/live", "http://[::1]:80/api/live"),
    ],
)
def test_the_address_is_joined_as_the_stock_client_joins_it(url: str, endpoint: str, address: str) -> None:
    found = address_of(Target(url=url, endpoint=endpoint, token="t"))
    assert found == URL(address)
    assert URL(urljoin(url, endpoint or "api/live")) == found


@pytest.mark.parametrize(
    ("url", "endpoint", "problem"),
    [
        ("https://studio.example", "https://thief.example/api/live", "another host"),
        ("https://studio.example", "//thief.example/api/live", "another host"),
        ("https://studio.example", "http://studio.example/api/live", "another host"),
        ("https://studio.example", "https://studio.example:444/", "another host"),
        ("https://studio.example", "https://user:pw@studio.example/", "another host"),
        ("https://studio.example", "file:///etc/passwd", "another host"),
        ("https://user:secret@studio.example", "api/live", "user name or a password"),
        ("studio.example", "api/live", "has to begin with http"),
        ("ftp://studio.example", "api/live", "has to begin with http"),
        ("https://", "api/live", "has to begin with http"),
        ("http://[::1", "api/live", "cannot be read"),
        ("http://h:port", "api/live", "cannot be read"),
    ],
)
async def test_an_address_that_the_token_was_not_given_for_is_refused(
    sink: StudioSink, url: str, endpoint: str, problem: str
) -> None:
    target = Target(url=url, endpoint=endpoint, token="t")
    for outcome in (await sink.send(target, start()), await sink.capabilities(target)):
        assert isinstance(outcome, Misdirected)
        assert problem in outcome.detail
        assert "secret" not in repr(outcome)


async def test_nothing_reaches_the_host_that_an_absolute_endpoint_names(sink: StudioSink, studio: FakeStudio) -> None:
    with FakeStudio() as thief:
        target = Target(url=studio.url, endpoint=thief.url + "/api/live", token=DEFAULT_TOKEN)
        assert isinstance(await sink.send(target, start()), Misdirected)
        assert (thief.ledger.requests, thief.ledger.others, studio.ledger.requests) == ((), (), ())


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"http_proxy": "p:3128"}, "http://p:3128"),
        ({"http_proxy": "http://a", "HTTP_PROXY": "http://b"}, "http://a"),
        ({"https_proxy": "http://p"}, None),
        ({"ALL_PROXY": "http://p"}, "http://p"),
        ({"all_proxy": "http://p", "http_proxy": "http://q"}, "http://q"),
        ({"HTTP_PROXY": "http://u:p@p:1"}, "http://u:p@p:1"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "studio.example"}, None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "a, .example"}, None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "*.example"}, None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "studio.example:80"}, None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "studio.example:81"}, "http://p"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "udio.example"}, "http://p"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8,,"}, "http://p"),
    ],
)
def test_the_usual_variables_name_the_proxy(environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(URL("http://studio.example/api/live"), environ) == (URL(proxy) if proxy else None)


def test_networks_can_go_direct() -> None:
    environ = {"https_proxy": "http://p", "no_proxy": "10.0.0.0/8, ::1"}
    assert proxy_for(URL("https://10.1.2.3/"), environ) is None
    assert proxy_for(URL("https://[::1]/"), environ) is None
    assert proxy_for(URL("https://11.1.2.3/"), environ) == URL("http://p")


@pytest.mark.parametrize("value", ["socks5://p:1080", "http://", "http://p:port"])
async def test_a_proxy_that_cannot_be_used_is_named_and_nothing_goes_around_it(studio: FakeStudio, value: str) -> None:
    with pytest.raises(SettingError, match="HTTP_PROXY"):
        proxy_for(URL(studio.url), {"HTTP_PROXY": value})
    async with StudioSink(environ={"HTTP_PROXY": value}) as sink:
        outcome = await sink.send(Target(url=studio.url, token=DEFAULT_TOKEN), start())
    assert isinstance(outcome, Unavailable)
    assert outcome.detail.startswith("HTTP_PROXY ")
    assert studio.ledger.requests == ()


async def test_a_proxy_gets_the_request_and_its_own_password() -> None:
    heads: list[bytes] = []

    async def behave(peer: Peer) -> None:
        heads.append(await peer.request())
        await peer.answer()

    async with raw_server(behave) as proxy, StudioSink(environ={"HTTP_PROXY": f"http://u:p@{proxy}"}) as sink:
        assert await sink.send(Target(url="http://studio.invalid", token="t"), start()) == Accepted()

    lines = heads[0].split(b"\r\n")
    assert lines[0] == b"POST http://studio.invalid/api/live HTTP/1.1"
    assert b"Authorization: token t" in lines
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"u:p") in lines


async def test_a_proxy_that_is_down_is_named_without_its_password() -> None:
    async with StudioSink(environ={"HTTP_PROXY": "http://user:secret@127.0.0.1:1"}) as sink:
        outcome = await sink.send(Target(url="http://studio.invalid", token="t"), start())
    assert outcome == Unavailable(
        None, "studio.invalid:80: the proxy 127.0.0.1:1 cannot be reached (connection refused)"
    )


async def test_a_proxy_that_refuses_a_tunnel_never_sees_the_token() -> None:
    heads: list[bytes] = []

    async def behave(peer: Peer) -> None:
        heads.append(await peer.request())
        await peer.answer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(behave) as proxy, StudioSink(environ={"HTTPS_PROXY": f"http://{proxy}"}) as sink:
        outcome = await sink.send(Target(url="https://studio.invalid", token="hidden"), start())
    assert outcome == Unavailable(None, "studio.invalid:443: the proxy refused the connection (407)")
    assert heads[0].startswith(b"CONNECT studio.invalid:443 HTTP/1.1\r\n")
    assert b"hidden" not in heads[0]


class TestCertificates:
    @pytest.fixture(scope="class")
    @classmethod
    def certificate(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("openssl makes the certificate")
        path = tmp_path_factory.mktemp("tls") / "both.pem"
        arguments = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ]
        names = ["-subj", "/CN=test authority", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(path.with_name("key.pem")), "-out", str(path)]
        subprocess.run([openssl, *arguments, *names, *files], check=True, capture_output=True)
        return path

    @pytest.fixture
    def tls(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        return context

    async def _send(self, address: str, environ: dict[str, str]) -> object:
        async with StudioSink(environ=environ) as sink:
            outcomes = [await sink.send(Target(url=f"https://{address}", token="t"), start()) for _ in range(2)]
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    async def test_of_a_private_authority_are_trusted_where_a_variable_names_it(
        self, certificate: Path, tls: ssl.SSLContext, variable: str
    ) -> None:
        async with raw_server(_serve, tls) as address:
            assert await self._send(address, {variable: str(certificate)}) == Accepted()

    async def test_of_unknown_authorities_are_refused_with_the_remedy(self, tls: ssl.SSLContext) -> None:
        async with raw_server(_serve, tls) as address:
            outcome = await self._send(address, {})
        assert isinstance(outcome, Unavailable)
        assert "not trusted" in outcome.detail
        assert "SSL_CERT_FILE" in outcome.detail

    @pytest.mark.parametrize("content", [None, "no certificate"])
    async def test_that_a_variable_names_and_are_none_are_said_so(self, tmp_path: Path, content: str | None) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        outcome = await self._send("127.0.0.1:1", {"REQUESTS_CA_BUNDLE": str(path)})
        assert isinstance(outcome, Unavailable)
        assert outcome.detail.startswith(f"REQUESTS_CA_BUNDLE names {path}, which holds no usable certificates")

    async def test_are_checked_through_a_proxys_tunnel_too(self, certificate: Path, tls: ssl.SSLContext) -> None:
        async def tunnel(peer: Peer) -> None:
            head = await peer.request()
            host, _, port = head.split(b" ")[1].decode().partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            await peer.answer(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(_copy(peer.reader, writer), _copy(reader, peer.writer))
            finally:
                writer.transport.abort()

        async with raw_server(_serve, tls) as address, raw_server(tunnel) as proxy:
            environ = {"https_proxy": f"http://{proxy}", "SSL_CERT_FILE": str(certificate)}
            assert await self._send(address, environ) == Accepted()


async def _serve(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.answer(OK)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.close()

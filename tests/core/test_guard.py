"""The guard: what a client's URL may lead us to, by its looks and by what its name resolves to."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from core.errors import FingerpostError, Misconfigured, RefusedUrl
from core.guard import Guard, is_public

HOSTILE = [
    # schemes and shapes
    "", "example.com", "//example.com/x", "/etc/passwd", "file:///etc/passwd", "ftp://example.com/",
    "gopher://example.com/", "javascript:alert(1)", "data:text/plain,x", "ws://example.com/", "unix:///run/x.sock",
    "http://", "http:///x", "https://?x", "http:example.com", "http://./", "http://../",
    # user names and confusions of where the host ends
    "http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/",
    "http://example.com@127.0.0.1/", "http://127.0.0.1\\@example.com/", "http://example.com\\.evil.example/",
    "http://127.0.0.1%2f@example.com/", "http://exam ple.com/", "http://example.com/\r\nHost: x",
    "http://\t127.0.0.1/", "http://example.com/\x00", "http://exa%6dple.com/", "http://%31%32%37.0.0.1/",
    "http://ex*mple.com/", "http://a..b/", "http://-a.example/", "http://" + "a" * 64 + ".example/",
    "http://example.com/" + "x" * 9000,
    # ports
    "http://example.com:22/", "http://example.com:25/", "http://example.com:6379/", "http://example.com:5432/",
    "http://example.com:0/", "http://example.com:99999/", "http://example.com:-1/", "https://example.com:11211/",
    # IPv4 that is not public
    "http://127.0.0.1/", "http://127.0.0.1./", "http://127.255.255.254:8080/", "http://0.0.0.0/", "http://0.1.2.3/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/", "http://100.64.0.1/",
    "http://100.100.100.200/", "http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/",
    "http://192.0.0.192/", "http://192.0.2.1/", "http://198.18.0.1/", "http://198.51.100.1/", "http://203.0.113.1/",
    "http://192.88.99.1/", "http://224.0.0.1/", "http://239.255.255.250/", "http://240.0.0.1/",
    "http://255.255.255.255/",
    # IPv4 oddly spelt
    "http://0x7f.1/", "http://0x7f000001/", "http://2130706433/", "http://127.1/", "http://127.0.1/",
    "http://0177.0.0.1/", "http://127.0.0.01/", "http://0x7f.0x0.0x0.0x1/", "http://017700000001/", "http://0/",
    "http://127.0.0.1.0x1/", "http://1.2.3.4.5/", "http://256.256.256.256/", "http://0x/", "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/", "http://127。0。0。1/",
    # IPv6 that is not public, or carries an IPv4 address
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:8.8.8.8]/", "http://[::127.0.0.1]/",
    "http://[2002:7f00:1::]/", "http://[2002:808:808::1]/", "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::7f00:1]/", "http://[2001:db8::1]/", "http://[100::1]/",
    "http://[3fff::1]/", "http://[fec0::1]/", "http://[5f00::1]/", "http://[::1", "http://[::1]x/", "http://[v1.x]/",
    "http://[127.0.0.1]/",
    # names that only a local network answers
    "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://printer.local/", "http://redis/",
    "http://metadata.google.internal/", "http://router.home.arpa/", "http://ⓛocalhost/",
]  # fmt: skip

FINE = [
    "http://example.com", "https://example.com/", "https://example.com:443/a?b=c#d", "http://EXAMPLE.com.:80/",
    "https://example.com:8443/hook", "http://example.com:8080/hook", "https://a_b.example.com/",
    "https://xn--bcher-kva.example/", "https://bücher.example/", "https://8.8.8.8/", "https://1.1.1.1:8443/",
    "http://[2606:4700:4700::1111]/", "https://[2a00:1450:4001::1]:443/x", "https://example.com/@name",
    "https://example.com/?next=http://127.0.0.1/", "https://example.com/#user@host", "https://1password.example/",
    "https://example.0x7g/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(RefusedUrl) as refusal:
        Guard().check(url)
    assert refusal.value.code == "url_refused"
    assert refusal.value.message.startswith("The URL")


@pytest.mark.parametrize("url", FINE)
def test_a_public_url_passes(url: str) -> None:
    Guard().check(url)


def test_a_url_that_is_looked_at_again_fares_the_same_with_each_guard() -> None:
    strict, lenient = Guard(), Guard(["127.0.0.1"])
    for _ in range(3):
        lenient.check("http://127.0.0.1/")
        with pytest.raises(RefusedUrl):
            strict.check("http://127.0.0.1/")


def test_a_refusal_is_one_of_our_errors_and_never_repeats_a_password() -> None:
    with pytest.raises(FingerpostError) as refusal:
        Guard().check("https://user:hunter2@example.com/")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("loopback", "http://127.0.0.1:34567/hook"),
        ("loopback", "http://127.8.9.1/"),
        ("loopback", "http://[::1]:34567/hook"),
        ("loopback", "http://localhost:34567/hook"),
        ("LOOPBACK:9000", "http://127.0.0.1:9000/"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("10.1.2.3", "http://10.1.2.3:22/"),
        ("10.0.0.0/8", "https://10.200.0.1/"),
        ("10.0.0.0/8", "http://receiver/"),
        ("fd00::/8", "http://[fd12::1]:9000/"),
        ("[::1]:9000", "http://[::1]:9000/"),
        ("::1", "http://[::1]:9000/"),
        ("receiver.internal", "http://receiver.internal:9000/"),
        ("receiver", "http://RECEIVER.:9000/"),
        ("receiver.internal:9000", "http://receiver.internal:9000/"),
        (" receiver.internal. ", "http://receiver.internal/"),
    ],
)
def test_what_the_operator_allows_passes(allow: str, url: str) -> None:
    with pytest.raises(RefusedUrl):
        Guard().check(url)
    Guard([allow, ""]).check(url)


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("loopback", "http://10.0.0.1/"),
        ("loopback", "http://[::ffff:127.0.0.1]/"),
        ("loopback", "http://0x7f.1/"),
        ("loopback", "http://user@127.0.0.1/"),
        ("loopback", "file://127.0.0.1/etc/passwd"),
        ("loopback:9000", "http://127.0.0.1:9001/"),
        ("loopback:9000", "http://localhost:9001/"),
        ("127.0.0.1:9000", "http://127.0.0.1:9001/"),
        ("10.0.0.0/9", "http://10.200.0.1/"),
        ("receiver.internal:9000", "http://receiver.internal:9001/"),
        ("receiver.internal", "http://x.receiver.internal/"),
        ("receiver.internal", "http://receiver.internal.evil.example:22/"),
        ("0.0.0.0/0", "http://[::1]/"),
    ],
)
def test_what_the_operator_allows_opens_nothing_else(allow: str, url: str) -> None:
    with pytest.raises(RefusedUrl):
        Guard([allow]).check(url)


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "http://x", "a b", "127.1", "0x7f", "host:port", "*", "[x]", "x:1:2"])
def test_an_entry_that_is_no_host_is_a_misconfiguration_named(entry: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        Guard([entry])
    assert repr(entry) in str(refusal.value)


@pytest.mark.parametrize("text", ["8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.0.1", "2606:4700::1", "2a00::1"])
def test_the_neighbours_of_closed_networks_are_public(text: str) -> None:
    assert is_public(ip_address(text))


class Zone(AbstractResolver):
    """A name server of the test: each look-up takes the next answer, and is counted."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in answer
        ]

    async def close(self) -> None:
        pass


async def resolved(guard: Guard, host: str, *answers: str, port: int = 443) -> list[str]:
    found = await guard.resolver(Zone(list(answers))).resolve(host, port)
    return [answer["host"] for answer in found]


async def test_a_name_with_public_addresses_resolves_to_them() -> None:
    assert await resolved(Guard(), "example.com", "8.8.8.8", "2606:4700::1") == ["8.8.8.8", "2606:4700::1"]


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "::ffff:10.0.0.1"], ["fe80::1%eth0"], ["not-an-address"]],
)
async def test_a_name_with_any_forbidden_answer_is_refused_whole(answers: list[str]) -> None:
    with pytest.raises(RefusedUrl) as refusal:
        await resolved(Guard(), "example.com", *answers)
    assert not any(answer in str(refusal.value) for answer in answers), "the answer tells our internal DNS"


async def test_an_allowed_name_may_lead_anywhere_and_an_allowed_network_by_any_name() -> None:
    assert await resolved(Guard(["receiver.internal"]), "Receiver.Internal.", "10.0.0.1") == ["10.0.0.1"]
    assert await resolved(Guard(["10.0.0.0/8"]), "receiver", "10.0.0.1", "8.8.8.8") == ["10.0.0.1", "8.8.8.8"]
    with pytest.raises(RefusedUrl):
        await resolved(Guard(["10.0.0.0/8:9000"]), "receiver", "10.0.0.1", port=443)
    with pytest.raises(RefusedUrl):
        await resolved(Guard(["receiver.internal:9000"]), "receiver.internal", "10.0.0.1", port=443)


async def test_the_system_resolver_is_asked_where_no_other_is_given() -> None:
    resolver = Guard(["loopback"]).resolver()
    assert {answer["host"] for answer in await resolver.resolve("localhost", 80)} <= {"127.0.0.1", "::1"}
    with pytest.raises(RefusedUrl):
        await Guard().resolver().resolve("localhost", 80)
    await resolver.close()

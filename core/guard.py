"""The guard of outbound calls: which URLs that a client gave us may be called, and at which addresses."""

import re
import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import httpx
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from core.errors import Misconfigured, RefusedUrl

Address = IPv4Address | IPv6Address

_PORTS = frozenset({80, 443, 8080, 8443})
_MAX_URL = 8192
_REMEMBERED = 1024

# A host name as the DNS and its users write it; the underscore is common though RFC 1123 has none.
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_ODD_TEXT = re.compile(r"[\x00-\x20\x7f\\]")
_ENTRY = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")

# IANA's registry of IPv4 special-purpose addresses (RFC 6890), with multicast, the reserved block and the
# two public-looking addresses at which clouds answer with secrets.
_CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip

# Only 2000::/3 is global unicast (RFC 4291), which leaves out loopback, link-local, unique local, multicast,
# v4-mapped and NAT64 forms; what is closed inside it: Teredo and its neighbours, documentation, 6to4, 6bone.
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20"))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet, by IANA's special-purpose registries (RFC 6890).

    IPv6 forms that carry an IPv4 address inside (mapped, 6to4, Teredo, NAT64) are never public: where they
    lead is somebody else's decision.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


class _Permit(NamedTuple):
    """One entry of the allow-list: a name or a network, at one port or at any."""

    target: str | IPv4Network | IPv6Network
    port: int | None

    def covers(self, host: str | Address, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if isinstance(self.target, str) or isinstance(host, str):
            return self.target == host
        return host.version == self.target.version and host in self.target


class Guard:
    """Decides over every outbound URL that a client gives us: webhook endpoints, media to fetch.

    `allow` holds what an operator opens beyond the public internet: host names, IP addresses, networks
    (`10.0.0.0/8`), the word `loopback`, each also with a port (`receiver.internal:9000`, `[::1]:9000`).
    An entry without a port opens every port. Raises Misconfigured for an entry that is none of these.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._permits = tuple(permit for entry in allow if entry.strip() for permit in _permits(entry))
        self._opens_networks = any(not isinstance(permit.target, str) for permit in self._permits)
        # The same URLs are called again and again, and what becomes of one never changes. Refusals are not remembered.
        self._pass = lru_cache(_REMEMBERED)(self._judge)

    def __repr__(self) -> str:
        return f"Guard({len(self._permits)} allowed)"

    def check(self, url: str) -> None:
        """Refuse what can be refused by its looks; raises RefusedUrl.

        A name is looked up only when it is called, by `resolver()`: this check alone does not make a name
        safe, and the resolver alone does not see literal addresses. Both are needed.
        """
        self._pass(url)

    def _judge(self, url: str) -> None:
        host, port = _split(url)
        if self._permitted(host, port):
            return
        if port not in _PORTS:
            known = ", ".join(str(known) for known in sorted(_PORTS))
            raise RefusedUrl(f"The URL's port {port} is not allowed; use one of {known}.")
        if isinstance(host, str):
            if _is_local(host) and not self._opens_networks:
                raise RefusedUrl(f"The URL's host {host!r} is a local name; only public hosts are called.")
        elif not is_public(host):
            raise RefusedUrl(f"The URL's address {host} is not public; only public hosts are called.")

    def check_answers(self, host: str, port: int, answers: Iterable[str]) -> None:
        """Refuse a name if any of the addresses it resolved to is forbidden; raises RefusedUrl."""
        name = host.lower().rstrip(".")
        if self._permitted(name, port):
            return
        for answer in answers:
            try:
                address = ip_address(answer)
            except ValueError:
                address = None
            if address is None or not (is_public(address) or self._permitted(address, port)):
                # The address itself stays unsaid: a client must not read our internal DNS through us.
                raise RefusedUrl(f"The URL's host {name!r} does not lead to a public address.")

    def resolver(self, lookup: AbstractResolver | None = None) -> AbstractResolver:
        """A resolver for aiohttp that looks a name up once and hands on only permitted answers.

        The connection then goes to the very address that was checked, so a name that changes its answer
        between check and call gains nothing. `lookup` does the asking; by default the system's resolver.
        """
        return _GuardedResolver(self, lookup)

    def _permitted(self, host: str | Address, port: int) -> bool:
        return any(permit.covers(host, port) for permit in self._permits)


class _GuardedResolver(AbstractResolver):
    """Asks another resolver and lets the guard see every answer."""

    def __init__(self, guard: Guard, lookup: AbstractResolver | None) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if self._lookup is None:
            self._lookup = ThreadedResolver()
        answers = await self._lookup.resolve(host, port, family)
        self._guard.check_answers(host, port, (answer["host"] for answer in answers))
        return answers

    async def close(self) -> None:
        if self._lookup is not None:
            await self._lookup.close()


def _split(url: str) -> tuple[str | Address, int]:
    """Host and port of a URL, read by the very parser with which it will be called; raises RefusedUrl."""
    if len(url) > _MAX_URL or _ODD_TEXT.search(url):
        raise RefusedUrl("The URL is too long or holds spaces, control characters or backslashes.")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise RefusedUrl("The URL cannot be read.") from None
    if parsed.scheme not in ("http", "https"):
        raise RefusedUrl("The URL must begin with http:// or https://.")
    if "@" in re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]:
        raise RefusedUrl("The URL must not hold a user name or password.")
    port = parsed.port if parsed.port is not None else (443 if parsed.scheme == "https" else 80)
    return _host(parsed.raw_host.decode("ascii")), port


def _host(text: str) -> str | Address:
    """The host as an address or a plain name; odd spellings of addresses are neither."""
    host = text.lower().removesuffix(".")
    if not host:
        raise RefusedUrl("The URL names no host.")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RefusedUrl("The URL's address names a network interface.")
    if address is not None:
        return address
    if not _NAME.fullmatch(host) or _ends_in_a_number(host):
        raise RefusedUrl(f"The URL's host {host!r} is neither a host name nor a plainly written address.")
    return host


def _ends_in_a_number(host: str) -> bool:
    """Whether resolvers would read the name as an IPv4 address: `127.1`, `0x7f.1`, `2130706433` (WHATWG URL)."""
    last = host.rpartition(".")[2]
    return last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) is not None


def _is_local(name: str) -> bool:
    """Names that no public DNS answers: RFC 6761, 6762, 8375, and names of one label."""
    return "." not in name or name.endswith(_LOCAL_NAMES)


def _permits(entry: str) -> Iterable[_Permit]:
    host, port = _entry(entry.strip().lower())
    if host == "loopback":
        targets = ("localhost", IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
        return [_Permit(target, port) for target in targets]
    try:
        return [_Permit(ip_network(host), port)]
    except ValueError:
        name = host.removesuffix(".")
    if not _NAME.fullmatch(name) or _ends_in_a_number(name):
        raise Misconfigured(f"{entry!r} in the list of allowed hosts is no host name, address or network.")
    return [_Permit(name, port)]


def _entry(text: str) -> tuple[str, int | None]:
    """Host and port of an entry; in brackets only an IPv6 address can stand, and one without has no port."""
    match = _ENTRY.fullmatch(text)
    if match is None or (match["six"] and ":" not in match["six"]):
        return text, None
    return match["six"] or match["host"], int(match["port"]) if match["port"] else None

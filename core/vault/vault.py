"""The vault: secrets at rest, each sealed with a key of its own that a versioned master key wraps (AES-GCM)."""

import base64
import hashlib
import hmac
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import FingerpostError, Misconfigured
from core.vault.keys import KEY_BYTES, SETTING, read_keys

_FORMAT = b"fp\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
# format, version of the master key, its fingerprint, nonce and wrapped data key, nonce; then the sealed value.
_HEADER = struct.Struct(f">3sI8s{_NONCE_BYTES}s{KEY_BYTES + _TAG_BYTES}s{_NONCE_BYTES}s")


class BrokenSeal(FingerpostError):
    """A sealed value was altered, cut short, or moved from the place for which it was sealed."""

    code = "broken_seal"


class _Sealed(NamedTuple):
    form: bytes
    version: int
    fingerprint: bytes
    key_nonce: bytes
    wrapped_key: bytes
    nonce: bytes


class Vault:
    """Seals and opens secrets under master keys of 32 bytes, by version; the newest version seals.

    Every value is bound to its place (table, row, column) and to the version of its master key, so that a
    sealed value copied to another row does not open there (AES-GCM, NIST SP 800-38D).
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Raises Misconfigured where there is no key, or one is not what a key must be."""
        if not keys:
            raise Misconfigured(f"{SETTING} holds no key; it has the form 1:<base64 of 32 random bytes>.")
        for version, key in keys.items():
            if not 1 <= version < 2**32:
                raise Misconfigured(f"{SETTING}: key versions are numbers from 1, not {version}.")
            if len(key) != KEY_BYTES:
                raise Misconfigured(f"{SETTING}: key {version} has {len(key)} bytes; it must have {KEY_BYTES}.")
        self._keys = dict(keys)

    @classmethod
    def parse(cls, text: str, *, file: Path | None = None) -> Self:
        """The vault of a setting such as `1:<base64 of 32 bytes>,2:<…>`, and of a file of such lines.

        Raises Misconfigured, without the keys, also where the file is not for us alone.
        """
        return cls(read_keys(text, file))

    @staticmethod
    def generate(version: int = 1) -> str:
        """A fresh random master key in the form of the setting."""
        return f"{version}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"

    def __repr__(self) -> str:
        return f"Vault(versions={sorted(self._keys)})"

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of all keys, the newest last."""
        return tuple(sorted(self._keys))

    def check_value(self, version: int) -> bytes:
        """What tells a key from any other of its version; it can be shown, and says nothing of the key."""
        return hmac.new(self._keys[version], b"fingerpost vault key check", hashlib.sha256).digest()

    @property
    def version(self) -> int:
        """The version that seals: the newest."""
        return max(self._keys)

    def derived(self, purpose: bytes) -> list[bytes]:
        """A key of 32 bytes for another purpose from each master key, the newest first (HMAC-SHA-256, RFC 2104)."""
        versions = sorted(self._keys, reverse=True)
        return [hmac.new(self._keys[version], purpose, hashlib.sha256).digest() for version in versions]

    def seal(self, plaintext: str, *, table: str, row: str, column: str) -> bytes:
        """The secret, sealed for this place and no other."""
        master = self._keys[self.version]
        place = _place(table, row, column, self.version)
        data_key = os.urandom(KEY_BYTES)
        key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = AESGCM(master).encrypt(key_nonce, data_key, place)
        header = _HEADER.pack(_FORMAT, self.version, _fingerprint(master), key_nonce, wrapped, nonce)
        return header + AESGCM(data_key).encrypt(nonce, plaintext.encode(), place)

    def open(self, sealed: bytes, *, table: str, row: str, column: str) -> str:
        """The secret again.

        Raises Misconfigured, naming the version, where its master key is missing or another one; BrokenSeal
        where the value is damaged or was sealed for another place.
        """
        header = _header(sealed)
        master = self._keys.get(header.version)
        if master is None:
            raise Misconfigured(f"{SETTING} lacks key {header.version}, with which stored secrets are sealed.")
        if not hmac.compare_digest(_fingerprint(master), header.fingerprint):
            raise Misconfigured(f"{SETTING}: key {header.version} is not the key that sealed the stored secrets.")
        place = _place(table, row, column, header.version)
        try:
            data_key = AESGCM(master).decrypt(header.key_nonce, header.wrapped_key, place)
            return AESGCM(data_key).decrypt(header.nonce, sealed[_HEADER.size :], place).decode()
        except (InvalidTag, ValueError):
            raise BrokenSeal(f"The sealed {column} of a row in {table} was altered or moved.") from None


def sealed_version(sealed: bytes) -> int:
    """The version of the master key under which a value is sealed; raises BrokenSeal where it is no sealed value."""
    return _header(sealed).version


def _header(sealed: bytes) -> _Sealed:
    if len(sealed) < _HEADER.size + _TAG_BYTES or not sealed.startswith(_FORMAT):
        raise BrokenSeal("A stored secret is not in the vault's format.")
    return _Sealed(*_HEADER.unpack_from(sealed))


def _place(table: str, row: str, column: str, version: int) -> bytes:
    """The associated data; lengths stand before the names, so that no two places read alike."""
    names = [name.encode() for name in (table, row, column)]
    return _FORMAT + struct.pack(">I", version) + b"".join(struct.pack(">I", len(name)) + name for name in names)


def _fingerprint(master: bytes) -> bytes:
    """Tells a wrong master key from a damaged value; one-way, and separate from every use of the key."""
    return hmac.new(master, b"fingerpost vault key fingerprint", hashlib.sha256).digest()[:8]

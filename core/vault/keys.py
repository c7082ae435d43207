"""Master keys: read from the setting that holds them and from a file that is for us alone."""

import base64
import binascii
import stat
from collections.abc import Iterator
from pathlib import Path

from core.errors import Misconfigured

SETTING = "FINGERPOST_MASTER_KEYS"
FILE_SETTING = "FINGERPOST_MASTER_KEYS_FILE"

KEY_BYTES = 32
"""The length of a master key (AES-256)."""


def read_keys(text: str, file: Path | None) -> dict[int, bytes]:
    """The keys by version. Raises Misconfigured, naming the version or the place and never a key."""
    keys = dict(_items(SETTING, text.split(",")))
    if file is not None:
        for version, key in _items(FILE_SETTING, _lines(file)):
            if keys.setdefault(version, key) != key:
                raise Misconfigured(f"{SETTING} and {FILE_SETTING} give two keys as version {version}; take one out.")
    return keys


def _lines(file: Path) -> list[str]:
    """The items of a file: one a line, or with commas; `#` begins a comment."""
    try:
        mode = file.stat().st_mode
        text = file.read_text("ascii")
    except OSError as error:
        raise Misconfigured(f"{FILE_SETTING}: {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{FILE_SETTING}: {file} holds something else than keys.") from None
    # A group may read it: that is how containers and systemd hand secrets to a service.
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise Misconfigured(f"{FILE_SETTING}: {file} is open to other users; make it yours alone with `chmod 600`.")
    return [part for line in text.splitlines() for part in line.partition("#")[0].split(",")]


def _items(setting: str, parts: list[str]) -> Iterator[tuple[int, bytes]]:
    seen: set[int] = set()
    for place, item in enumerate(filter(None, (part.strip() for part in parts)), start=1):
        version, colon, encoded = item.partition(":")
        if not colon or not (version.isascii() and version.isdigit()):
            raise Misconfigured(f"{setting}: item {place} does not have the form <version>:<base64>.")
        if int(version) in seen:
            raise Misconfigured(f"{setting}: key {int(version)} is given twice.")
        seen.add(int(version))
        try:
            yield int(version), base64.b64decode(encoded.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Misconfigured(f"{setting}: key {int(version)} is not base64.") from None

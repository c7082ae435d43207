"""The short-lived folder of the servers' Unix sockets."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.embedded.account import Account, give, may_use
from core.embedded.state import Running, State
from core.errors import Misconfigured

PATH_BYTES = 103
"""How long a socket's path may be: `sun_path` holds 108 bytes on Linux and 104 on macOS, with the final zero."""
LONGEST = "fp-00000000/postgres/.s.PGSQL.5432"


@contextmanager
def socket_folder(state: State, account: Account | None, *servers: str) -> Iterator[Path]:
    """Make the folder, with a closed one inside for each server; it goes when this ends.

    Its name is in the state before it exists, so that the next start can remove what a killed one left.
    """
    before = state.read_running()
    if before is not None:
        _remove(Path(before.sockets))
    folder = _place(account) / f"fp-{secrets.token_hex(4)}"
    state.write_running(Running(sockets=str(folder)))
    try:
        folder.mkdir()
        folder.chmod(0o711)
        for name in servers:
            (folder / name).mkdir()
            give(folder / name, account)
        yield folder
    finally:
        _remove(folder)
        state.forget_running()


def _place(account: Account | None) -> Path:
    """A temporary folder whose path is short and plain enough for sockets and within the account's reach."""
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - the folder inside is ours alone
        fits = len(os.fsencode(place / LONGEST)) <= PATH_BYTES and re.fullmatch(r"[\w/.+-]+", str(place))
        if fits and os.access(place, os.W_OK | os.X_OK) and (account is None or may_use(account, place)):
            return place
    raise Misconfigured("There is no temporary folder for sockets: set TMPDIR to a short path that everyone may pass.")


def _remove(folder: Path) -> None:
    """Remove a folder of sockets, and nothing that is not one of ours."""
    with suppress(OSError):
        status = folder.lstat()
        if re.fullmatch(r"fp-[0-9a-f]{8}", folder.name) and status.st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)

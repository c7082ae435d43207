"""The account under which the embedded servers run: ourselves, or nobody where we are root."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from core.errors import Misconfigured

OWN_SERVERS = "Set DATABASE_URL and REDIS_URL to servers of your own."
"""What anyone can do where the embedded servers cannot run."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the machine that a child process becomes before it starts."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Who the servers are to be: None means ourselves; PostgreSQL refuses root, so root hands them to nobody.

    Raises Misconfigured where PostgreSQL could not run as that user.
    """
    if os.name != "posix":
        raise Misconfigured(f"The embedded servers run on Linux and macOS only. {OWN_SERVERS}")
    import pwd  # here, because the module does not exist elsewhere

    try:
        if os.geteuid() != 0:
            pwd.getpwuid(os.geteuid())
            return None
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        who = "'nobody'" if os.geteuid() == 0 else f"with the id {os.geteuid()}"
        raise Misconfigured(
            f"The embedded PostgreSQL needs a user {who} in /etc/passwd, and there is none. {OWN_SERVERS}"
        ) from None
    return Account(name=nobody.pw_name, uid=nobody.pw_uid, gid=nobody.pw_gid)


def may_use(account: Account, path: Path) -> bool:
    """Whether the account, which owns nothing here, may read `path` and pass every folder above it."""
    real = path.resolve()
    passable = all(folder.stat().st_mode & 0o001 for folder in real.parents)
    return passable and bool(real.stat().st_mode & 0o004)


def give(folder: Path, account: Account | None) -> None:
    """Make `folder` the account's own and closed to everyone else."""
    folder.chmod(0o700)
    if account is None:
        return
    try:
        os.chown(folder, account.uid, account.gid)
    except OSError as error:
        raise cannot_become(account) from error


def cannot_become(account: Account) -> Misconfigured:
    """The error for a root that may not start a process as somebody else, as in a container without CAP_SETUID."""
    return Misconfigured(
        f"The embedded servers must not run as root, and this process may not start them as {account.name!r} "
        f"(it lacks CAP_SETUID, CAP_SETGID or CAP_CHOWN). Start Fingerpost as an ordinary user. Or: {OWN_SERVERS}"
    )


@contextmanager
def door(folder: Path, account: Account | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A name for `folder` that a child running as the account can use, and the descriptors it has to inherit.

    A folder below /root or in a private temporary folder cannot be reached by nobody, and opening up the
    folders above it is not ours to do. A descriptor that root opened leads past them.
    """
    if account is None or sys.platform != "linux" or not Path("/proc/self/fd").is_dir():
        yield str(folder), ()
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)

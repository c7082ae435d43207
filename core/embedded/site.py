"""A state folder in use: what every server that is started from it needs."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.embedded.account import Account, door
from core.embedded.binaries import Programs
from core.embedded.state import Lock, State
from core.embedded.supervisor import Child, Supervisor


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The state and its lock, the folder of sockets, the programs, who runs them, and who watches over them."""

    state: State
    lock: Lock
    sockets: Path
    programs: Programs
    account: Account | None
    supervisor: Supervisor

    def log(self, name: str) -> Path:
        """Where the server of this name writes what it has to say."""
        return self.state.folder(f"{name}.log")

    def spawn(self, name: str, program: Path, folder: Path, options: Sequence[str]) -> Child:
        """Start a program on its folder, which `{folder}` in the options stands for."""
        log = self.state.open_log(self.log(name).name)
        try:
            with door(folder, self.account) as (path, descriptors):
                return self.supervisor.spawn(
                    name,
                    [program, *(path if word == "{folder}" else word for word in options)],
                    env=environment(),
                    user=self.account,
                    pass_fds=(self.lock.descriptor, *descriptors),
                    stdout=log,
                    stderr=log,
                )
        finally:
            os.close(log)


def environment() -> dict[str, str]:
    """The whole environment of a server: nothing of ours, such as PGPORT or a password, gets in."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **kept}

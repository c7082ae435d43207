"""The start of a process: what it may open, and what of all that is made then stays, and is no garbage ever."""

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""After so many new objects the collector looks at them. Requests under way hold some thousand, and are no garbage."""


MOST_FILES = 65_536
"""As many files and connections as a process ever needs at a time."""

_MOST_OF_MACOS = 10_240
"""`OPEN_MAX`: macOS says that there is no bound, and takes no more than this (its setrlimit(2))."""


def open_files() -> None:
    """Let this process have as many files and connections at a time as its host allows it.

    Many hosts begin with 1,024 for the sake of programs that use select(2); a worker may well publish more films.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_OF_MACOS if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@contextmanager
def settling() -> Iterator[None]:
    """Make what stays as long as the process does: modules, routes, adapters.

    Python looks for garbage whenever so many objects have been made, and finds none among these: a tenth of the time
    that importing takes. All that is there at the end of the block is left out of later searches as well.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()


def settled() -> None:
    """Leave out all that there is by now, too: a process that is ready keeps it.

    A full search among it would stop everything for a tenth of a second, about once a second under load.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])

"""The start of a process: most of what is made then stays, and is not searched for garbage again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""After so many new objects the collector looks at them. Requests under way hold some thousand, and are no garbage."""


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

"""Garbage collection in processes that run for long."""

import gc

YOUNG = 10_000
"""After so many new objects the collector looks at them. Requests under way hold some thousand, and are no garbage."""


def spare_what_is_there() -> None:
    """Let the collector pass over all objects that there are, now and ever after: a process that is ready keeps them.

    Modules, schemas and routes are some hundred thousand objects: each full collection would stop everything for a
    tenth of a second, to find that all are needed.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
